from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import qdrant_edge
from typing_extensions import override

import retrieval.edge
from guardrails import literal
from retrieval.edge import LOCK, EdgeIndex, ReadOnlyIndexError, copy_for_reading
from retrieval.index import Index, IndexLockedError, IndexUnavailableError
from retrieval.memory import HashEncoder
from retrieval.representation import dense_text, sparse_passage
from retrieval.types import Chunk, ChunkId, Labels
from tests.contracts.index import (
    DIMENSION,
    EVERYBODY,
    TAGS,
    IndexContract,
    corpus,
    dense,
    point,
    sparse,
)

NOW = TAGS("now")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has a place for it: the engine syncs every file it makes."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


class TestEdgeIndex(IndexContract):
    @pytest.fixture
    @override
    def index(self, tmp_path: Path) -> Iterator[Index]:
        index = EdgeIndex.open(tmp_path / "index", dimension=DIMENSION, tags=NOW, writable=True)
        yield index
        index.close()

    @override
    def blind(self, index: Index, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(retrieval.edge, "_filter", lambda required: qdrant_edge.Filter())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed index of three chunks."""
    path = tmp_path / "index"
    index = EdgeIndex.open(path, dimension=DIMENSION, tags=NOW, writable=True)
    index.upsert([point(1), point(2), point(3)])
    index.close()
    return path


def test_closed_and_reopened_for_reading(folder: Path) -> None:
    index = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=False)
    assert index.search(dense(1), sparse({}), EVERYBODY, 1).dense[0].id == point(1).id
    index.close()


def test_reading_refuses_to_write(folder: Path) -> None:
    index = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=False)
    with pytest.raises(ReadOnlyIndexError, match="opened for reading"):
        index.upsert([point(4)])
    with pytest.raises(ReadOnlyIndexError):
        index.delete([point(1).id])
    with pytest.raises(ReadOnlyIndexError):
        index.optimize()
    assert index.count() == 3
    index.close()


def test_optimizing_changes_no_answer(tmp_path: Path) -> None:
    index = EdgeIndex.open(tmp_path / "index", dimension=DIMENSION, tags=NOW, writable=True)
    index.upsert(corpus())
    query = (dense(1), sparse({100_000_007: 1.0}), EVERYBODY, 10)
    before = index.search(*query)
    index.optimize()
    after = index.search(*query)
    assert [h.id for h in after.dense] == [h.id for h in before.dense]
    index.close()


def test_the_folder_has_one_owner_and_the_refused_open_does_not_hurt_it(folder: Path) -> None:
    owner = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=True)
    for writable in (True, False):
        with pytest.raises(IndexLockedError, match=f"process {os.getpid()}"):
            EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=writable)
    owner.upsert([point(4)])
    owner.flush()
    owner.close()
    reopened = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=False)
    assert reopened.count() == 4
    reopened.close()


def test_another_process_is_told_who_holds_the_folder(folder: Path) -> None:
    owner = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=True)
    script = (
        "import sys; from pathlib import Path; from retrieval.edge import EdgeIndex\n"
        "from tests.contracts.index import TAGS; NOW = TAGS('now')\n"
        f"EdgeIndex.open(Path(sys.argv[1]), dimension={DIMENSION}, tags=NOW, writable=True)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert f"the index is held by process {os.getpid()}" in run.stderr
    owner.upsert([point(4)])
    owner.flush()
    owner.close()


def test_closing_twice_is_harmless_and_frees_the_folder(folder: Path) -> None:
    index = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=True)
    index.close()
    index.close()
    EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=True).close()


def test_a_closed_index_is_unavailable(folder: Path) -> None:
    index = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=True)
    index.close()
    with pytest.raises(IndexUnavailableError):
        index.search(dense(1), sparse({}), EVERYBODY, 1)


def test_written_and_killed_without_close_nothing_is_lost(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from retrieval.edge import EdgeIndex\n"
        "from tests.contracts.index import DIMENSION, TAGS, point\nNOW = TAGS('now')\n"
        "index = EdgeIndex.open(Path(sys.argv[1]), dimension=DIMENSION, tags=NOW, writable=True)\n"
        "index.upsert([point(n) for n in range(50)]); index.flush()\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "index")], check=False)
    index = EdgeIndex.open(tmp_path / "index", dimension=DIMENSION, tags=NOW, writable=False)
    assert index.count() == 50
    index.close()


def test_a_copy_of_a_held_folder_opens_and_diverges(folder: Path, tmp_path: Path) -> None:
    owner = EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=True)
    copy_for_reading(folder, tmp_path / "copy")
    copy = EdgeIndex.open(tmp_path / "copy", dimension=DIMENSION, tags=NOW, writable=True)
    copy.delete([point(1).id])
    assert (copy.count(), owner.count()) == (2, 3)
    owner.upsert([point(4)])
    owner.flush()
    copy.close()
    owner.close()


def test_copying_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailableError, match="could not be copied"):
        copy_for_reading(tmp_path / "nowhere", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_folders_are_private(folder: Path, tmp_path: Path) -> None:
    copy_for_reading(folder, tmp_path / "copy")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "copy" / LOCK).exists()


@pytest.mark.parametrize("missing", ["folder", "shard"])
def test_nothing_to_read(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "index"
    if missing == "shard":
        path.mkdir()
    with pytest.raises(IndexUnavailableError, match="embark index run"):
        EdgeIndex.open(path, dimension=DIMENSION, tags=NOW, writable=False)


def test_an_index_of_another_dimension(folder: Path) -> None:
    with pytest.raises(IndexUnavailableError, match="expected vector size 17, but got 16"):
        EdgeIndex.open(folder, dimension=DIMENSION + 1, tags=NOW, writable=True)
    EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=True).close()


@pytest.mark.parametrize(
    "pattern", ["edge_config.json", "segments/*/segment.json", "segments/*/*/deleted/status.dat"]
)
def test_a_damaged_folder_is_unavailable_and_not_left_locked(folder: Path, pattern: str) -> None:
    for file in folder.glob(pattern):
        os.truncate(file, file.stat().st_size // 2)
    for _ in range(2):
        with pytest.raises(IndexUnavailableError, match="embark index run --full"):
            EdgeIndex.open(folder, dimension=DIMENSION, tags=NOW, writable=False)


def test_no_text_of_a_chunk_lies_in_the_folder(tmp_path: Path) -> None:
    chunk = Chunk(
        id=ChunkId("guides/invite#0"),
        doc_id="guides/invite",
        path="guides/invite.md",
        source="docs",
        title="Zirconium title",
        heading_path=("Malachite heading",),
        anchor="malachite",
        ordinal=0,
        text=literal("The obsidian passphrase opens the vermilion drawer."),
        labels=Labels("acme", plan=("pro",)),
        doc_version="2026-01-31",
        content_hash="0f1e2d",
    )
    stored = point(
        1,
        chunk.labels,
        id=chunk.id,
        path=chunk.path,
        content_hash=chunk.content_hash,
        sparse=sparse_passage(chunk),
        dense=HashEncoder(DIMENSION).encode_passages([dense_text(chunk)])[0],
    )
    index = EdgeIndex.open(tmp_path / "index", dimension=DIMENSION, tags=NOW, writable=True)
    index.upsert([stored])
    index.flush()
    index.close()
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert chunk.path.encode() in written  # the probe sees what is there
    for word in f"{chunk.title} {chunk.heading_path} {chunk.text}".split():
        canary = word.strip("()',.")
        assert len(canary) < 6 or canary.encode() not in written
