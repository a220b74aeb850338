"""Collections of a Qdrant server: the archive's suite on the client's local mode."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from sqlalchemy import Engine, create_engine

from retrieval.collections import CollectionArchive, ServerLibrary
from retrieval.index import IndexLockedError, IndexUnavailableError
from retrieval.library import Library
from tests.contracts.archive import LATER, ONE, TWO, ArchiveContract, read
from tests.contracts.index import TAGS
from tests.retrieval.building import postgresql, publish

SERVER = os.environ.get("EMBARK_QDRANT_URL")


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    client = QdrantClient(SERVER) if SERVER else QdrantClient(":memory:")
    yield client
    for collection in client.get_collections().collections:
        if collection.name.startswith("docs__0123456789ab_2026"):
            client.delete_collection(collection.name)
    client.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'main.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def archive(client: QdrantClient, engine: Engine, tmp_path: Path) -> CollectionArchive:
    return CollectionArchive(client, engine, TAGS, tmp_path / "locks", alias="test-docs")


@pytest.fixture
def open_library(client: QdrantClient, engine: Engine) -> Iterator[Callable[[], Library]]:
    with ExitStack() as closing:

        def opened() -> Library:
            library = ServerLibrary(client, engine, TAGS, alias="test-docs", recheck_s=0)
            closing.callback(library.close)
            return library

        yield opened


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")  # local mode
class TestCollectionArchive(ArchiveContract):
    """The suite, on collections."""

    def test_another_deployment_on_the_same_server_is_left_alone(
        self, client: QdrantClient, archive: CollectionArchive, tmp_path: Path
    ) -> None:
        publish(archive, ONE)
        engine = create_engine(f"sqlite:///{tmp_path / 'other.sqlite'}")
        other = CollectionArchive(client, engine, TAGS, tmp_path / "other", alias="test-other")
        publish(other, TWO, minute=1)
        with archive.writing():
            assert archive.gc(1, LATER).removed == ()
        assert read(ServerLibrary(client, engine, TAGS, alias="test-other"))[1:] == (2, 2)
        engine.dispose()

    def test_a_switch_is_noticed_after_a_second(
        self, client: QdrantClient, engine: Engine, archive: CollectionArchive
    ) -> None:
        time_s = 100.0
        first = publish(archive, ONE)
        library = ServerLibrary(client, engine, TAGS, alias="test-docs", clock=lambda: time_s)
        assert read(library)[0] == first
        second = publish(archive, TWO, minute=1)
        assert read(library)[0] == first
        time_s += 1
        assert read(library)[0] == second

    def test_a_collection_that_lost_points_is_refused(
        self,
        client: QdrantClient,
        archive: CollectionArchive,
        open_library: Callable[[], Library],
    ) -> None:
        version = publish(archive, TWO)
        client.delete(version, points_selector=[p.id for p in client.scroll(version)[0]][:1])
        with pytest.raises(IndexUnavailableError, match="holds 1 vectors"):
            read(open_library())

    def test_another_database_is_noticed(
        self, client: QdrantClient, archive: CollectionArchive, tmp_path: Path
    ) -> None:
        publish(archive, ONE)
        engine = create_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")
        with pytest.raises(IndexUnavailableError, match=r"database\.url"):
            read(ServerLibrary(client, engine, TAGS, alias="test-docs"))
        engine.dispose()


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")  # local mode
class TestCollectionArchiveOnPostgresql(ArchiveContract):
    """The suite, with the text in PostgreSQL."""

    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        with postgresql() as engine:
            yield engine

    def test_the_writers_lock_holds_across_machines(
        self, client: QdrantClient, engine: Engine, archive: CollectionArchive, tmp_path: Path
    ) -> None:
        elsewhere = CollectionArchive(
            client, engine, TAGS, tmp_path / "elsewhere", alias="test-docs"
        )
        refused = pytest.raises(IndexLockedError, match="PostgreSQL process")
        with archive.writing(), refused, elsewhere.writing():
            pass
        with elsewhere.writing():
            pass
