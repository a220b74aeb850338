"""The journals that the loop runs on, opened alike by every process of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from tests.e2e.killing.failpoints import Failpoints
from tests.postgres import own_schema
from tools.journal import Receipt
from tools.journal_sql import SqlJournal
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.receipts.verify import Depth, verify_file
from tools.receipts.verify.lines import write
from tools.slots import FileSlots, PostgresSlots, Slots
from tools.store.engine import open_engine, upgrade
from tools.store.ledger import steady_clock
from tools.vault_sql import SqlVault

MASTER = bytes(range(32))


def wall() -> datetime:
    return datetime.now(UTC)


def engine_of(journal: str) -> Engine:
    """`journal` is a URL; after `#` the schema, on PostgreSQL."""
    url, _, schema = journal.partition("#")
    return open_engine(url, schema or None)


@contextmanager
def journal_urls(name: str, folder: Path) -> Iterator[str]:
    """A fresh journal of this kind; gone afterwards."""
    if name == "sqlite":
        yield f"sqlite:///{folder / 'journal.sqlite'}"
        return
    with own_schema() as (url, schema):
        yield f"{url}#{schema}"


def prepare_journal(journal: str, folder: Path) -> None:
    engine = engine_of(journal)
    upgrade(engine, journal.partition("#")[2] or None)
    engine.dispose()
    KeyRing.open(folder / "keys", wall())


def open_journal(journal: str, folder: Path, failpoints: Failpoints) -> SqlJournal:
    engine = engine_of(journal)
    failpoints.within(engine)
    sealer = JwsSealer(KeyRing(folder / "keys"), wall)
    clock = steady_clock(wall(), time.monotonic) if engine.dialect.name == "sqlite" else None
    return SqlJournal(engine, SqlVault(engine, MASTER), sealer, clock=clock)


def open_slots(journal: str, folder: Path) -> Slots:
    if journal.startswith("sqlite"):
        return FileSlots(folder / "slots")
    return PostgresSlots(engine_of(journal))


def broken_chain(receipts: Sequence[Receipt], folder: Path) -> str:
    """What the offline verifier says of all receipts, every signature; empty when nothing."""
    export = folder / "receipts.jsonl"
    with export.open("w") as file:
        file.writelines(write("receipt", receipt.jws) for receipt in receipts)
    jwks = json.dumps(KeyRing(folder / "keys").jwks())
    report = verify_file(export, jwks, depth=Depth.EVERY_SIGNATURE)
    return "; ".join(str(failure) for failure in report.failures[:5])
