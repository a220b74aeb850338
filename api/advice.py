"""What a person reads and says of their next steps: the seam between HTTP and the engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from agent.guiding import Standing
from onboarding.types import Mode, OutcomeKind
from tools.types import Actor


class Snooze(StrEnum):
    """For how long "not now" holds."""

    DAY = "1d"
    WEEK = "7d"
    VISIT = "visit"  # until the person comes back


class Muted(NamedTuple):
    """An action that is not suggested; `until` None: never again."""

    action: str
    title: str
    until: datetime | None


class UnknownCardError(Exception):
    """This person was shown no such card."""


class GuideDesk(Protocol):
    """What a person reads and says of their next steps. Raises StoreUnavailableError."""

    async def standing(self, actor: Actor, locale: str) -> Standing | None: ...

    async def respond(
        self, actor: Actor, card: tuple[str, str], kind: OutcomeKind, snooze: Snooze | None
    ) -> None:
        """`card` is decision and action. Raises UnknownCardError."""
        ...

    async def muted(self, actor: Actor, locale: str) -> Sequence[Muted]: ...

    async def unmute(self, actor: Actor, action: str) -> bool:
        """Whether it was muted."""
        ...

    async def choose_mode(self, actor: Actor, mode: Mode) -> None: ...
