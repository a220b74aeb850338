"""Where facts, questions and self-models are kept: all that was stated, until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from guardrails.consent import Purpose
from guardrails.refs import stamp
from onboarding.profile.beliefs import SelfModel
from onboarding.profile.questions import Asked, Reply
from onboarding.types import Fact, Source

BLOCK = 500
FACT_ID = "fact:"
"""What the id of a fact begins with where evidence names it: ids of events are not so."""


def fact_id(fact: Fact) -> str:
    """The same statement has the same id, however often it is sent."""
    said = (fact.tenant, fact.subject, fact.name, fact.value, fact.source, stamp(fact.valid_from))
    parts = "\x00".join(map(str, said))
    return FACT_ID + sha256(parts.encode()).hexdigest()[:32]


def lineage(fact: Fact, facts: Sequence[Fact]) -> tuple[str, ...]:
    """The events that a fact goes back to, through the facts that it was made from."""
    by_id = {fact_id(each): each for each in facts}
    found: dict[str, None] = {}
    seen: set[str] = set()
    todo = list(reversed(fact.evidence))
    while todo:
        id = todo.pop()
        if id in seen:
            continue
        seen.add(id)
        if id in by_id:
            todo.extend(reversed(by_id[id].evidence))
        elif not id.startswith(FACT_ID):
            found[id] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A self-model as of a time."""

    at: datetime
    model: SelfModel


class ProfileStore(Protocol):
    """Raises StoreUnavailableError from all. Nothing is cached: what was written is read next."""

    async def add(self, tenant: str, facts: Sequence[Fact]) -> int:
        """How many are new. Raises ValueError for a fact of another tenant, or one that holds text
        where a reference or code has to stand."""
        ...

    async def facts(self, tenant: str, subject: str) -> tuple[Fact, ...]:
        """All that are kept, oldest first."""
        ...

    async def remove(
        self, tenant: str, subject: str, names: Sequence[str], source: Source | None = None
    ) -> int:
        """Facts of these names; whoever stated them, unless a source is named."""
        ...

    async def withdraw(self, tenant: str, subject: str, purpose: Purpose) -> int:
        """All that serves a purpose that is not allowed any more; self-model and questions too
        where it is product analytics."""
        ...

    async def subjects(self, tenant: str, after: str = "", limit: int = BLOCK) -> tuple[str, ...]:
        """Whoever something is kept of, by name, after `after`."""
        ...

    async def ask(self, tenant: str, subject: str, asked: Asked) -> bool:
        """False where this question stands in this session already."""
        ...

    async def reply(
        self, tenant: str, subject: str, session: str, question: str, reply: Reply
    ) -> bool:
        """Whether it was asked and still open."""
        ...

    async def asked(self, tenant: str, subject: str) -> tuple[Asked, ...]:
        """Oldest first."""
        ...

    async def keep_model(self, tenant: str, subject: str, stored: StoredModel) -> None:
        """In the place of the one before."""
        ...

    async def model(self, tenant: str, subject: str) -> StoredModel | None: ...

    async def erase(self, tenant: str, subject: str) -> int:
        """How many rows went."""
        ...

    async def count(self, tenant: str, subject: str) -> int: ...

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        """Deletes the oldest inferred facts that began, and answered questions that were asked,
        before a time; what somebody declared stays."""
        ...

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int: ...
