"""The rules of a hot switch, on a shelf that a test can make slow, broken or unreachable."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from retrieval.chunk_tables import write_file
from retrieval.collections import ServerLibrary
from retrieval.index import IndexUnavailableError, NoIndexError
from retrieval.leases import LeasedLibrary, Opened
from retrieval.library import Snapshot
from retrieval.memory import MemoryIndex
from retrieval.server import connect
from retrieval.store import SqlChunkStore
from tests.contracts.index import TAGS


class HandMadeShelf:
    """Versions by name; `open_now` and `released` tell what the library did."""

    def __init__(self, folder: Path) -> None:
        self.name: str | None = None
        self.reachable = True
        self.broken: set[str] = set()
        self.may_open = Event()
        self.may_open.set()
        self.opening = Event()
        self.opened: list[str] = []
        self.released: list[str] = []
        self._engine = write_file(folder / "chunks.sqlite")

    def stamp(self) -> Hashable | None:
        if not self.reachable:
            raise IndexUnavailableError("the server is away")
        return self.name

    def current(self) -> str:
        if self.name is None:
            raise NoIndexError("nothing")
        return self.name

    def open(self, version: str) -> Opened:
        self.opening.set()
        assert self.may_open.wait(10)
        if version in self.broken:
            raise IndexUnavailableError(f"{version} is damaged")
        self.opened.append(version)
        store = SqlChunkStore(self._engine, version)
        snapshot = Snapshot(version, MemoryIndex(4), store)
        return Opened(snapshot, lambda: self.released.append(version))


@pytest.fixture
def shelf(tmp_path: Path) -> HandMadeShelf:
    return HandMadeShelf(tmp_path)


def version_of(library: LeasedLibrary) -> str:
    with library.lease() as snapshot:
        return snapshot.version


def test_a_version_is_opened_once_and_closed_with_its_last_lease(shelf: HandMadeShelf) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    with library.lease(), library.lease():
        shelf.name = "b"
        assert version_of(library) == "b"
        assert shelf.released == []
    assert shelf.released == ["a"]
    shelf.name = "c"
    assert version_of(library) == "c"
    assert shelf.released == ["a", "b"]  # idle: closed at the switch
    library.close()
    assert shelf.released == ["a", "b", "c"]
    assert shelf.opened == ["a", "b", "c"]


def test_the_others_go_on_with_the_old_version_while_one_opens_the_new(
    shelf: HandMadeShelf,
) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    version_of(library)
    shelf.name = "b"
    shelf.may_open.clear()
    shelf.opening.clear()
    found: list[str] = []
    opener = Thread(target=lambda: found.append(version_of(library)))
    opener.start()
    assert shelf.opening.wait(10)
    assert [version_of(library) for _ in range(3)] == ["a", "a", "a"]
    shelf.may_open.set()
    opener.join()
    assert found == ["b"]
    assert version_of(library) == "b"


def test_a_first_opening_is_waited_for(shelf: HandMadeShelf) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    shelf.may_open.clear()
    found: list[str] = []
    readers = [Thread(target=lambda: found.append(version_of(library))) for _ in range(8)]
    for reader in readers:
        reader.start()
    assert shelf.opening.wait(10)
    shelf.may_open.set()
    for reader in readers:
        reader.join()
    assert found == ["a"] * 8
    assert shelf.opened == ["a"]


def test_going_back_to_a_version_that_is_still_leased_does_not_open_it_twice(
    shelf: HandMadeShelf,
) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    with library.lease():
        shelf.name = "b"
        version_of(library)
        shelf.name = "a"
        assert version_of(library) == "a"
    assert version_of(library) == "a"
    assert shelf.opened == ["a", "b"]
    assert shelf.released == ["b"]
    library.close()
    assert shelf.released == ["b", "a"]


def test_an_unreachable_store_keeps_what_is_open(shelf: HandMadeShelf) -> None:
    library = LeasedLibrary(shelf)
    shelf.reachable = False
    with pytest.raises(IndexUnavailableError, match="away"):
        version_of(library)
    shelf.name, shelf.reachable = "a", True
    assert version_of(library) == "a"
    shelf.name, shelf.reachable = "b", False
    assert version_of(library) == "a"
    shelf.reachable = True
    assert version_of(library) == "b"


def test_a_refused_version_is_logged_once_and_left_alone(shelf: HandMadeShelf) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    version_of(library)
    shelf.name, shelf.broken = "b", {"b"}
    with capture_logs() as logs:
        assert [version_of(library) for _ in range(5)] == ["a"] * 5
    refused = [entry for entry in logs if entry["event"] == "index.version_refused"]
    assert [(entry["log_level"], entry["serving"]) for entry in refused] == [("error", "a")]
    shelf.name = "c"
    assert version_of(library) == "c"


def test_a_version_replaced_while_it_was_opened_is_not_held_against_the_new_one(
    shelf: HandMadeShelf,
) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    version_of(library)
    shelf.name, shelf.broken = "b", {"b"}
    shelf.may_open.clear()
    shelf.opening.clear()
    found: list[str] = []
    opener = Thread(target=lambda: found.append(version_of(library)))
    opener.start()
    assert shelf.opening.wait(10)
    shelf.name = "c"
    shelf.may_open.set()
    opener.join()
    assert found == ["c"]


def test_a_closed_library_says_so_and_lets_leases_end(shelf: HandMadeShelf) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    with library.lease():
        library.close()
        assert shelf.released == []
        with pytest.raises(IndexUnavailableError, match="closed"):
            version_of(library)
    assert shelf.released == ["a"]


def test_a_lease_ends_with_an_error_too(shelf: HandMadeShelf) -> None:
    library = LeasedLibrary(shelf)
    shelf.name = "a"
    with pytest.raises(ZeroDivisionError), library.lease():
        raise ZeroDivisionError
    library.close()
    assert shelf.released == ["a"]


def test_a_server_that_is_down_is_unavailable(tmp_path: Path) -> None:
    engine = write_file(tmp_path / "main.sqlite")
    client = connect("http://127.0.0.1:9", timeout_s=1)
    with pytest.raises(IndexUnavailableError, match="did not answer"):
        version_of(ServerLibrary(client, engine, TAGS))
    client.close()
    engine.dispose()
