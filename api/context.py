"""What every router is given: the composed product, whose it is, and the caps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple
from urllib.parse import quote

from fastapi import Path

from agent.stream import PageUrl
from api.acts import Acts
from api.assistant import Assistant
from api.limits import Limits, StreamSlots
from api.runs import Runs
from api.schemas import WIRE_ID
from api.staff import StaffDoor
from retrieval.library import Library
from retrieval.types import Citation, Scope

ThreadId = Annotated[str, Path(pattern=WIRE_ID.pattern)]


class Check(NamedTuple):
    """Whether one part works; `detail` is one line for the person on duty, without secrets."""

    ok: bool
    detail: str


Probe = Callable[[], Awaitable[Check]]
"""Looks at one part, quickly, and never raises for what it is there to find."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the deployment says about itself; values, never settings."""

    viewer: Scope
    """Through whose eyes everybody without an identity sees: tenant and labels."""
    suggestions: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ("*",)
    allowed_origins: tuple[str, ...] = ()
    version: str = "0"
    probes: Mapping[str, Probe] = field(default_factory=dict)


def page_url(citation: Citation) -> str:
    """Our own page of a cited document, for sources that have no public address."""
    return f"/pages/{quote(citation.path)}"


@dataclass(frozen=True, slots=True)
class Context:
    """One of these per application."""

    assistant: Assistant
    library: Library
    site: Site
    limits: Limits
    runs: Runs
    slots: StreamSlots
    acts: Acts = field(default_factory=Acts)
    page_url: PageUrl = page_url
    staff: StaffDoor | None = None

    @property
    def tenant(self) -> str:
        return self.site.viewer.tenant
