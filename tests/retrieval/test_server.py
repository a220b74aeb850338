from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models
from typing_extensions import override

import retrieval.server
from retrieval.index import Index, IndexUnavailableError
from retrieval.server import ServerIndex, connect
from tests.contracts.index import (
    DIMENSION,
    EVERYBODY,
    TAGS,
    IndexContract,
    dense,
    point,
    sparse,
)

pytestmark = pytest.mark.filterwarnings(
    # qdrant-client's local mode accepts the indexes of a server and says that it needs none
    "ignore:Payload indexes have no effect in the local Qdrant:UserWarning"
)
URL = os.environ.get("EMBARK_QDRANT_URL")
NOW = TAGS("now")


class ServerContract(IndexContract):
    @override
    def blind(self, index: Index, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(retrieval.server, "_filter", lambda required: models.Filter())


class TestServerIndexLocal(ServerContract):
    """qdrant-client's own in-process mode stands in for a server."""

    @pytest.fixture
    @override
    def index(self, tmp_path: Path) -> Iterator[Index]:
        client = QdrantClient(":memory:")
        yield ServerIndex.create(client, "docs", dimension=DIMENSION, tags=NOW)
        client.close()


@pytest.mark.skipif(URL is None, reason="EMBARK_QDRANT_URL names no server")
class TestServerIndexRemote(ServerContract):
    @pytest.fixture
    @override
    def index(self, tmp_path: Path) -> Iterator[Index]:
        client = connect(URL or "")
        collection = f"embark-test-{uuid.uuid4()}"
        yield ServerIndex.create(client, collection, dimension=DIMENSION, tags=NOW)
        client.delete_collection(collection)
        client.close()


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    client = QdrantClient(":memory:")
    yield client
    client.close()


def test_opens_what_was_created_also_through_an_alias(client: QdrantClient) -> None:
    ServerIndex.create(client, "docs", dimension=DIMENSION, tags=NOW).upsert([point(1)])
    alias = models.CreateAlias(collection_name="docs", alias_name="live")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    assert ServerIndex.open(client, "live", dimension=DIMENSION, tags=NOW).count() == 1


def test_closing_an_index_leaves_the_client_open(client: QdrantClient) -> None:
    index = ServerIndex.create(client, "docs", dimension=DIMENSION, tags=NOW)
    index.close()
    assert ServerIndex.open(client, "docs", dimension=DIMENSION, tags=NOW).count() == 0


def test_a_missing_collection(client: QdrantClient) -> None:
    with pytest.raises(IndexUnavailableError, match=r"no collection 'docs'.*embark index run"):
        ServerIndex.open(client, "docs", dimension=DIMENSION, tags=NOW)


def test_another_dimension(client: QdrantClient) -> None:
    ServerIndex.create(client, "docs", dimension=DIMENSION, tags=NOW)
    with pytest.raises(IndexUnavailableError, match=r"dimension 16, the encoder makes 17"):
        ServerIndex.open(client, "docs", dimension=17, tags=NOW)


def test_an_unreachable_server_is_unavailable() -> None:
    client = connect("http://127.0.0.1:9", timeout_s=1)
    index = ServerIndex(client, "docs", DIMENSION, NOW)
    with pytest.raises(IndexUnavailableError, match="did not answer for 'docs'"):
        index.search(dense(1), sparse({}), EVERYBODY, 1)
    with pytest.raises(IndexUnavailableError):
        index.upsert([point(1)])
    with pytest.raises(IndexUnavailableError):
        ServerIndex.open(client, "docs", dimension=DIMENSION, tags=NOW)
    client.close()
