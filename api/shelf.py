"""Guides of the caller: the seam between HTTP and the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from onboarding.engine.showing import Did, Page
from onboarding.journeys import GuideMark, ShownGuide
from tools.types import Actor

Pause = Literal["typing", "form", "approval", "person"]


class GuideShelf(Protocol):
    """Guides of one tenant. Raises StoreUnavailableError."""

    async def on_page(self, actor: Actor, page: Page) -> tuple[ShownGuide, ...] | None:
        """None where nothing of the person may be used."""
        ...

    async def busy(self, actor: Actor) -> Pause | None:
        """What of the caller's must not be broken into now."""
        ...

    async def note(self, actor: Actor, ref: str, did: Did, stop: int) -> GuideMark | None:
        """As `on_page`. Raises UnknownGuideError."""
        ...

    def media(self, name: str) -> Path | None:
        """A clip or its captions, by its name in a guide."""
        ...
