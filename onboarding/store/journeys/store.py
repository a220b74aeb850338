"""Where progress and published files are kept; each protocol has SQL and a twin in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from onboarding.journeys import Done, Enrolment, GuideMark, Moved, Source, Way
from onboarding.journeys.lint import Published
from onboarding.types import Mode

MOST_WAYS = 2000
"""People whose ways make a cohort: the newest."""


@dataclass(frozen=True, slots=True)
class Record:
    """One person's way through one journey, with what is on record of it."""

    enrolment: Enrolment
    done: tuple[Done, ...] = ()


@dataclass(frozen=True, slots=True)
class Marks:
    """Times to be set where they are not set yet."""

    reached_at: datetime | None = None
    finished_at: datetime | None = None
    left_at: datetime | None = None
    left_why: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be published."""

    sources: tuple[Source, ...]
    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A set of files that was published together; numbers count from 1 for each tenant."""

    number: int
    by: str
    at: datetime
    note: str
    digest: str
    sources: tuple[Source, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Switch:
    """The pointer was set: by a publication, or back by a rollback."""

    number: int
    by: str
    at: datetime
    why: str


class PublishError(Exception):
    """
    PublishError
    ├── StaleReleaseError      somebody published meanwhile
    ├── EditedVersionError     a version that was published has another text now
    └── UnknownReleaseError    there is no such release
    """


class StaleReleaseError(PublishError):
    def __init__(self, expected: int | None, current: int | None) -> None:
        super().__init__(f"release {current} is current, not {expected}: look at the preview again")
        self.expected, self.current = expected, current


class EditedVersionError(PublishError):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"published before with another text: {', '.join(names)}")
        self.names = tuple(names)


class UnknownReleaseError(PublishError):
    def __init__(self, number: int | None) -> None:
        super().__init__("nothing is published" if number is None else f"no release {number}")
        self.number = number


class CatalogueStore(Protocol):
    """Durable. Raises StoreUnavailableError from all."""

    async def publish(self, tenant: str, draft: Draft, expected: int | None) -> Release:
        """In one transaction, `expected` being the current number that the preview saw. Raises
        StaleReleaseError, EditedVersionError."""
        ...

    async def pointer(self, tenant: str) -> int | None:
        """The number of the current release: what a server asks often."""
        ...

    async def release(self, tenant: str, number: int) -> Release:
        """With its files. Raises UnknownReleaseError."""
        ...

    async def switch(self, tenant: str, switch: Switch) -> Release:
        """Another release becomes current: one row. Raises UnknownReleaseError."""
        ...

    async def releases(self, tenant: str) -> tuple[Release, ...]:
        """Newest first, without their files."""
        ...

    async def switches(self, tenant: str) -> tuple[Switch, ...]:
        """Newest first."""
        ...

    async def published(self, tenant: str) -> Published:
        """Every text that was ever published, and the versions that are current."""
        ...


class ProgressStore(Protocol):
    """Durable. Raises StoreUnavailableError from all."""

    async def enrol(self, wanted: Enrolment) -> Enrolment:
        """The one of this journey that runs already, or a new one under the next entry."""
        ...

    async def of(self, tenant: str, user: str) -> tuple[Enrolment, ...]:
        """In the order in which they began."""
        ...

    async def mark(self, enrolment: Enrolment, marks: Marks) -> Enrolment:
        """As it stands afterwards; what was set before stays."""
        ...

    async def complete(self, enrolment: Enrolment, done: Sequence[Done]) -> None:
        """What was recorded first stands; done takes the place of left out."""
        ...

    async def done(self, enrolment: Enrolment) -> tuple[Done, ...]:
        """The person's own, and of their account whoever did it; by step."""
        ...

    async def move(self, moved: Moved) -> bool:
        """In one transaction; False where the person is not on that version any more."""
        ...

    async def mode(self, tenant: str, user: str) -> Mode | None: ...

    async def choose(self, tenant: str, user: str, mode: Mode, at: datetime) -> None: ...

    async def guides(self, tenant: str, user: str) -> tuple[GuideMark, ...]:
        """How far they are with each guide that they were shown, by name."""
        ...

    async def note(self, tenant: str, user: str, mark: GuideMark) -> GuideMark:
        """What stands afterwards; the same again changes nothing."""
        ...

    async def merge(self, tenant: str, old: str, new: str) -> int:
        """`old` was `new` all along: their ways are joined in one transaction. How many moved."""
        ...

    async def running(self, tenant: str) -> Mapping[str, int]:
        """People under way by `name@version`."""
        ...

    async def ways(self, tenant: str, journey: str, limit: int = MOST_WAYS) -> tuple[Way, ...]:
        """Of the newest, for cohorts; nobody is named."""
        ...

    async def export(self, tenant: str, user: str) -> tuple[Record, ...]:
        """All that is kept of a person; steps of their account that they did are with them."""
        ...

    async def erase(self, tenant: str, user: str) -> int:
        """Their ways go; what they did for their account stays done, by nobody."""
        ...

    async def count(self, tenant: str, user: str) -> int:
        """Rows that still name the person."""
        ...

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int
    ) -> int: ...

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        """Ways that ended, or where nothing ended began, before this time, and guides that nobody
        has looked at since."""
        ...
