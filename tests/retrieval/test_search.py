"""Question to evidence: candidates, ranking, reranking, answerability and the retriever."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import literal, stored
from retrieval import answerability, ranking, reranking
from retrieval.answerability import Answerability, answerability_features
from retrieval.candidates import gather, page_of, preselect, question_terms
from retrieval.chunk_tables import write_file
from retrieval.filters import visible
from retrieval.index import MissingTenantError, Point, Rankings
from retrieval.library import Snapshot
from retrieval.linear import LinearModel, ModelError, load_model
from retrieval.memory import HashEncoder, MemoryIndex, OverlapReranker
from retrieval.ranking import PageRanker, cover, page_features
from retrieval.representation import dense_text, sparse_passage
from retrieval.reranking import PageReranker, read_pages
from retrieval.search import HybridRetriever, SearchPolicy
from retrieval.store import ChunkWriter, SqlChunkStore
from retrieval.types import Chunk, ChunkId, Hit, Labels, Scope

TENANT = "acme"
SCOPE = Scope(TENANT)
VERSION = "docs__f00d_20260101T000000Z"


def chunk(id_: str, title: str, text: str, *headings: str, plan: str = "*") -> Chunk:
    doc_id, _, ordinal = id_.rpartition("#")
    return Chunk(
        id=ChunkId(id_),
        doc_id=doc_id,
        path=f"{doc_id}.md",
        source="docs",
        title=title,
        heading_path=headings,
        anchor=None,
        ordinal=int(ordinal),
        text=stored(text),
        labels=Labels(TENANT, plan=(plan,)),
        doc_version="2026-01-01",
        content_hash=id_,
    )


CHUNKS = [
    chunk("invite#0", "Invite teammates", "Admins can invite up to 50 people at once."),
    chunk("invite#1", "Invite teammates", "An invitation works for seven days.", "Expiry"),
    chunk("sso#0", "Single sign-on", "Owners turn on SAML with Okta under Security.", "Okta"),
    chunk("sso#1", "Single sign-on", "Entra ID needs the tenant id.", "Entra"),
    chunk("billing#0", "Invoices", "Invoices are sent on the first day of the month."),
    chunk("audit#0", "Audit log", "The audit log is kept for a year.", plan="enterprise"),
]


def model(features: tuple[str, ...], **weights: float) -> LinearModel:
    zeros, ones = (0.0,) * len(features), (1.0,) * len(features)
    return LinearModel(features, zeros, ones, tuple(weights.get(f, 0.0) for f in features), 0.0, {})


class OneLibrary:
    """A library of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @contextmanager
    def lease(self) -> Iterator[Snapshot]:
        yield self._snapshot

    def sees(self, scope: Scope, chunk: Chunk) -> bool:
        return any(visible([chunk], scope))

    def close(self) -> None:
        self._snapshot.index.close()
        self._snapshot.chunks.close()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[OneLibrary]:
    encoder = HashEncoder()
    index = MemoryIndex(encoder.dimension)
    vectors = encoder.encode_passages([dense_text(c) for c in CHUNKS])
    index.upsert(
        [
            Point(c.id, c.doc_id, c.path, c.source, c.labels, c.content_hash, v, sparse_passage(c))
            for c, v in zip(CHUNKS, vectors, strict=True)
        ]
    )
    engine = write_file(tmp_path / "chunks.sqlite")
    ChunkWriter(engine, VERSION).put(CHUNKS)
    library = OneLibrary(Snapshot(VERSION, index, SqlChunkStore(engine, VERSION, owns_engine=True)))
    yield library
    library.close()


def retriever(library: OneLibrary, policy: SearchPolicy | None = None) -> HybridRetriever:
    return HybridRetriever(
        library,
        HashEncoder(),
        PageRanker(model(ranking.FEATURES, dense=1.0, cover_chunk=4.0)),
        PageReranker(OverlapReranker(), model(reranking.FEATURES, score=0.5, rerank=0.5)),
        Answerability(model(answerability.FEATURES, top_cover_chunk=3.0)),
        policy,
    )


def test_the_answering_page_is_first_and_pages_come_before_seconds(library: OneLibrary) -> None:
    found = retriever(library).retrieve(literal("How do I turn on SAML with Okta?"), SCOPE)
    pages = [p.chunk.doc_id for p in found.retrieved]
    assert found.version == VERSION
    assert pages[0] == found.passages[0].chunk.doc_id == "sso"
    assert len(set(pages[:3])) == 3
    scores = [p.score for p in found.retrieved if p.chunk.ordinal == 0]
    assert scores == sorted(scores, reverse=True)


def test_confidence_is_higher_for_what_is_covered(library: OneLibrary) -> None:
    asked = retriever(library)
    covered = asked.retrieve(literal("When are invoices sent?"), SCOPE)
    uncovered = asked.retrieve(literal("Does the mobile app support biometric unlock?"), SCOPE)
    assert 0 <= uncovered.confidence < covered.confidence <= 1
    assert set(covered.features) == set(answerability.FEATURES)


def test_labels_hide_pages_from_those_who_may_not_see_them(library: OneLibrary) -> None:
    question = literal("How long is the audit log kept?")
    seen = retriever(library).retrieve(question, SCOPE)
    assert "audit" not in {p.chunk.doc_id for p in (*seen.retrieved, *seen.passages)}
    allowed = Scope(TENANT, holds={"plan": frozenset({"enterprise"})})
    assert retriever(library).retrieve(question, allowed).passages[0].chunk.doc_id == "audit"


def test_a_strange_tenant_finds_nothing_and_has_no_confidence(library: OneLibrary) -> None:
    found = retriever(library).retrieve(literal("invoices"), Scope("rival"))
    assert (found.passages, found.retrieved, found.confidence) == ((), (), 0.0)


def test_no_tenant_is_an_error(library: OneLibrary) -> None:
    with pytest.raises(MissingTenantError):
        retriever(library).retrieve(literal("invoices"), Scope(""))


def test_the_policy_bounds_what_is_passed_on(library: OneLibrary) -> None:
    policy = SearchPolicy(retrieved=2, passages=3, per_page=(1, 1))
    found = retriever(library, policy).retrieve(literal("invite people with Okta"), SCOPE)
    assert len(found.retrieved) == 2
    assert len(found.passages) == 2


def test_idf_is_that_of_bm25() -> None:
    asked = question_terms(literal("How do I rotate keys?"), {"rotat": 3}, 10)
    assert asked.topic == ("rotat", "key")
    assert asked.idf["rotat"] == pytest.approx(math.log(7.5 / 3.5 + 1))
    assert asked.idf["key"] == pytest.approx(math.log(10.5 / 0.5 + 1))


def test_a_question_of_stop_words_alone_keeps_its_terms() -> None:
    assert question_terms(literal("How to?"), {}, 1).topic == ("how", "to")


def test_preselect_keeps_the_pages_that_either_retriever_ranks_high() -> None:
    rankings = Rankings(
        tuple(Hit(ChunkId(f"dense{n}#0"), 1 - n / 10) for n in range(3)),
        tuple(Hit(ChunkId(f"sparse{n}#0"), 9.0 - n) for n in range(3)),
    )
    kept = preselect(rankings, 2)
    assert {page_of(id_) for id_ in kept} == {"dense0", "sparse0"}


def test_gather_puts_the_best_chunk_of_a_page_first() -> None:
    rankings = Rankings(
        (Hit(ChunkId("invite#1"), 0.9), Hit(ChunkId("invite#0"), 0.5)),
        (Hit(ChunkId("invite#0"), 1.0),),
    )
    (page,) = gather(rankings, {c.id: c for c in CHUNKS})
    assert [c.chunk.id for c in page.chunks] == ["invite#0", "invite#1"]
    assert page.chunks[1].sparse == 0.0


def test_cover_weighs_rare_terms_more() -> None:
    asked = question_terms(literal("okta invoices"), {"invoic": 9, "okta": 1}, 10)
    assert cover(asked, frozenset({"okta"})) > 0.5 > cover(asked, frozenset({"invoic"}))
    assert cover(asked, frozenset({"okta", "invoic"})) == pytest.approx(1)


def _ranked(question: str, weights: dict[str, float]) -> list[ranking.RankedPage]:
    rankings = Rankings(tuple(Hit(c.id, 0.5) for c in CHUNKS), ())
    asked = question_terms(stored(question), {}, len(CHUNKS))
    pages = gather(rankings, {c.id: c for c in CHUNKS})
    return PageRanker(model(ranking.FEATURES, **weights)).rank(asked, pages)


def test_features_have_a_column_for_each_name_and_are_finite() -> None:
    asked = question_terms(literal("okta"), {}, 6)
    pages = gather(Rankings((Hit(ChunkId("sso#0"), 0.4),), ()), {c.id: c for c in CHUNKS})
    (row,) = page_features(asked, pages)
    assert len(row) == len(ranking.FEATURES)
    assert np.isfinite(row).all()
    full = answerability_features(asked, _ranked("okta", {"cover_chunk": 1.0}))
    assert len(full) == len(answerability.FEATURES)
    assert np.isfinite(full).all()


def test_equal_pages_keep_an_order_that_does_not_depend_on_the_search() -> None:
    assert [r.page.doc_id for r in _ranked("zebra", {})] == ["audit", "billing", "invite", "sso"]


def test_reading_moves_the_answering_chunk_and_page_up() -> None:
    ranked = _ranked("Entra ID tenant id", {})
    second = PageReranker(OverlapReranker(), model(reranking.FEATURES, rerank=1.0), read=(2,) * 4)
    best = second.rerank(literal("Entra ID tenant id"), ranked)[0]
    assert best.page.doc_id == "sso"
    assert best.page.chunks[0].chunk.id == "sso#1"


@given(st.integers(0, 4))
def test_pages_that_were_not_read_count_as_the_worst_read(read: int) -> None:
    ranked = _ranked("Okta", {"cover_chunk": 1.0})
    pages = read_pages(OverlapReranker(), literal("Okta"), ranked, (1,) * read)
    assert {p.page.doc_id for p in pages} == ({r.page.doc_id for r in ranked} if read else set())
    worst = min((p.rerank for p in pages[:read]), default=0.0)
    assert all(p.rerank == worst for p in pages[read:])


def test_nothing_found_is_nothing_known() -> None:
    asked = question_terms(literal("okta"), {}, 6)
    assert Answerability(model(answerability.FEATURES)).assess(asked, []) == (0.0, {})
    assert PageRanker(model(ranking.FEATURES)).rank(asked, []) == []


def test_a_model_fitted_on_other_features_is_refused() -> None:
    strange = replace(model(ranking.FEATURES), features=("a",))
    with pytest.raises(ModelError, match="fit_retrieval"):
        PageRanker(strange)


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("ranking", ranking.FEATURES),
        ("blend", reranking.FEATURES),
        ("answerability", answerability.FEATURES),
    ],
)
def test_the_shipped_models_fit_the_code_and_say_where_they_come_from(
    name: str, features: tuple[str, ...]
) -> None:
    shipped = load_model("retrieval", name)
    shipped.require(features)
    assert shipped.origin["data"]
