"""settings -> key ring, journal, checkpoints: what receipts are made of, opened here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from embark.keys import keys_folder, master_key
from embark.layers import ConfigurationError
from embark.settings import Settings
from tools.journal import JournalUnavailableError
from tools.journal_sql import SqlJournal
from tools.receipts import checkpoints_sql
from tools.receipts.checkpoints import CheckpointStore
from tools.receipts.checkpoints_sql import SqlCheckpoints
from tools.receipts.keys import KeyRing, KeyRingError
from tools.receipts.sealing import JwsSealer
from tools.store.engine import open_engine, upgrade
from tools.store.ledger import steady_clock
from tools.vault_sql import SqlVault


@dataclass(frozen=True, slots=True)
class Receipts:
    """A tenant's receipts with what they are verified by."""

    journal: SqlJournal
    checkpoints: CheckpointStore
    ring: KeyRing


@asynccontextmanager
async def open_receipts(settings: Settings) -> AsyncIterator[Receipts]:
    """Until the context ends. Raises ConfigurationError, JournalUnavailableError."""
    ring = open_ring(settings)
    engine = open_journal_engine(settings)
    journal = make_journal(settings, engine, ring)
    try:
        yield Receipts(journal, SqlCheckpoints(engine), ring)
    finally:
        await journal.close()


def open_ring(settings: Settings) -> KeyRing:
    """The keys that sign receipts; made in the data folder at the first use."""
    try:
        return KeyRing.open(keys_folder(settings) / "receipts", datetime.now(UTC))
    except KeyRingError as failure:
        raise ConfigurationError([str(failure)]) from failure


def open_journal_engine(settings: Settings) -> Engine:
    """The journal's database with its tables: a file of its own unless `actions.url` names one."""
    url = settings.actions.url
    if url is None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    address = f"sqlite:///{settings.data_dir / 'journal.sqlite'}"
    engine = open_engine(address if url is None else url.get_secret_value())
    try:
        upgrade(engine)
        checkpoints_sql.upgrade(engine)
    except DBAPIError as failure:
        engine.dispose()
        raise JournalUnavailableError(f"the journal does not answer: {failure.orig}") from failure
    return engine


def make_journal(
    settings: Settings, engine: Engine, ring: KeyRing, vault: SqlVault | None = None
) -> SqlJournal:
    """The journal over this engine; its vault keeps subjects' keys in the same database."""
    clock = steady_clock(datetime.now(UTC), time.monotonic)
    served = engine.dialect.name == "postgresql"
    vault = vault or make_vault(settings, engine)
    return SqlJournal(engine, vault, JwsSealer(ring, clock), clock=None if served else clock)


def make_vault(settings: Settings, engine: Engine) -> SqlVault:
    """Keys of subjects, wrapped by the key file. Raises ConfigurationError."""
    return SqlVault(engine, master_key(settings))


@contextmanager
def open_vault(settings: Settings) -> Iterator[SqlVault]:
    """Where nothing is acted on, people's keys lie there all the same. Raises ConfigurationError,
    JournalUnavailableError."""
    engine = open_journal_engine(settings)
    try:
        yield make_vault(settings, engine)
    finally:
        engine.dispose()
