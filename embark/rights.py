"""settings -> a person's rights over every store that this product has.

    in a server    also what its process remembers; it visits the ledger every few seconds
    offline        the stores alone; a server that runs forgets within a few seconds

A new place that keeps something of a person gets a `PersonalStore`, and stands in one list here.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from agent import ConversationError
from agent.acting import routing, words
from agent.conversations_sql import SqlConversations
from agent.conversations_sql import open_engine as open_conversations
from agent.conversations_sql import upgrade as upgrade_conversations
from agent.erasing import CheckpointsStore, ConversationsStore, SqlThreads, Threads, Unveil
from api import Acts, Identify, sessions_sql
from embark.acting import Hands
from embark.host_identity import HostIdentity
from embark.layers import UnreachableError
from embark.onboarding_keeping import TABLES, Kept, kept_by, open_kept, remembered_by
from embark.parts import database_url
from embark.policy_changes import note_policy
from embark.quota_parts import is_shared, open_shared
from embark.receipts_parts import make_journal, make_vault, open_journal_engine, open_ring
from embark.records import Books, open_books
from embark.settings import Settings
from embark.wiring import Product, checkpoints_file
from guardrails import claims
from guardrails.background import beside
from guardrails.rights import (
    ErasureUnfinishedError,
    PersonalStore,
    Remembered,
    Rights,
    RightsParts,
)
from guardrails.store import StoreUnavailableError
from retrieval import representation
from tools import credentials_sql, erasures, held_sql
from tools.erasing import Keys, journal_stores
from tools.erasures import SqlErasures
from tools.held_sql import SqlHeldValues
from tools.journal import JournalError
from tools.journal_sql import SqlJournal
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.rewriting import rewrite_files, rewrite_tables
from tools.vault_sql import CACHED_S, SqlVault

VISIT_S = 5.0
"""How often a server looks whom another process erased."""
CONVERSATIONS = (
    *("conversation", "message", "run_event", "decision", "decision_outcome"),
    *("consent", "consent_erasing", "audit"),
)
JOURNAL = (
    *("action", "compensation", "outbox", "standing_consent"),
    *("subject_key", "held_value", "user_credential"),
)
LATER = (
    ErasureUnfinishedError,
    JournalError,
    ConversationError,
    StoreUnavailableError,
    DBAPIError,
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Books:
    """The journal's database, however it was opened."""

    engine: Engine
    vault: SqlVault
    journal: SqlJournal
    ring: KeyRing
    held: Unveil
    kept: Books | None = None
    guided: Kept | None = None


class _Said(NamedTuple):
    """The database of conversations."""

    engine: Engine
    stored: SqlConversations


@asynccontextmanager
async def acts_of(settings: Settings, product: Product) -> AsyncIterator[Acts | None]:
    """What a server acts with, people's rights among it; it visits the ledger meanwhile."""
    hands, kept = product.hands, product.records.books if product.records else None
    if hands is None:
        yield None if kept is None else _kept(Acts(), kept)
        return
    if kept is not None:
        await note_policy(settings, kept)
    books = _Books(hands.engine, hands.vault, hands.journal, hands.ring, hands.acting.held.shown)
    alone = hands.engine.dialect.name == "sqlite"
    async with _conversations(settings) as said:
        memory = _remembered(product, SqlThreads(said.engine), hands)
        books = replace(books, kept=kept, guided=_guided(settings, product))
        rights = _rights(settings, books, said, memory, quiet_s=0.0 if alone else CACHED_S)
        async with beside({"erasures": lambda: _visit(rights, settings.tenant)}):
            yield _kept(hands.acts, kept, rights)


@asynccontextmanager
async def open_rights(settings: Settings) -> AsyncIterator[Rights]:
    """The stores alone, whether or not a server runs. Raises ConfigurationError, UnreachableError,
    JournalUnavailableError."""
    ring = open_ring(settings)
    engine = open_journal_engine(settings)
    for part in (credentials_sql, held_sql):
        part.prepare(engine)
    vault = make_vault(settings, engine)
    journal = make_journal(settings, engine, ring, vault)
    shown = SqlHeldValues(engine, vault).shown
    try:
        with (
            open_books(settings) as kept,
            _sessions(settings) as sessions,
            open_kept(settings) as guided,
        ):
            books = _Books(engine, vault, journal, ring, shown, kept, guided)
            async with _conversations(settings) as said:
                rights = _rights(settings, books, said, sessions, quiet_s=CACHED_S)
                await rights.visit(settings.tenant)
                yield rights
    finally:
        await journal.close()


@contextmanager
def _sessions(settings: Settings) -> Iterator[tuple[PersonalStore, ...]]:
    """Those of widget tokens, where several processes share them."""
    tokens = settings.identity.tokens if settings.identity is not None else None
    if tokens is None or not is_shared(settings, tokens.store):
        yield ()
        return
    engine = open_shared(settings)
    try:
        sessions_sql.prepare(engine)
        stored = sessions_sql.SqlSessions(engine)
        yield (Remembered("sessions", stored.close_all, stored.count),)
    finally:
        engine.dispose()


@asynccontextmanager
async def _conversations(settings: Settings) -> AsyncIterator[_Said]:
    try:
        engine = open_conversations(database_url(settings))
        upgrade_conversations(engine)
    except DBAPIError as failure:
        raise UnreachableError(f"the database of conversations: {failure.orig}") from failure
    stored = SqlConversations(engine)
    try:
        yield _Said(engine, stored)
    finally:
        await stored.close()


def _rights(
    settings: Settings,
    books: _Books,
    said: _Said,
    memory: Sequence[PersonalStore],
    quiet_s: float,
) -> Rights:
    erasures.prepare(books.engine)
    clock = partial(datetime.now, UTC)
    threads, waiting = SqlThreads(said.engine), checkpoints_file(settings)
    return Rights(
        RightsParts(
            key=Keys(books.engine, books.vault),
            memory=(*memory, CheckpointsStore(waiting, threads)),
            stores=(
                *journal_stores(books.engine, books.vault, books.journal),
                ConversationsStore(threads, said.stored, books.held),
                *(books.guided.personal if books.guided is not None else ()),
                *(books.kept.personal if books.kept is not None else ()),
            ),
            ledger=SqlErasures(books.engine, books.vault, JwsSealer(books.ring, clock), clock),
            clock=clock,
            rewrites=(
                partial(rewrite_tables, books.engine, JOURNAL),
                partial(rewrite_tables, said.engine, CONVERSATIONS),
                *_guided_rewrites(books.guided),
                partial(rewrite_files, settings.data_dir),
            ),
            quiet_s=quiet_s,
            held=books.kept.holds.holds if books.kept is not None else None,
            late=books.guided.made if books.guided is not None else (),
        )
    )


def _guided_rewrites(guided: Kept | None) -> tuple[Callable[[], Awaitable[None]], ...]:
    return () if guided is None else (partial(rewrite_tables, guided.database, TABLES),)


def _guided(settings: Settings, product: Product) -> Kept | None:
    return None if product.onboarding is None else kept_by(product.onboarding, settings)


def _kept(acts: Acts, kept: Books | None, rights: Rights | None = None) -> Acts:
    """With the books that HTTP shows."""
    if kept is None:
        return replace(acts, rights=rights)
    return replace(
        acts,
        rights=rights,
        decisions=kept.decisions,
        consents=kept.desk,
        audit=kept.audit,
        holds=kept.holds,
    )


def _remembered(product: Product, threads: Threads, hands: Hands) -> tuple[PersonalStore, ...]:
    """Runs end first: what they were about to write is erased after them."""
    copilot, records = product.copilot, product.records

    async def stop(tenant: str, subject: str) -> int:
        return await copilot.stop(tenant, await threads.of(tenant, subject))

    async def running(tenant: str, subject: str) -> int:
        return copilot.running(tenant, await threads.of(tenant, subject))

    async def settle(_tenant: str, _subject: str) -> int:
        """What waits to be recorded is in the record when that is erased."""
        if records is not None:
            await records.writer.settle()
        return 0

    return (
        *_sign_ins(hands.acts.identify),
        Remembered("runs", stop, running),
        Remembered("unrecorded", settle, _unknown),
        Remembered("heard", forget_heard, _unknown),
        *(remembered_by(product.onboarding) if product.onboarding is not None else ()),
    )


def _sign_ins(identify: Identify | None) -> tuple[PersonalStore, ...]:
    if not isinstance(identify, HostIdentity):
        return ()
    known = identify

    async def forget(tenant: str, subject: str) -> int:
        return known.forget(tenant, subject)

    async def count(tenant: str, subject: str) -> int:
        return known.known(tenant, subject)

    return (Remembered("sign-ins", forget, count),)


async def forget_heard(_tenant: str, _subject: str) -> int:
    """What was heard, of everybody: whose it is nobody knows, so none count. Beside our own words:
    patterns made of them, and the statements that every engine keeps with the values of their first
    use."""
    for cache in (words.stem, routing.match, claims.stem, representation.term_id):
        cache.cache_clear()
    re.purge()
    for engine in _engines():
        engine.clear_compiled_cache()
    return 0


def _engines() -> list[Engine]:
    """Every one of this process, by its type alone: `isinstance` also asks proxies what they stand
    for, and one whose object is gone raises."""
    return [each for each in gc.get_objects() if issubclass(type(each), Engine)]


async def _unknown(_tenant: str, _subject: str) -> int:
    """Of one person it cannot be told."""
    return 0


async def _visit(rights: Rights, tenant: str) -> None:
    """Until cancelled; a database that does not answer is visited again."""
    while True:
        try:
            await rights.visit(tenant)
        except LATER as failure:
            _log.warning("erasures.later", error=type(failure).__name__)
        await asyncio.sleep(VISIT_S)
