"""settings -> the sweeper that lets things go when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from agent.aging import AgingConversations, AgingRunEvents
from agent.conversations_sql import open_engine as open_conversations
from agent.conversations_sql import upgrade as upgrade_conversations
from agent.erasing import CheckpointsStore, SqlThreads
from api import sessions_sql
from api.aging import AgingSessions
from embark.layers import UnreachableError
from embark.onboarding_keeping import open_kept
from embark.parts import database_url
from embark.periods import periods_of
from embark.quota_parts import is_shared, open_shared
from embark.receipts_parts import open_journal_engine
from embark.records import Books, now
from embark.settings import Settings
from embark.wiring import Product, checkpoints_file
from guardrails.audit import new_request_id
from guardrails.audit.aging import AgingAudit
from guardrails.background import beside
from guardrails.decisions import Kind
from guardrails.decisions.aging import AgingDecisions
from guardrails.retention import Aging, Kept, Sweeper
from guardrails.store import StoreUnavailableError
from tools import held_sql
from tools.aging import AgingDetails, AgingHeld, AgingOutbox
from tools.journal import JournalUnavailableError
from tools.rewriting import cut_logs

FIRST_S, EVERY_S = 60.0, 3600.0
"""When a server sweeps: soon after its start, then every hour."""
SERVER = "embark"
"""Who sweeps, as the audit log names a server's own upkeep."""
_LATER = (StoreUnavailableError, JournalUnavailableError, UnreachableError, DBAPIError)
_log = structlog.get_logger(__name__)


@contextmanager
def open_sweeper(settings: Settings, books: Books) -> Iterator[Sweeper]:
    """Over every store of this product, each through an engine of its own, until the context ends.
    Raises ConfigurationError, UnreachableError, JournalUnavailableError."""
    days = periods_of(settings)
    with ExitStack() as closing:
        kept = [Kept(each, days[_period(each.name)]) for each in _agings(settings, books, closing)]
        after = partial(cut_logs, settings.data_dir)
        yield Sweeper(settings.tenant, kept, books.holds, books.audit, now, after)


@asynccontextmanager
async def letting_go(settings: Settings, product: Product) -> AsyncIterator[None]:
    """Sweeps beside the block, now and then. Raises as `open_sweeper`."""
    if product.records is None:
        yield
        return
    with open_sweeper(settings, product.records.books) as sweeper:
        async with beside({"retention": lambda: _every(sweeper)}):
            yield


async def _every(sweeper: Sweeper) -> None:
    """Until cancelled; a database that does not answer is swept later."""
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            gone = await sweeper.run(SERVER, "embark serve", new_request_id())
            if any(gone.values()):
                _log.info("retention.swept", gone=gone)
        except _LATER as failure:
            _log.warning("retention.later", error=type(failure).__name__)
        await asyncio.sleep(EVERY_S)


def _period(name: str) -> str:
    """Notices of the outbox go with the details that they are about."""
    return "journal_details" if name == AgingOutbox.name else name


def _agings(settings: Settings, books: Books, closing: ExitStack) -> Iterator[Aging]:
    said = _conversations(settings, closing)
    waiting = CheckpointsStore(checkpoints_file(settings), SqlThreads(said))
    talks = AgingConversations(said, waiting)
    yield AgingRunEvents(said)
    if _has_journal(settings):
        journal = open_journal_engine(settings)
        closing.callback(journal.dispose)
        held_sql.prepare(journal)
        yield AgingHeld(journal, talks.active)
        yield AgingDetails(journal)
        yield AgingOutbox(journal)
    yield talks
    tokens = settings.identity.tokens if settings.identity is not None else None
    if tokens is not None and is_shared(settings, tokens.store):
        sessions = open_shared(settings)
        closing.callback(sessions.dispose)
        sessions_sql.prepare(sessions)
        yield AgingSessions(sessions)
    for kind in Kind:
        yield AgingDecisions(books.decisions, kind)
    yield AgingAudit(books.audit)
    guided = closing.enter_context(open_kept(settings))
    if guided is not None:
        yield from guided.agings()


def _conversations(settings: Settings, closing: ExitStack) -> Engine:
    try:
        engine = open_conversations(database_url(settings))
        upgrade_conversations(engine)
    except DBAPIError as failure:
        raise UnreachableError(f"the database of conversations: {failure.orig}") from failure
    closing.callback(engine.dispose)
    return engine


def _has_journal(settings: Settings) -> bool:
    """An installation that does nothing has none, and gets none for this."""
    chosen = settings.actions
    file = settings.data_dir / "journal.sqlite"
    return chosen.tools is not None or chosen.url is not None or file.exists()
