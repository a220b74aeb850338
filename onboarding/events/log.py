"""Where events lie, and how others read them: append, read by group, ack; a person's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from onboarding.types import Event, History, Person

RECENT = 500
"""Events of `History.recent`, the newest of the person and their account."""
READ = 500
"""Events of one reading."""


class Numbered(NamedTuple):
    """An event and its place in the log of its tenant; places only grow."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Link:
    """`identify` said that this anonymous visitor is this user; `at` is when that was received."""

    anonymous: str
    user: str
    at: datetime
    message_id: str


@dataclass(frozen=True, slots=True)
class Membership:
    """A user was seen in an account; `primary` when a `group` call said so."""

    user: str
    account: str
    at: datetime
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Addition:
    """What one message brings: its event, and what it says of who is who. `heals` is the message
    in quarantine that this one replaces."""

    event: Event
    link: Link | None = None
    membership: Membership | None = None
    heals: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one addition. `number` is None for what was there before (`duplicate`), or is
    of somebody who was erased since it happened (`erased`)."""

    number: int | None
    duplicate: bool = False
    erased: bool = False
    merge_refused: bool = False
    switched: bool = False


class EventLog(Protocol):
    """Events of each tenant in the order of their appending. Raises StoreUnavailableError."""

    async def append(self, tenant: str, additions: Sequence[Addition]) -> tuple[Appended, ...]:
        """Durable when it returns; answers in the order given. Of a message id of the last 7 days
        the first copy alone is stored."""
        ...

    async def read(
        self,
        tenant: str,
        group: str,
        after: int | None = None,
        limit: int = READ,
        *,
        as_sent: bool = False,
    ) -> tuple[Numbered, ...]:
        """The oldest after `after`, or after what the group acked last. `user` of what was sent
        anonymously is the user that the visitor is known as by now, but for `as_sent`."""
        ...

    async def ack(self, tenant: str, group: str, number: int) -> None:
        """All up to this number are done with; a smaller one changes nothing."""
        ...

    async def position(self, tenant: str, group: str) -> int:
        """What was acked last, 0 before anything was."""
        ...

    async def changed(self, tenant: str, after: int, within_s: float) -> bool:
        """Waits until there may be events after `after`; False when the time is over."""
        ...

    async def history(self, person: Person, now: datetime, recent: int = RECENT) -> History:
        """Of the person, what they did before they were identified included, and of their account;
        nothing that was received after `now`."""
        ...

    async def aliases(self, tenant: str, user: str) -> tuple[str, ...]:
        """Anonymous ids that are this user, sorted."""
        ...

    async def accounts(self, tenant: str, user: str) -> tuple[Membership, ...]:
        """The primary one first."""
        ...

    async def unmerge(self, tenant: str, anonymous: str) -> bool:
        """Undo a wrong `identify`; whether there was one."""
        ...
