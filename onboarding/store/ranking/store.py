"""What was suggested and what became of it; which version serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from onboarding.ranking import Mute
from onboarding.types import Decision, Outcome

BLOCK: Final = 500
RANKER: Final = "ranker"
STALLS: Final = "stalls"
"""Slots: each has at most one version that serves."""


class NextSteps(Protocol):
    """Durable once a call returns. Raises StoreUnavailableError from all."""

    async def add(self, decision: Decision) -> None:
        """Once: a second decision with its id changes nothing."""
        ...

    async def decision(self, tenant: str, decision_id: str) -> Decision | None: ...

    async def latest(self, tenant: str, subject: str) -> Decision | None: ...

    async def decisions(
        self, tenant: str, since: datetime, until: datetime
    ) -> tuple[Decision, ...]:
        """Oldest first, `until` excluded."""
        ...

    async def note(self, outcome: Outcome) -> bool:
        """False for one that is there already. A snooze or never mutes in the same transaction."""
        ...

    async def outcomes(self, tenant: str, since: datetime, until: datetime) -> tuple[Outcome, ...]:
        """Oldest first, `until` excluded."""
        ...

    async def outcomes_of(self, tenant: str, subject: str) -> tuple[Outcome, ...]: ...

    async def decisions_of(self, tenant: str, subject: str) -> tuple[Decision, ...]: ...

    async def mutes(self, tenant: str, subject: str) -> tuple[Mute, ...]:
        """In order of their actions."""
        ...

    async def undo(self, tenant: str, subject: str, action: str) -> bool:
        """The action may be suggested again; False where it was not muted."""
        ...

    async def erase(self, tenant: str, subject: str) -> int: ...

    async def count(self, tenant: str, subject: str) -> int: ...

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        """Decisions and outcomes, the oldest first; mutes stay until they are undone."""
        ...

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int: ...


@dataclass(frozen=True, slots=True)
class Move:
    """`version` served from `at` on; None: nothing learned did."""

    slot: str
    number: int
    version: str | None
    at: datetime
    by: str
    reason: str


class Champions(Protocol):
    """Which version serves, a trail that only grows. Raises StoreUnavailableError from all."""

    async def champion(self, tenant: str, slot: str) -> str | None: ...

    async def promote(self, tenant: str, slot: str, version: str | None, by: str, reason: str,
                      now: datetime) -> Move: ...  # fmt: skip

    async def rollback(self, tenant: str, slot: str, by: str, reason: str, now: datetime) -> Move:
        """Back to what served before this one, in one transaction; from there on to nothing."""
        ...

    async def moves(self, tenant: str, slot: str) -> tuple[Move, ...]:
        """Oldest first."""
        ...


def before(moves: tuple[Move, ...]) -> str | None:
    """What a rollback goes back to: the last version that was promoted before the current one and
    has not been rolled back from."""
    stack: list[str | None] = [None]
    for move in moves:
        if move.version in stack:
            del stack[stack.index(move.version) + 1 :]
        else:
            stack.append(move.version)
    return stack[-2] if len(stack) > 1 else None
