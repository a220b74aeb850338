"""The suite that every archive and its library pass: the verbs of the index lifecycle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest

from guardrails import stored
from retrieval.archive import Archive, NoSuchVersionError
from retrieval.index import IndexLockedError, NoIndexError
from retrieval.library import Library
from retrieval.representation import sparse_query
from retrieval.types import Chunk, ChunkId, Scope
from tests.retrieval.building import ENCODER, START, chunk_of, manifest_of, point_of, publish

ONE = [chunk_of("invite-teammates", "Open Members and choose Invite.")]
TWO = [*ONE, chunk_of("set-up-sso", "Open Security and choose SAML.")]
THREE = [*TWO, chunk_of("import-data", "Choose a CSV file.")]
LATER = START + timedelta(days=1)
SCOPE = Scope("acme", unrestricted=True)


def read(library: Library) -> tuple[str, int, int]:
    """Version, vectors and chunks of what a lease gives, by way of a search."""
    with library.lease() as snapshot:
        question = stored("how do I open security")
        found = snapshot.index.search(
            ENCODER.encode_query(question), sparse_query(question), SCOPE, 10
        )
        chunks = snapshot.chunks.get("acme", [hit.id for hit in found.dense])
        return snapshot.version, len(found.dense), len(chunks)


class ArchiveContract:
    """Subclasses give the fixtures `archive` and `open_library`."""

    def test_nothing_is_indexed_at_first(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        assert archive.current() is None
        with pytest.raises(NoIndexError, match="embark index run"), open_library().lease():
            pass

    def test_a_published_version_is_read(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        version = publish(archive, TWO)
        assert read(open_library()) == (version, 2, 2)
        assert archive.manifest(version).chunks == 2

    def test_a_reader_follows_a_switch_and_a_lease_does_not(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        library = open_library()
        first = publish(archive, ONE)
        with library.lease() as before:
            second = publish(archive, TWO, minute=1)
            assert read(library) == (second, 2, 2)
            assert before.version == first
            assert before.index.count() == 1
            assert [chunk.id for chunk in before.chunks.chunks()] == [ONE[0].id]
        assert read(library) == (second, 2, 2)

    def test_rollback_goes_back_one_by_one(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        library = open_library()
        names = [publish(archive, chunks, minute=i) for i, chunks in enumerate((ONE, TWO, THREE))]
        for expected in ((names[1], 2, 2), (names[0], 1, 1)):
            with archive.writing():
                assert archive.rollback(None, LATER) == expected[0]
            assert read(library) == expected
        with archive.writing(), pytest.raises(NoSuchVersionError, match="no earlier version"):
            archive.rollback(None, LATER)
        with archive.writing():
            archive.rollback(names[2], LATER)
        assert read(library) == (names[2], 3, 3)

    def test_rollback_to_an_unknown_version_changes_nothing(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        version = publish(archive, ONE)
        unknown = version.replace("2026", "2025")
        with archive.writing(), pytest.raises(NoSuchVersionError, match=unknown):
            archive.rollback(unknown, LATER)
        assert read(open_library())[0] == version

    def test_gc_leaves_current_and_rollback_versions(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        names = [publish(archive, THREE, minute=i) for i in range(5)]
        with archive.writing():
            assert set(archive.gc(1, LATER).removed) == set(names[:3])
        with archive.writing():
            assert archive.rollback(None, LATER) == names[3]
        assert read(open_library()) == (names[3], 3, 3)

    def test_gc_spares_a_version_that_a_reader_has_open(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        library = open_library()
        names = [publish(archive, ONE)]
        with library.lease() as leased:
            names += [publish(archive, TWO, minute=i) for i in (1, 2)]
            with archive.writing():
                assert archive.gc(1, START + timedelta(minutes=3)).in_use == (names[0],)
            assert leased.index.count() == 1
            assert len(list(leased.chunks.chunks())) == 1
        read(library)
        with archive.writing():
            assert archive.gc(1, LATER).removed == (names[0],)

    def test_a_draft_from_a_base_holds_all_of_it_and_leaves_the_base_alone(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        first = publish(archive, TWO)
        with archive.writing():
            manifest = manifest_of([TWO[1], THREE[2]], first, START + timedelta(minutes=1))
            draft = archive.begin(manifest.version, manifest.dimension, first)
            assert draft.index.hashes() == draft.chunks.hashes() == _hashes(TWO)
            draft.index.delete([TWO[0].id])
            draft.writer.remove([TWO[0].id])
            draft.index.upsert([point_of(THREE[2])])
            draft.writer.put([THREE[2]])
            archive.publish(draft, manifest, LATER)
        library = open_library()
        with library.lease() as snapshot:
            assert snapshot.version == manifest.version
            assert set(snapshot.index.hashes()) == {TWO[1].id, THREE[2].id}
            kept = snapshot.chunks.get("acme", [c.id for c in THREE])
            assert set(kept) == {TWO[1].id, THREE[2].id}
        with archive.writing():
            archive.rollback(None, LATER)
        assert read(library) == (first, 2, 2)

    def test_a_refused_draft_leaves_its_report_and_nothing_else(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        first = publish(archive, ONE)
        with archive.writing():
            manifest = manifest_of(TWO, first, START + timedelta(minutes=1))
            draft = archive.begin(manifest.version, manifest.dimension, first)
            archive.refuse(draft, manifest)
        states = {record.name: record.state.value for record in archive.status().records}
        assert states == {first: "published", manifest.version: "refused"}
        assert read(open_library()) == (first, 1, 1)
        with archive.writing(), pytest.raises(NoSuchVersionError):
            archive.rollback(manifest.version, LATER)

    def test_one_writer_at_a_time(self, archive: Archive) -> None:
        with archive.writing():
            with pytest.raises(IndexLockedError, match="process"), archive.writing():
                pass
            assert archive.status().writer is not None
        assert archive.status().writer is None
        with archive.writing():
            pass

    def test_an_unpublished_version_is_swept_by_the_next_writer(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        first = publish(archive, ONE)
        with archive.writing():
            manifest = manifest_of(TWO, first, START + timedelta(minutes=1))
            draft = archive.begin(manifest.version, manifest.dimension, first)
            draft.writer.put(TWO)
            draft.index.close()  # as after a crash: nobody discards it
        with archive.writing():
            draft = archive.begin(manifest.version, manifest.dimension, first)
            assert draft.chunks.hashes() == draft.index.hashes() == _hashes(ONE)
            archive.discard(draft)
        assert read(open_library()) == (first, 1, 1)

    def test_concurrent_readers_each_see_one_whole_version_during_switches(
        self, archive: Archive, open_library: Callable[[], Library]
    ) -> None:
        library = open_library()
        sizes = {publish(archive, ONE): 1}
        seen: list[tuple[str, int, int]] = []
        start = Barrier(201)

        def ask() -> None:
            start.wait()
            seen.append(read(library))

        readers = [Thread(target=ask) for _ in range(200)]
        for reader in readers:
            reader.start()
        start.wait()
        for minute, chunks in enumerate((TWO, THREE, TWO), start=1):
            sizes[publish(archive, chunks, minute=minute)] = len(chunks)
        for reader in readers:
            reader.join()
        assert len(seen) == 200
        assert all(vectors == chunks == sizes[version] for version, vectors, chunks in seen)
        assert read(library)[0] == max(sizes)


def _hashes(chunks: list[Chunk]) -> dict[ChunkId, str]:
    return {chunk.id: chunk.content_hash for chunk in chunks}
