"""Where decisions are kept: rows are added, asked for by keys, made nameless, swept by age."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from typing_extensions import override

from guardrails.decisions.types import Decision, Kind, Outcome, OutcomeUpdate, Row
from guardrails.refs import stamp

ERASED = "erased."
"""What the reference of an erased subject begins with; random characters follow."""
PAGE = 100


class Added(NamedTuple):
    """`known` rows were there before; `orphans` are updates of decisions that are not."""

    new: int
    known: int
    orphans: int


class Cursor(NamedTuple):
    """The last decision of a page; the next page begins behind it."""

    at: datetime
    id: str

    @override
    def __str__(self) -> str:
        return f"{stamp(self.at)}~{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises ValueError."""
        at, _, id = text.partition("~")
        cursor = cls(datetime.fromisoformat(at), id)
        stamp(cursor.at)
        return cursor


@dataclass(frozen=True, slots=True)
class Wanted:
    """Decisions that meet all that is given. `since` is in, `until` is out."""

    kind: Kind | None = None
    subject: str | None = None
    thread_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision and what became of it, oldest update first."""

    decision: Decision
    updates: tuple[OutcomeUpdate, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return self.updates[-1].outcome if self.updates else self.decision.outcome


class Page(NamedTuple):
    rows: tuple[Recorded, ...]
    next: Cursor | None  # None: there is no more


class DecisionRecord(Protocol):
    """Durable. Raises StoreUnavailableError from all."""

    async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
        """All or none. A row whose id is there changes nothing, so the same may be added again; an
        update without its decision is left out. Raises ValueError for a row of another tenant."""
        ...

    async def get(self, tenant: str, id: str) -> Recorded | None: ...

    async def query(
        self,
        tenant: str,
        wanted: Wanted = EVERYTHING,
        *,
        after: Cursor | None = None,
        limit: int = PAGE,
    ) -> Page:
        """Newest first."""
        ...

    async def erase(self, tenant: str, subject: str) -> int:
        """Gives the subject's decisions one random reference that leads nowhere, without thread,
        run and message; how many there were."""
        ...

    async def sweep(
        self,
        tenant: str,
        kind: Kind,
        before: datetime,
        limit: int = 1000,
        keep: frozenset[str] = frozenset(),
    ) -> int:
        """Deletes the oldest decisions made before a time, but for those of subjects in `keep`,
        with their updates; how many. `tenant` may be EVERYBODY."""
        ...

    async def due(
        self, tenant: str, kind: Kind, before: datetime, keep: frozenset[str] = frozenset()
    ) -> int:
        """How many a sweep would take in the end."""
        ...


def nameless() -> str:
    """A reference of nobody: 128 random bits."""
    return ERASED + secrets.token_urlsafe(16)


def own(tenant: str, rows: Sequence[Row]) -> tuple[list[Decision], list[OutcomeUpdate]]:
    """Raises ValueError."""
    if any(row.tenant != tenant for row in rows):
        raise ValueError("rows of another tenant")
    decisions = [row for row in rows if isinstance(row, Decision)]
    return decisions, [row for row in rows if isinstance(row, OutcomeUpdate)]


def in_order(updates: Sequence[OutcomeUpdate]) -> tuple[OutcomeUpdate, ...]:
    """By their time, whatever the order in which they came."""
    return tuple(sorted(updates, key=lambda update: (update.at, update.id)))
