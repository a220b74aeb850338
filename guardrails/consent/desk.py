"""What a person says of the use of their data, recorded once, and in effect here at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from guardrails.consent.cache import CachedConsents
from guardrails.consent.store import ConsentStore
from guardrails.consent.types import Channel, Entry, Purpose, Statement


@dataclass(frozen=True, slots=True)
class Wish:
    """One answer on a page of preferences; `field` None speaks of every field."""

    purpose: Purpose
    given: bool
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked by which text, where, and who wrote it down."""

    tenant: str
    subject: str
    text_version: str
    channel: Channel
    recorded_by: str


class ConsentDesk:
    """One per process, over the reader that the process asks."""

    def __init__(
        self, store: ConsentStore, reader: CachedConsents, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock

    async def trail(self, tenant: str, subject: str) -> tuple[Entry, ...]:
        """Raises StoreUnavailableError, as all here."""
        return await self._store.trail(tenant, subject)

    async def take(self, asked: Asked, wishes: Iterable[Wish]) -> tuple[Entry, ...]:
        """The trail afterwards. In the order given; what was the last word on its topic already, by
        the same text, adds no row, so that a page may be sent twice. Raises ValueError."""
        trail = list(await self._store.trail(asked.tenant, asked.subject))
        said = [_statement(asked, wish, self._clock()) for wish in wishes]
        try:
            for statement in said:
                if not _stands(trail, statement):
                    trail.append(await self._store.record(statement))
        finally:
            self._reader.drop(asked.tenant, asked.subject)
        return tuple(trail)


def _statement(asked: Asked, wish: Wish, now: datetime) -> Statement:
    return Statement(
        tenant=asked.tenant,
        subject=asked.subject,
        purpose=wish.purpose,
        given=wish.given,
        text_version=asked.text_version,
        channel=asked.channel,
        at=now,
        recorded_by=asked.recorded_by,
        field=wish.field,
    )


def _stands(trail: Sequence[Entry], new: Statement) -> bool:
    """Whether nothing later than the same word touches it: a purpose touches all its fields."""
    for said in (entry.said for entry in reversed(trail)):
        if said.purpose is new.purpose and (
            said.field is None or new.field is None or said.field == new.field
        ):
            return (said.field, said.given, said.text_version) == (
                new.field,
                new.given,
                new.text_version,
            )
    return False
