"""What the log does for the rights of a person, and for how long things are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from onboarding.events.log import Numbered

Mac = Callable[[str, str], str]
"""Tenant and subject -> what tells that they were erased, and nobody who they were."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is too old: received before `before`, and sooner where `sooner` says so by event."""

    before: datetime
    sooner: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    keep: frozenset[str] = frozenset()


class EventKeeping(Protocol):
    """Beside an EventLog, over the same events. Raises StoreUnavailableError."""

    async def kept(
        self, tenant: str, user: str, after: int = 0, limit: int = 500
    ) -> tuple[Numbered, ...]:
        """Events of this user, what came before they were identified included; oldest first."""
        ...

    async def forget(self, tenant: str, user: str, now: datetime) -> int:
        """Deletes all of this user, and leaves a tombstone: what happened before `now` is not
        stored any more, however late it comes. How many items went."""
        ...

    async def residue(self, tenant: str, user: str) -> int:
        """Items of this user: events, links, memberships, messages in quarantine."""
        ...

    async def sweep(self, tenant: str, due: Due, limit: int) -> int:
        """Deletes the oldest events that are due; how many."""
        ...

    async def due(self, tenant: str, due: Due) -> int:
        """How many `sweep` would delete."""
        ...

    async def sweep_quarantine(
        self, tenant: str, before: datetime, keep: Sequence[str], limit: int
    ) -> int:
        """Deletes messages that were received before; how many."""
        ...

    async def due_quarantine(self, tenant: str, before: datetime, keep: Sequence[str]) -> int: ...
