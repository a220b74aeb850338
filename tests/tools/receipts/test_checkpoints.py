"""Checkpoints: stored alike, made in time, checked before they are built on, and told outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect

from tests.contracts.receipts import CheckpointStoreContract
from tests.postgres import own_schema
from tests.tools.receipts.chains import NOON, Signed, open_ring
from tools.journal import JournalUnavailableError, Receipt
from tools.receipts.checkpoints import (
    Checkpointer,
    CheckpointError,
    CheckpointStore,
    MemoryCheckpoints,
    Pace,
    StoredCheckpoint,
)
from tools.receipts.checkpoints_sql import SqlCheckpoints, upgrade
from tools.receipts.export import export, to_folder
from tools.receipts.keys import KeyRing
from tools.receipts.tables import VERSION_TABLE, metadata
from tools.receipts.verify import Depth, Outside, notes, verify_file
from tools.receipts.verify.merkle import Frontier, leaf_hash
from tools.store.engine import open_engine

MINUTE = timedelta(seconds=60)


class TestMemoryCheckpoints(CheckpointStoreContract):
    @pytest.fixture
    def store(self) -> CheckpointStore:
        return MemoryCheckpoints()


class TestSqliteCheckpoints(CheckpointStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[CheckpointStore]:
        engine = create_engine(f"sqlite:///{tmp_path}/journal.db")
        upgrade(engine)
        yield SqlCheckpoints(engine)
        engine.dispose()


class TestPostgresCheckpoints(CheckpointStoreContract):
    @pytest.fixture
    def store(self) -> Iterator[CheckpointStore]:
        """In a schema of this test's own."""
        with own_schema() as place:
            engine = open_engine(place.url, place.schema)
            upgrade(engine)
            yield SqlCheckpoints(engine)
            engine.dispose()


def test_the_revisions_make_the_table_that_the_code_knows(tmp_path: Path) -> None:
    engine: Engine = create_engine(f"sqlite:///{tmp_path}/journal.db")
    upgrade(engine)
    upgrade(engine)
    made = inspect(engine)
    assert set(made.get_table_names()) == {*metadata.tables, VERSION_TABLE}
    for name, table in metadata.tables.items():
        columns = {column["name"]: column["nullable"] for column in made.get_columns(name)}
        assert columns == {column.name: column.nullable for column in table.columns}
    engine.dispose()


async def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/no/such/folder.db")
    with pytest.raises(JournalUnavailableError, match="checkpoints"):
        await SqlCheckpoints(engine).newest("acme")


class Receipts:
    """A tenant's receipts as a journal keeps them; `at` is when the next ones are written."""

    def __init__(self, ring: KeyRing) -> None:
        self.chain = Signed("acme", ring)
        self.at = NOON
        self.rows: list[Receipt] = []

    def write(self, count: int) -> None:
        for _ in range(count):
            prev = self.chain.prev
            jws = self.chain.receipt()
            self.rows.append(Receipt("acme", self.chain.seq, "a", prev, jws, self.at))

    async def receipts(
        self, tenant: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[Receipt, ...]:
        own = (row for row in self.rows if row.tenant == tenant and row.seq > after)
        return tuple(own)[:limit]


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return open_ring(tmp_path / "keys")


@pytest.fixture
def written(ring: KeyRing) -> Receipts:
    return Receipts(ring)


@pytest.fixture
async def store() -> AsyncIterator[MemoryCheckpoints]:
    yield MemoryCheckpoints()


def maker(written: Receipts, store: CheckpointStore, ring: KeyRing, *tell: object) -> Checkpointer:
    return Checkpointer(written, store, ring, tell, Pace(8, 60.0))  # type: ignore[arg-type]


async def test_one_is_made_every_so_many_receipts(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing
) -> None:
    written.write(20)
    assert await maker(written, store, ring).visit("acme", NOON) == 2
    assert [row.size for row in await store.of("acme")] == [8, 16]


async def test_one_is_made_a_minute_after_a_receipt_and_none_without_traffic(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing
) -> None:
    making = maker(written, store, ring)
    written.write(3)
    assert await making.visit("acme", NOON + MINUTE * 0.9) == 0
    assert await making.visit("acme", NOON + MINUTE) == 1
    assert await making.visit("acme", NOON + 5 * MINUTE) == 0
    assert [row.size for row in await store.of("acme")] == [3]


async def test_its_root_is_that_of_the_tree_from_the_start(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing
) -> None:
    """By the recursive definition of RFC 6962, section 2.1, over restarts."""
    for _ in range(5):
        written.write(7)
        await maker(written, store, ring).visit("acme", NOON + MINUTE)
    leaves = [leaf_hash(row.jws.encode()) for row in written.rows]
    keys = {kid: key.raw for kid, key in ring.keys().items()}
    for row in await store.of("acme"):
        assert notes.read(row.note, keys).root == tree_hash(leaves[: row.size])
    assert Frontier().root() == tree_hash([])


def tree_hash(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


async def test_a_journal_that_was_cut_is_not_signed_over(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing
) -> None:
    written.write(8)
    making = maker(written, store, ring)
    await making.visit("acme", NOON)
    written.rows = written.rows[:5]
    with pytest.raises(CheckpointError, match="holds fewer"):
        await making.visit("acme", NOON)


async def test_a_chain_that_does_not_follow_is_not_signed(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing
) -> None:
    written.write(8)
    making = maker(written, store, ring)
    await making.visit("acme", NOON)
    written.write(8)
    written.rows[8] = replace(written.rows[8], prev="elsewhere")
    with pytest.raises(CheckpointError, match="does not follow 8"):
        await making.visit("acme", NOON)
    assert len(await store.of("acme")) == 1


async def test_two_servers_make_each_once(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing
) -> None:
    written.write(40)
    makers = [maker(written, store, ring) for _ in range(2)]
    made = await asyncio.gather(*(making.visit("acme", NOON) for making in makers))
    assert sum(made) == 5
    assert [row.size for row in await store.of("acme")] == [8, 16, 24, 32, 40]


@pytest.mark.parametrize("changed", ["edge", "note"])
async def test_a_stored_checkpoint_that_was_changed_is_not_built_on(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing, changed: str
) -> None:
    written.write(8)
    making = maker(written, store, ring)
    await making.visit("acme", NOON)
    (row,) = await store.of("acme")
    broken = {"edge": (b"\x00" * 32,), "note": row.note.replace("\n8\n", "\n9\n")}[changed]
    await store.told(replace(row, **{changed: broken}))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="stored"):
        await making.visit("acme", NOON)


async def test_telling_goes_on_where_it_failed(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing
) -> None:
    told: list[int] = []

    async def tell(checkpoint: StoredCheckpoint) -> None:
        if checkpoint.size == 16 and told.count(8) == 1 and 16 not in told and not retry:
            raise ConnectionError
        told.append(checkpoint.size)

    retry = False
    written.write(24)
    making = maker(written, store, ring, tell)
    with pytest.raises(ConnectionError):
        await making.visit("acme", NOON)
    retry = True
    await making.visit("acme", NOON)
    await making.visit("acme", NOON)
    assert told == [8, 16, 24]


async def test_an_export_verifies_and_the_notes_told_outside_find_a_cut(
    written: Receipts, store: MemoryCheckpoints, ring: KeyRing, tmp_path: Path
) -> None:
    written.write(20)
    written.at = NOON - MINUTE
    making = maker(written, store, ring, to_folder(tmp_path / "outside"))
    await making.visit("acme", NOON + MINUTE)
    file = tmp_path / "receipts.jsonl"
    lines = [line async for line in export(written, store, "acme")]
    file.write_text("".join(lines), encoding="utf-8")
    kept = sorted((tmp_path / "outside").rglob("*.note"))
    assert [note.name for note in kept] == [f"{size:012}.note" for size in (8, 16, 20)]
    outside = Outside(tuple(note.read_text(encoding="utf-8") for note in kept))
    jwks = json.dumps(ring.jwks())
    whole = verify_file(file, jwks, outside)
    assert (whole.ok, whole.receipts, whole.checkpoints, whole.signatures) == (True, 20, 3, 0)
    every = verify_file(file, jwks, outside, Depth.EVERY_SIGNATURE)
    assert (every.ok, every.signatures) == (True, 20)
    file.write_text("".join(lines[:-4]), encoding="utf-8")
    assert verify_file(file, jwks).ok  # nobody can know without a copy from outside
    cut = verify_file(file, jwks, outside)
    assert [failure.failed for failure in cut.failures] == ["cut_tail"]


def test_a_note_has_the_form_of_the_c2sp_specification(ring: KeyRing) -> None:
    chain = Signed("acme corp/eu", ring)
    chain.receipt()
    body, signature = chain.note().split("\n\n")
    origin, size, root = body.split("\n")
    assert (origin, size) == ("embark/receipts/acme%20corp%2Feu", "1")
    assert len(root) == 44
    assert signature.startswith(f"— {origin} ")
    assert signature.endswith("\n")
