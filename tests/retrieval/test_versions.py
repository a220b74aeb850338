"""Version folders: the archive's suite, private copies, damage, and what a crash leaves."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread

import portalocker
import pytest
from structlog.testing import capture_logs

from retrieval.folder_archive import FolderArchive
from retrieval.folders import Folders
from retrieval.index import IndexUnavailableError
from retrieval.library import Library
from retrieval.sparse_files import copy_file, disk_usage
from retrieval.versions import EmbeddedLibrary
from tests.contracts.archive import LATER, ONE, THREE, TWO, ArchiveContract, read
from tests.contracts.index import TAGS
from tests.retrieval.building import folder_in_memory, publish


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "index"


@pytest.fixture
def archive(root: Path) -> FolderArchive:
    return FolderArchive(root, TAGS)


@pytest.fixture
def open_library(root: Path) -> Iterator[Callable[[], Library]]:
    with ExitStack() as closing:

        def opened() -> Library:
            library = EmbeddedLibrary(root, TAGS)
            closing.callback(library.close)
            return library

        yield opened


class TestFolderArchive(ArchiveContract):
    """The suite, on folders."""


def test_a_second_reader_works_on_a_private_copy_and_removes_it(
    root: Path, archive: FolderArchive
) -> None:
    version = publish(archive, TWO)
    owner, other = EmbeddedLibrary(root, TAGS), EmbeddedLibrary(root, TAGS)
    assert read(owner) == read(other) == (version, 2, 2)
    assert len(list((root / "private").iterdir())) == 1
    assert [holder.version for holder in archive.status().holders] == [version, version]
    other.close()
    assert list((root / "private").iterdir()) == []
    owner.close()
    assert archive.status().holders == []


def test_reading_changes_no_byte_of_the_text(root: Path, archive: FolderArchive) -> None:
    version = publish(archive, TWO)
    before = (root / version / "chunks.sqlite").read_bytes()
    library = EmbeddedLibrary(root, TAGS)
    read(library)
    library.close()
    assert (root / version / "chunks.sqlite").read_bytes() == before
    assert sorted(path.name for path in (root / version).iterdir()) == [
        "chunks.sqlite",
        "manifest.json",
        "shard",
    ]


def _hold(root: Path, told: Connection) -> None:
    library = EmbeddedLibrary(root, TAGS)
    with library.lease() as snapshot:
        told.send(snapshot.version)
        told.recv()


def test_what_a_killed_reader_held_is_freed(root: Path, archive: FolderArchive) -> None:
    first = publish(archive, ONE)
    keeper = EmbeddedLibrary(root, TAGS)
    read(keeper)  # so that the other process needs a private copy
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(root, there))
    process.start()
    assert here.recv() == first
    assert process.pid in {holder.pid for holder in archive.status().holders}
    process.kill()
    process.join()
    keeper.close()
    assert archive.status().holders == []
    assert list((root / "private").iterdir()) == []
    for minute in (1, 2):
        publish(archive, TWO, minute=minute)
    with archive.writing():
        assert archive.gc(1, LATER).removed == (first,)


@pytest.mark.parametrize("file", ["chunks.sqlite", "manifest.json", "shard/edge_config.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_new_version_is_refused_and_the_old_stays(
    root: Path, archive: FolderArchive, file: str, damage: str
) -> None:
    first = publish(archive, ONE)
    library = EmbeddedLibrary(root, TAGS)
    read(library)
    second = publish(archive, TWO, minute=1)
    path = root / second / file
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert read(library) == (first, 1, 1)
    third = publish(archive, THREE, minute=2)
    assert read(library) == (third, 3, 3)
    library.close()


def test_a_refused_version_is_tried_again_after_a_while(root: Path, archive: FolderArchive) -> None:
    time_s = 0.0
    library = EmbeddedLibrary(root, TAGS, retry_after_s=30, clock=lambda: time_s)
    first = publish(archive, ONE)
    read(library)
    second = publish(archive, TWO, minute=1)
    hidden = root / second / "hidden"
    (root / second / "manifest.json").rename(hidden)
    assert read(library)[0] == first
    hidden.rename(root / second / "manifest.json")
    assert read(library)[0] == first
    time_s = 31.0
    assert read(library)[0] == second
    library.close()


def test_a_damaged_only_version_says_how_to_mend_it(root: Path, archive: FolderArchive) -> None:
    version = publish(archive, ONE)
    (root / version / "manifest.json").write_text("{}")
    with pytest.raises(IndexUnavailableError, match="embark index"):
        read(EmbeddedLibrary(root, TAGS))


def test_a_damaged_pointer_is_mended_by_a_rollback(root: Path, archive: FolderArchive) -> None:
    version = publish(archive, ONE)
    (root / "current").write_text("../../etc\n")
    with pytest.raises(IndexUnavailableError, match="rollback --to"):
        read(EmbeddedLibrary(root, TAGS))
    with archive.writing():
        archive.rollback(version, LATER)
    library = EmbeddedLibrary(root, TAGS)
    assert read(library)[0] == version
    library.close()


def test_rollback_leaves_a_version_whose_manifest_is_damaged(
    root: Path, archive: FolderArchive
) -> None:
    first = publish(archive, ONE)
    second = publish(archive, TWO, minute=1)
    (root / second / "manifest.json").write_text("not JSON")
    with archive.writing():
        assert archive.rollback(None, LATER) == first


def test_a_crash_between_the_pointer_and_the_catalog_is_mended(
    root: Path, archive: FolderArchive
) -> None:
    first = publish(archive, ONE)
    second = publish(archive, TWO, minute=1)
    Folders(root).point_to(first)  # a swap of which the catalog knows nothing
    with archive.writing():
        pass
    assert archive.current() == first
    assert second in {record.name for record in archive.status().records}


def test_versions_survive_the_loss_of_the_catalog(root: Path, archive: FolderArchive) -> None:
    publish(archive, ONE)
    second = publish(archive, TWO, minute=1)
    (root / "manifest.sqlite").unlink()
    third = publish(archive, THREE, minute=2)
    library = EmbeddedLibrary(root, TAGS)
    assert read(library) == (third, 3, 3)
    with archive.writing():
        assert archive.rollback(None, LATER) == second
    library.close()


def test_a_copy_keeps_bytes_and_holes(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as opened:
        opened.write(b"start")
        opened.seek(8 << 20)
        opened.write(b"middle")
        opened.truncate(16 << 20)
    copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert disk_usage(tmp_path) < 4 << 20
    shutil.copyfile(tmp_path / "source", tmp_path / "plain")
    (tmp_path / "empty").touch()
    copy_file(tmp_path / "empty", target)
    assert target.read_bytes() == b""


def test_a_reader_that_cannot_mark_its_version_says_why(root: Path, archive: FolderArchive) -> None:
    first = publish(archive, ONE)
    library = EmbeddedLibrary(root, TAGS)
    read(library)
    publish(archive, TWO, minute=1)
    shutil.move(root / "holders", root / "elsewhere")
    (root / "holders").touch()  # stands for a full disk or a folder without rights
    with capture_logs() as logs:
        assert read(library)[0] == first
    assert "cannot be marked as in use" in logs[-1]["reason"]
    (root / "holders").unlink()
    shutil.move(root / "elsewhere", root / "holders")
    library.close()


def test_what_is_written_is_for_the_owner_alone(root: Path, archive: FolderArchive) -> None:
    version = publish(archive, ONE)
    assert root.stat().st_mode & 0o077 == 0
    assert (root / version).stat().st_mode & 0o077 == 0


def test_looking_at_the_writers_lock_stops_no_writer(
    root: Path, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking takes the lock for a moment; a writer waits for that moment instead of giving up."""
    publish(archive, ONE)
    looking, seen_enough = Event(), Event()
    wrote: list[bool] = []

    def stare(lock: Path) -> None:
        with lock.open("r+") as opened:
            portalocker.lock(opened, portalocker.LockFlags.EXCLUSIVE)
            looking.set()
            assert seen_enough.wait(10)

    def write() -> None:
        with Folders(root).writing():
            wrote.append(True)

    monkeypatch.setattr("retrieval.folders._holder_of", stare)
    onlooker, writer = Thread(target=Folders(root).writer), Thread(target=write)
    onlooker.start()
    assert looking.wait(10)
    writer.start()
    writer.join(0.2)
    seen_enough.set()
    onlooker.join()
    writer.join()
    assert wrote == [True]
