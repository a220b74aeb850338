"""Tags of whole versions: carried over, made under another key, missing, or changed on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import qdrant_edge
from qdrant_client import QdrantClient
from qdrant_client.models import PointIdsList
from sqlalchemy import create_engine
from structlog.testing import capture_logs

from retrieval.archive import Archive
from retrieval.collections import CollectionArchive, ServerLibrary
from retrieval.edge import EdgeIndex
from retrieval.folder_archive import FolderArchive
from retrieval.folders import SHARD
from retrieval.index import IndexUnavailableError, OutsideScopeError
from retrieval.library import Library
from retrieval.points import point_id
from retrieval.tags import KEY_BYTES, TAG, TagsOf, tags_under
from retrieval.types import ChunkId
from retrieval.versions import EmbeddedLibrary
from tests.contracts.archive import LATER, ONE, TWO, read
from tests.contracts.index import TAGS
from tests.retrieval.building import ENCODER, START, folder_in_memory, manifest_of, publish

ANOTHER_KEY = tags_under(bytes(KEY_BYTES))


class Kept:
    """One kind of archive, with what opens and changes it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.client = QdrantClient(":memory:")
        self.engine = create_engine(f"sqlite:///{folder / 'main.sqlite'}")

    def archive(self, tags: TagsOf = TAGS) -> Archive:
        if self.kind == "folders":
            return FolderArchive(self.folder, tags)
        return CollectionArchive(self.client, self.engine, tags, self.folder)

    def library(self, tags: TagsOf = TAGS) -> Library:
        if self.kind == "folders":
            return EmbeddedLibrary(self.folder, tags)
        return ServerLibrary(self.client, self.engine, tags, recheck_s=0)

    def changed(self, version: str, chunk: ChunkId, payload: dict[str, object] | None) -> None:
        """As by somebody who can write to the store but has no key; None takes the tag out."""
        if self.kind == "collections":
            points = PointIdsList(points=[point_id(chunk)])
            if payload is None:
                self.client.delete_payload(version, [TAG], points=points)
            else:
                self.client.set_payload(version, payload, points=points)
            return
        index = EdgeIndex.open(
            self.folder / version / SHARD, dimension=ENCODER.dimension, tags=TAGS(""), writable=True
        )
        ids: list[qdrant_edge.PointId] = [point_id(chunk)]
        operation = (
            qdrant_edge.UpdateOperation.delete_payload(ids, [TAG])
            if payload is None
            else qdrant_edge.UpdateOperation.set_payload(ids, payload)
        )
        index._shard.update(operation)
        index.close()

    def close(self) -> None:
        self.client.close()
        self.engine.dispose()


@pytest.fixture(params=["folders", "collections"])
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    with folder_in_memory() as folder:
        made = Kept(folder, request.param)
        yield made
        made.close()


pytestmark = pytest.mark.filterwarnings(
    # qdrant-client's local mode accepts the indexes of a server and says that it needs none
    "ignore:Payload indexes have no effect in the local Qdrant:UserWarning"
)


def test_what_is_carried_over_is_tagged_anew(kept: Kept) -> None:
    archive = kept.archive()
    first = publish(archive, TWO)
    with archive.writing():
        manifest = manifest_of(TWO, first, START + timedelta(minutes=1))
        draft = archive.begin(manifest.version, manifest.dimension, first)
        archive.publish(draft, manifest, LATER)
    library = kept.library()
    assert read(library) == (manifest.version, 2, 2)
    with archive.writing():
        archive.rollback(None, LATER)
    assert read(library) == (first, 2, 2)
    library.close()


def test_what_was_changed_in_the_store_is_not_carried_over(kept: Kept) -> None:
    """Else a build would put its own tag on what somebody else wrote."""
    archive = kept.archive()
    first = publish(archive, TWO)
    kept.changed(first, TWO[0].id, {"plan": ["pro"]})
    manifest = manifest_of(TWO, first, START + timedelta(minutes=1))
    with archive.writing(), pytest.raises(OutsideScopeError, match="embark index run --full"):
        archive.begin(manifest.version, manifest.dimension, first)
    with archive.writing():
        pass  # the folder of the draft is free, and swept
    assert archive.current() == first


def test_what_was_changed_in_the_store_ends_the_search(kept: Kept) -> None:
    version = publish(kept.archive(), TWO)
    kept.changed(version, TWO[1].id, {"audience": ["admin", "*"]})
    library = kept.library()
    with capture_logs() as logs, pytest.raises(OutsideScopeError, match="nothing was used"):
        read(library)
    alarms = [log for log in logs if log["event"] == "index.hit_outside_scope"]
    assert {(log["chunk_id"], log["reason"]) for log in alarms} == {(TWO[1].id, "tag")}
    library.close()


def test_a_version_under_another_key_says_so(kept: Kept) -> None:
    publish(kept.archive(), ONE)
    library = kept.library(ANOTHER_KEY)
    with pytest.raises(IndexUnavailableError, match=r"vault\.key.*embark index run --full"):
        read(library)


def test_a_version_without_tags_says_how_to_mend_it(kept: Kept) -> None:
    archive = kept.archive()
    version = publish(archive, ONE)
    kept.changed(version, ONE[0].id, None)
    library = kept.library()
    with pytest.raises(IndexUnavailableError, match=r"before its points were tagged.*run --full"):
        read(library)
    publish(archive, TWO, minute=1)
    assert read(library)[1:] == (2, 2)
    with archive.writing(), pytest.raises(IndexUnavailableError, match="tagged"):
        archive.rollback(None, LATER)
    library.close()
