"""settings -> the books on personal data: decisions, consents, audit log, legal holds.

They lie in one database; a writer that no answer waits for adds decisions, of those that their
subjects allow.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import SystemRandom

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from agent.recording import rows_of
from agent.reminding import GIVES_UP_S
from embark.keys import master_key
from embark.layers import UnreachableError
from embark.settings import Settings
from guardrails.audit import AuditLog
from guardrails.audit import sql as audit_sql
from guardrails.audit.personal import PersonalAudit
from guardrails.audit.sql import SqlAudit
from guardrails.consent import CachedConsents, ConsentDesk, ConsentStore, Permission, Purpose
from guardrails.consent import sql as consent_sql
from guardrails.consent.personal import PersonalConsents
from guardrails.consent.sql import SqlConsents
from guardrails.decisions import DecisionRecord, RecordWriter
from guardrails.decisions import sql as decisions_sql
from guardrails.decisions.consented import ConsentedDecisions
from guardrails.decisions.personal import PersonalDecisions
from guardrails.decisions.sql import SqlDecisions
from guardrails.logging import Log
from guardrails.retention import HoldStore, holds_sql
from guardrails.retention.holds_sql import SqlHolds
from guardrails.rights import PersonalStore
from tools.journal import REMINDER, Action, Journal, OutboxRow, UnknownActionError
from tools.store.engine import open_engine

_log = structlog.get_logger(__name__)
Tell = Callable[[OutboxRow], Awaitable[float | None]]
ASK_AGAIN_S = 900.0
"""When it is not known whether a person may be reminded, they are not, and it is asked again."""


@dataclass(frozen=True, slots=True)
class Books:
    """All over one engine. `reader` is this process's own."""

    engine: Engine
    decisions: DecisionRecord
    consents: ConsentStore
    reader: CachedConsents
    audit: AuditLog
    holds: HoldStore

    @property
    def desk(self) -> ConsentDesk:
        return ConsentDesk(self.consents, self.reader, now)

    @property
    def permission(self) -> Permission:
        return Permission(self.reader)

    @property
    def personal(self) -> tuple[PersonalStore, ...]:
        """In the order in which they are erased."""
        return (
            PersonalDecisions(self.decisions),
            PersonalConsents(self.consents, now, self.reader.drop),
            PersonalAudit(self.audit),
        )


@dataclass(frozen=True, slots=True)
class Records:
    """The books, and what writes decisions into them."""

    books: Books
    writer: RecordWriter

    @property
    def stored(self) -> DecisionRecord:
        return self.books.decisions

    def telling(self, journal: Journal, tell: Tell) -> Tell:
        """`tell`, after what the row says was put into the record. Nobody who does not allow their
        data to be used for support is reminded of anything."""

        async def recorded(row: OutboxRow) -> float | None:
            try:
                action = await journal.action(row.tenant, row.action_id)
                for each in rows_of(row, action):
                    self.writer.put(each)
            except UnknownActionError:
                _log.info("decision.action_gone", action=row.action_id)
            except ValueError as failure:
                _log.warning("decision.not_recorded", action=row.action_id, reason=str(failure))
            else:
                if not await self._may_tell(row, action):
                    return ASK_AGAIN_S
            return await tell(row)

        return recorded

    async def _may_tell(self, row: OutboxRow, action: Action) -> bool:
        """Too late for a reminder none is made, so that nobody has to be asked."""
        late = (now() - row.created).total_seconds() > GIVES_UP_S
        if row.kind != REMINDER or late:
            return True
        who = action.who
        return await self.books.permission.may(who.tenant, who.subject, Purpose.SUPPORT)


def now() -> datetime:
    """The clock of the books."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_records(settings: Settings) -> AsyncIterator[Records]:
    """Until the context ends, which waits for what is still to be written. Raises
    ConfigurationError, UnreachableError."""
    with open_books(settings) as books:
        allowed = ConsentedDecisions(books.decisions, books.permission)
        async with RecordWriter(allowed, Log(_log), SystemRandom()) as writer:
            yield Records(books, writer)


@contextmanager
def open_books(settings: Settings) -> Iterator[Books]:
    """Until the context ends. Raises ConfigurationError, UnreachableError."""
    key = hmac.digest(master_key(settings), b"embark: subjects forgotten by consent", "sha256")
    engine = open_record_engine(settings)
    try:
        consents = SqlConsents(engine, key)
        yield Books(
            engine,
            SqlDecisions(engine),
            consents,
            CachedConsents(consents),
            SqlAudit(engine, now),
            SqlHolds(engine),
        )
    finally:
        engine.dispose()


def open_record_engine(settings: Settings) -> Engine:
    """A file of its own, or the configured database. Raises UnreachableError."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = f"sqlite:///{settings.data_dir / 'decisions.sqlite'}"
    if settings.database.url is not None:
        url = settings.database.url.get_secret_value()
    engine = open_engine(url)
    try:
        for part in (decisions_sql, consent_sql, audit_sql):
            part.upgrade(engine)
        holds_sql.prepare(engine)
    except DBAPIError as failure:
        engine.dispose()
        raise UnreachableError(f"the database of decisions: {failure.orig}") from failure
    return engine
