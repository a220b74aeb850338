"""Chunk text in SQL: SQLite files, and PostgreSQL where one runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from guardrails import stored
from guardrails.tenancy import is_protected, within
from retrieval.chunk_tables import ONLY, create_schema, open_file, write_file
from retrieval.index import IndexUnavailableError, MissingTenantError, UnknownFieldError
from retrieval.library import ChunkStore
from retrieval.store import ChunkWriter, SqlChunkStore
from retrieval.types import ChunkId, Labels, Scope
from tests.retrieval.building import chunk_of, postgresql

STAFF = Scope("acme", unrestricted=True)
CHUNKS = [
    chunk_of("sso", "Configure SAML single sign-on with Okta."),
    chunk_of("sso", "Rotate the SAML certificate every year.", ordinal=1),
    chunk_of("roles", "Owners may delete a workspace.", labels=Labels("acme", plan=("pro",))),
    chunk_of("rivals", "Configure SAML here too.", labels=Labels("globex", owner="ann")),
    chunk_of("straße", "Größe der Fläche: naïve “quotes” \N{SNOWMAN} and 'O''Brien'."),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = write_file(tmp_path / "chunks.sqlite")
        yield engine
        engine.dispose()
        return
    with postgresql() as engine:
        create_schema(engine)
        yield engine


@pytest.fixture
def store(engine: Engine) -> SqlChunkStore:
    ChunkWriter(engine, "one").put(CHUNKS)
    return SqlChunkStore(engine, "one")


def ids(found: object) -> list[str]:
    return [hit.id for hit in found]  # type: ignore[attr-defined]


def test_chunks_come_back_as_they_went_in(store: SqlChunkStore) -> None:
    typed: ChunkStore = store
    by_id = {chunk.id: chunk for chunk in CHUNKS}
    mine = {id_: chunk for id_, chunk in by_id.items() if chunk.labels.tenant == "acme"}
    assert typed.get("acme", [*by_id, ChunkId("unknown#0")]) == mine
    assert set(typed.get("globex", by_id)) == {"rivals#0"}
    assert typed.get("", by_id) == typed.get("*", by_id) == {}
    assert (typed.count("acme"), typed.count("globex"), typed.count("")) == (len(mine), 1, 0)
    assert list(typed.page("acme", "sso")) == CHUNKS[:2]
    assert typed.page("globex", "sso") == ()
    assert sorted(chunk.id for chunk in typed.chunks()) == sorted(by_id)
    assert store.count() == len(CHUNKS)
    assert store.hashes() == {chunk.id: chunk.content_hash for chunk in CHUNKS}


def test_many_ids_at_once(engine: Engine) -> None:
    many = [chunk_of(f"page-{number}", f"Text {number}.") for number in range(1200)]
    ChunkWriter(engine, "many").put(many)
    found = SqlChunkStore(engine, "many").get("acme", [chunk.id for chunk in many])
    assert found == {chunk.id: chunk for chunk in many}


def test_put_replaces_and_remove_forgets(engine: Engine, store: SqlChunkStore) -> None:
    writer = ChunkWriter(engine, "one")
    changed = chunk_of("sso", "Ask your identity provider about SCIM.")
    writer.put([changed])
    assert store.get("acme", [changed.id])[changed.id] == changed
    assert ids(store.search_text(stored("Okta"), STAFF, 5)) == []
    assert ids(store.search_text(stored("scim"), STAFF, 5)) == ["sso#0"]
    writer.remove([ChunkId("sso#0"), ChunkId("nobody#3")])
    assert ids(store.search_text(stored("scim"), STAFF, 5)) == []
    assert store.count() == len(CHUNKS) - 1


def test_versions_in_one_database_are_apart(engine: Engine, store: SqlChunkStore) -> None:
    writer = ChunkWriter(engine, "two")
    writer.copy("one")
    second = SqlChunkStore(engine, "two")
    assert second.hashes() == store.hashes()
    assert ids(second.search_text(stored("okta"), STAFF, 5)) == ["sso#0"]
    writer.remove([ChunkId("sso#0")])
    assert ids(store.search_text(stored("okta"), STAFF, 5)) == ["sso#0"]
    assert ids(second.search_text(stored("okta"), STAFF, 5)) == []
    writer.drop()
    assert second.count() == 0
    assert store.count() == len(CHUNKS)
    assert ids(store.search_text(stored("okta"), STAFF, 5)) == ["sso#0"]


def test_text_search_ranks_and_stems(store: SqlChunkStore) -> None:
    found = store.search_text(stored("how do I configure SAML with okta?"), STAFF, 5)
    assert ids(found)[0] == "sso#0"
    assert "sso#1" in ids(found)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert ids(store.search_text(stored("rotating certificates"), STAFF, 1)) == ["sso#1"]
    assert ids(store.search_text(stored("Größe"), STAFF, 5)) == ["straße#0"]


@pytest.mark.parametrize("hostile", ["", "???", '"', "a' OR 1=1 --", "NEAR(x y) AND", "& | !"])
def test_no_question_breaks_the_text_search(store: SqlChunkStore, hostile: str) -> None:
    assert set(ids(store.search_text(stored(hostile), STAFF, 5))) <= {c.id for c in CHUNKS}


def test_text_search_goes_through_the_one_filter(store: SqlChunkStore) -> None:
    question = stored("configure saml workspace owners")
    assert "rivals#0" not in ids(store.search_text(question, STAFF, 9))
    assert ids(store.search_text(question, Scope("globex", unrestricted=True), 9)) == ["rivals#0"]
    assert "roles#0" not in ids(store.search_text(question, Scope("acme"), 9))
    pro = Scope("acme", {"plan": frozenset({"pro"})})
    assert "roles#0" in ids(store.search_text(question, pro, 9))
    narrow = Scope("acme", unrestricted=True, narrow={"doc_id": frozenset({"sso"})})
    assert set(ids(store.search_text(question, narrow, 9))) == {"sso#0", "sso#1"}
    nothing = Scope("acme", unrestricted=True, narrow={"owner": frozenset()})
    assert store.search_text(question, nothing, 9) == ()
    with pytest.raises(MissingTenantError):
        store.search_text(question, Scope(" "), 9)
    with pytest.raises(UnknownFieldError):
        store.search_text(question, Scope("acme", narrow={"colour": frozenset({"red"})}), 9)


def test_document_frequencies_count_one_version(engine: Engine, store: SqlChunkStore) -> None:
    words = ["saml", "workspac", "größe", "unknown"]
    expected = {"saml": 2, "workspac": 1, "größe": 1}
    ChunkWriter(engine, "two").copy("one")
    assert store.document_frequencies("acme", words) == expected
    ChunkWriter(engine, "one").drop()
    assert store.document_frequencies("acme", words) == {}


def test_document_frequencies_of_a_finished_file(tmp_path: Path) -> None:
    engine = write_file(tmp_path / "chunks.sqlite")
    ChunkWriter(engine, ONLY).put(CHUNKS)
    engine.dispose()
    store = SqlChunkStore(open_file(tmp_path / "chunks.sqlite"), ONLY, owns_engine=True)
    assert store.document_frequencies("globex", ["saml", "okta"]) == {"saml": 1}
    for _ in range(2):
        assert store.document_frequencies("acme", ["saml", "okta", "none"]) == {
            "saml": 2,
            "okta": 1,
        }
    store.close()


def test_with_hashes_names_one_chunk_for_each(store: SqlChunkStore) -> None:
    wanted = [CHUNKS[0].content_hash, CHUNKS[3].content_hash, "unknown"]
    assert store.with_hashes(wanted) == {
        CHUNKS[0].content_hash: "sso#0",
        CHUNKS[3].content_hash: "rivals#0",
    }


def test_a_finished_file_is_read_only_and_removed_text_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a folder?&#" / "chunks.sqlite"
    path.parent.mkdir()
    engine = write_file(path)
    writer = ChunkWriter(engine, "one")
    secret = chunk_of("secret", "Nobody shall read xyzzyplugh again.")
    writer.put([*CHUNKS, secret])
    writer.remove([secret.id])
    engine.dispose()
    assert b"Nobody shall read" not in path.read_bytes()
    before = path.read_bytes()
    finished = open_file(path)
    store = SqlChunkStore(finished, "one", owns_engine=True)
    assert store.count() == len(CHUNKS)
    with pytest.raises(IndexUnavailableError, match="readonly"):
        ChunkWriter(finished, "one").remove([CHUNKS[0].id])
    store.close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["chunks.sqlite"]


def test_a_damaged_file_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "chunks.sqlite"
    path.write_bytes(b"SQLite format 3\0 and then nothing of sense" * 100)
    store = SqlChunkStore(open_file(path), "one", owns_engine=True)
    with pytest.raises(IndexUnavailableError, match="embark index run --full"):
        store.get("acme", [ChunkId("sso#0")])
    store.close()


def test_an_unknown_database_is_refused_by_name() -> None:
    class Elsewhere:
        class dialect:
            name = "oracle"

    with pytest.raises(ValueError, match=r"'oracle'.*sqlite or postgresql"):
        create_schema(Elsewhere())  # type: ignore[arg-type]


def test_row_security_keeps_chunks_apart_where_a_query_does_not() -> None:
    with postgresql() as engine:
        for _ in range(2):
            create_schema(engine)
        ChunkWriter(engine, "one").put(CHUNKS)
        seen = {}
        for tenant in ("", "acme", "globex"):
            with within(tenant), engine.begin() as connection:
                assert is_protected(connection, "index_chunk")
                seen[tenant] = len(connection.execute(text("SELECT * FROM index_chunk")).all())
    assert seen == {"": 0, "acme": len(CHUNKS) - 1, "globex": 1}
