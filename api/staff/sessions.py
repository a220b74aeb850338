"""What is kept of a staff sign-in: the hash of a cookie, never the cookie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

ABSOLUTE = timedelta(hours=8)
IDLE = timedelta(minutes=30)
SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was used last: reading writes no more often."""
FLOW = timedelta(minutes=10)
"""For signing in at the provider."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that has begun. `browser` is the hash of the cookie that must come back with it."""

    tenant: str
    browser: str
    next: str
    fresh: bool
    begun: datetime


@dataclass(frozen=True, slots=True)
class StaffSession:
    """`subject` is the provider's own id; what the roles may do the settings say."""

    tenant: str
    subject: str
    roles: tuple[str, ...]
    auth_time: datetime | None
    opened: datetime
    seen: datetime

    @property
    def expires(self) -> datetime:
        """If it is not used again."""
        return min(self.opened + ABSOLUTE, self.seen + IDLE)


class StaffStore(Protocol):
    """By SHA-256 of a state and of a cookie.

    Raises OperationalError where a database does not answer: then nobody is let in.
    """

    async def begin(self, state: str, flow: Flow) -> None: ...

    async def take(self, tenant: str, state: str, now: datetime) -> Flow | None:
        """Once: of any number at the same time, one gets it. None when there is none, or its time
        is over."""
        ...

    async def open(self, digest: str, session: StaffSession) -> None: ...

    async def find(self, tenant: str, digest: str, now: datetime) -> StaffSession | None:
        """As it was before this use; None when there is none, or its time is over."""
        ...

    async def close(self, tenant: str, digest: str) -> bool:
        """Whether there was one."""
        ...

    async def close_all(self, tenant: str, subject: str) -> int:
        """How many of this person's are over now."""
        ...


def is_over(session: StaffSession, now: datetime) -> bool:
    return session.expires <= now
