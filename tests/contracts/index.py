"""What every index must do: the suite that each adapter's test module inherits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from retrieval.gateway import Gateway
from retrieval.index import (
    Index,
    MissingTenantError,
    OutsideScopeError,
    Point,
    UnknownFieldError,
)
from retrieval.memory import MemoryIndex
from retrieval.tags import KEY_BYTES, TagsOf, tags_under
from retrieval.types import LABEL_FIELDS, ChunkId, Hit, Labels, Scope, SparseVector, Vector

DIMENSION = 16
TENANTS = ("acme", "globex")
VALUES: Mapping[str, tuple[str, ...]] = {
    "audience": ("admin", "member"),
    "plan": ("free", "pro"),
    "role": ("owner", "viewer"),
    "version": ("1", "2"),
    "locale": ("en", "de"),
}
EVERYBODY = Scope("acme", unrestricted=True)
TAGS: TagsOf = tags_under(bytes(range(KEY_BYTES)))


def dense(seed: int) -> Vector:
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def sparse(weights: Mapping[int, float]) -> SparseVector:
    terms = sorted(weights)
    return SparseVector(
        np.array(terms, dtype=np.uint32), np.array([weights[t] for t in terms], dtype=np.float32)
    )


def point(number: int, labels: Labels | None = None, **changes: object) -> Point:
    """A point whose vectors and terms are drawn from its number."""
    rng = np.random.default_rng(number)
    terms = {int(t): float(rng.uniform(0.5, 2)) for t in rng.choice(30, size=6, replace=False)}
    fields: dict[str, object] = {
        "id": ChunkId(f"guides/page-{number // 3}#{number % 3}"),
        "doc_id": f"guides/page-{number // 3}",
        "path": f"guides/page-{number // 3}.md",
        "source": "docs" if number % 2 else "runbooks",
        "labels": labels or Labels("acme"),
        "content_hash": f"hash-{number}",
        "dense": dense(number),
        "sparse": sparse({term * 100_000_007: weight for term, weight in terms.items()}),
    }
    return Point(**(fields | changes))  # type: ignore[arg-type]


def labels(rng: np.random.Generator) -> Labels:
    def values(field: str) -> tuple[str, ...]:
        count = rng.integers(0, 3)
        return tuple(rng.choice(VALUES[field], size=count, replace=False).tolist()) or ("*",)

    return Labels(
        tenant=str(rng.choice(TENANTS)),
        owner=str(rng.choice(["docs-team", "security"])) if rng.random() < 0.7 else None,
        updated="2026-01-31",
        **{field: values(field) for field in LABEL_FIELDS},
    )


def corpus(size: int = 60) -> list[Point]:
    rng = np.random.default_rng(11)
    return [point(number, labels(rng)) for number in range(size)]


def sees(scope: Scope, stored: Point) -> bool:
    """The docstring of Scope, written down once more and independently of the product."""
    if stored.labels.tenant != scope.tenant:
        return False
    for field in LABEL_FIELDS:
        carried = set(getattr(stored.labels, field))
        if not scope.unrestricted and not carried & ({"*"} | set(scope.holds.get(field, ()))):
            return False
        if field in scope.narrow and not carried & ({"*"} | scope.narrow[field]):
            return False
    properties = {
        "owner": stored.labels.owner,
        "source": stored.source,
        "path": stored.path,
        "doc_id": stored.doc_id,
    }
    return all(value in scope.narrow.get(name, {value}) for name, value in properties.items())


def _some(values: Sequence[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=2)


SCOPES = st.builds(
    Scope,
    tenant=st.sampled_from((*TENANTS, "initech")),
    holds=st.fixed_dictionaries(
        {}, optional={field: _some((*values, "other")) for field, values in VALUES.items()}
    ),
    unrestricted=st.booleans(),
    narrow=st.fixed_dictionaries(
        {},
        optional={field: _some((*values, "other")) for field, values in VALUES.items()}
        | {
            "owner": _some(("docs-team", "security")),
            "source": _some(("docs", "runbooks")),
            "path": _some(("guides/page-1.md", "guides/page-2.md")),
            "doc_id": _some(("guides/page-1", "guides/page-2")),
        },
    ),
)
QUERY_TERMS = {100_000_007 * term: 1.0 for term in range(30)}


def same(found: Sequence[Hit], wanted: Sequence[Hit]) -> bool:
    """Equal scores in order, and equal ids wherever scores are not tied at the cut."""
    if [hit.score for hit in found] != pytest.approx([hit.score for hit in wanted], abs=2e-4):
        return False
    cut = wanted[-1].score + 1e-3 if wanted else 0.0
    return {hit.id for hit in found if hit.score > cut} == {h.id for h in wanted if h.score > cut}


class IndexContract:
    """Inherit, and give `index` (empty, DIMENSION wide) and `blind`."""

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[Index]:
        raise NotImplementedError

    def blind(self, index: Index, patch: pytest.MonkeyPatch) -> None:
        """Make the store ignore the filter that it is given, as a fault in it would."""
        raise NotImplementedError

    def test_both_retrievers_find_a_stored_chunk(self, index: Index) -> None:
        index.upsert([point(n) for n in range(9)])
        found = index.search(point(4).dense, point(4).sparse, EVERYBODY, 3)
        assert len(found.dense) == 3
        assert found.dense[0].id == found.sparse[0].id == point(4).id
        assert found.dense[0].score == pytest.approx(1, abs=1e-5)

    def test_ranks_as_the_twin_does(self, index: Index) -> None:
        twin = MemoryIndex(DIMENSION)
        for store in (index, twin):
            store.upsert(corpus())
        for number in range(20):
            terms = sparse({100_000_007 * (number + step): 1.0 for step in range(4)})
            got = index.search(dense(1000 + number), terms, EVERYBODY, 10)
            wanted = twin.search(dense(1000 + number), terms, EVERYBODY, 10)
            assert same(got.dense, wanted.dense)
            assert same(got.sparse, wanted.sparse)

    def test_fuses_as_the_twin_does(self, index: Index) -> None:
        twin = MemoryIndex(DIMENSION)
        for store in (index, twin):
            store.upsert(corpus())
        for number in range(20):
            query = (dense(2000 + number), sparse({100_000_007 * number: 1.0}), EVERYBODY, 10)
            assert same(index.fused(*query), twin.fused(*query))

    def test_fusion_scores_are_reciprocal_ranks(self, index: Index) -> None:
        index.upsert([point(0)])
        (hit,) = index.fused(point(0).dense, point(0).sparse, EVERYBODY, 5)
        assert hit.score == pytest.approx(2 / 61, abs=1e-6)

    def test_rare_terms_weigh_more_and_another_tenant_does_not_count(self, index: Index) -> None:
        index.upsert(
            [point(n, sparse=sparse({1: 1.0})) for n in range(3)]
            + [point(3, sparse=sparse({2: 1.0}))]
            + [point(n, Labels("globex"), sparse=sparse({2: 1.0})) for n in range(4, 12)]
        )
        found = index.search(dense(1), sparse({1: 1.0, 2: 1.0}), EVERYBODY, 10).sparse
        assert found[0].id == point(3).id
        assert found[0].score == pytest.approx(np.log((4 - 1 + 0.5) / (1 + 0.5) + 1), abs=1e-4)

    def test_a_question_without_known_terms_has_no_sparse_hits(self, index: Index) -> None:
        index.upsert([point(1)])
        assert index.search(dense(1), sparse({}), EVERYBODY, 5).sparse == ()
        assert index.search(dense(1), sparse({7: 1.0}), EVERYBODY, 5).sparse == ()
        assert len(index.fused(dense(1), sparse({}), EVERYBODY, 5)) == 1

    def test_an_empty_index_finds_nothing(self, index: Index) -> None:
        assert index.search(dense(1), sparse({1: 1.0}), EVERYBODY, 5).dense == ()
        assert index.count() == 0
        assert not index.hashes()

    def test_upsert_replaces_and_delete_removes(self, index: Index) -> None:
        index.upsert([point(1), point(2)])
        index.upsert([point(1, content_hash="new")])
        index.delete([point(2).id, ChunkId("never/stored#0")])
        assert index.hashes() == {point(1).id: "new"}
        assert index.count() == 1

    def test_deleted_chunks_leave_the_term_statistics(self, index: Index) -> None:
        twin = MemoryIndex(DIMENSION)
        for store in (index, twin):
            store.upsert(corpus())
            store.delete([stored.id for stored in corpus()[:30]])
        query = (dense(5), sparse(QUERY_TERMS), EVERYBODY, 30)
        assert same(index.search(*query).sparse, twin.search(*query).sparse)

    def test_points_come_back_whole(self, index: Index) -> None:
        stored = {item.id: item for item in corpus(1200)}
        index.upsert(list(stored.values()))
        back = {item.id: item for item in index.vectors([*stored, ChunkId("never#0")])}
        assert index.hashes() == {chunk: item.content_hash for chunk, item in stored.items()}
        assert set(back) == set(stored)
        for chunk, item in back.items():
            assert item.labels == stored[chunk].labels
            assert (item.path, item.source) == (stored[chunk].path, stored[chunk].source)
            assert np.allclose(item.dense, stored[chunk].dense, atol=1e-6)
            assert np.array_equal(item.sparse.indices, stored[chunk].sparse.indices)
            assert np.allclose(item.sparse.values, stored[chunk].sparse.values)

    def test_a_vector_of_another_dimension_is_refused(self, index: Index) -> None:
        wide = np.ones(DIMENSION + 1, dtype=np.float32)
        with pytest.raises(ValueError, match=r"dimension 16.*same encoder"):
            index.upsert([point(1, dense=wide)])
        with pytest.raises(ValueError, match="dimension 16"):
            index.search(wide, sparse({}), EVERYBODY, 5)
        with pytest.raises(ValueError, match="dimension 16"):
            index.fused(wide, sparse({}), EVERYBODY, 5)

    @pytest.mark.parametrize("tenant", ["", "  "])
    def test_no_tenant_no_answer(self, index: Index, tenant: str) -> None:
        index.upsert([point(1)])
        query = (dense(1), sparse({}), Scope(tenant, unrestricted=True), 5)
        with pytest.raises(MissingTenantError):
            index.search(*query)
        with pytest.raises(MissingTenantError):
            index.fused(*query)
        with pytest.raises(MissingTenantError):
            index.upsert([point(2), point(3, Labels(tenant))])
        assert index.count() == 1

    def test_an_unknown_field_is_refused(self, index: Index) -> None:
        scope = Scope("acme", narrow={"colour": frozenset({"red"})})
        with pytest.raises(UnknownFieldError, match="colour"):
            index.search(dense(1), sparse({}), scope, 5)
        with pytest.raises(UnknownFieldError, match="audience"):
            index.fused(dense(1), sparse({}), scope, 5)

    def test_hidden_chunks_do_not_take_the_places_of_visible_ones(self, index: Index) -> None:
        """Fails when the store itself is not given the filter: checking afterwards is too late."""
        hidden = [point(n, Labels("globex"), dense=dense(1)) for n in range(200, 340)]
        secret = [point(n, Labels("acme", plan=("pro",)), dense=dense(1)) for n in range(400, 540)]
        index.upsert([*hidden, *secret, point(2)])
        scope = Scope("acme", holds={"plan": frozenset({"free"})})
        with capture_logs() as logs:
            found = index.search(dense(1), sparse(QUERY_TERMS), scope, 1)
            fused = index.fused(dense(1), sparse(QUERY_TERMS), scope, 1)
        assert [hit.id for hit in (*found.dense, *found.sparse, *fused)] == [point(2).id] * 3
        assert logs == []

    def test_a_store_that_ignores_the_filter_leaks_nothing(
        self, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Fails when answers are not checked again; the fault is logged without any text."""
        foreign = point(1, Labels("globex"))
        secret = point(2, Labels("acme", audience=("admin",)))
        index.upsert([foreign, secret, point(3)])
        self.blind(index, monkeypatch)
        for ask in (index.search, index.fused):
            with capture_logs() as logs, pytest.raises(OutsideScopeError, match="2 hits"):
                ask(dense(1), sparse(QUERY_TERMS), Scope("acme"), 10)
            assert {log["chunk_id"]: log["reason"] for log in logs} == {
                foreign.id: "tenant",
                secret.id: "audience",
            }
            assert {log["log_level"] for log in logs} == {"error"}

    def test_points_of_another_version_are_not_taken(
        self, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a copy of files from version to version: the labels fit, the tags do not."""
        index.upsert([point(1)])
        monkeypatch.setattr(index, "_gateway", Gateway(TAGS("docs__other")))
        for ask in (index.search, index.fused):
            with capture_logs() as logs, pytest.raises(OutsideScopeError, match="1 hits"):
                ask(dense(1), sparse({}), EVERYBODY, 5)
            assert [log["reason"] for log in logs] == ["tag"]
            assert logs[0]["index_version"] == "docs__other"

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,  # the index is only read
            HealthCheck.differing_executors,  # one class an adapter
        ],
    )
    @given(scope=SCOPES)
    def test_a_scope_sees_exactly_what_it_may(self, index: Index, scope: Scope) -> None:
        stored = corpus()
        if not index.count():
            index.upsert(stored)
        visible = {item.id for item in stored if sees(scope, item)}
        found = index.search(dense(3), sparse(QUERY_TERMS), scope, len(stored))
        assert {hit.id for hit in found.dense} == visible
        assert {hit.id for hit in found.sparse} == visible
        fused = index.fused(dense(3), sparse(QUERY_TERMS), scope, len(stored))
        assert {hit.id for hit in fused} == visible

    def test_many_threads_search_at_once(self, index: Index) -> None:
        index.upsert(corpus())
        query = (dense(3), sparse(QUERY_TERMS), EVERYBODY, 10)
        alone = index.search(*query)
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda _: index.search(*query), range(64)))
        assert all(same(rankings.dense, alone.dense) for rankings in together)
        assert all(same(rankings.sparse, alone.sparse) for rankings in together)

    def test_what_is_written_is_found_after_flush(self, index: Index) -> None:
        index.upsert([point(1)])
        index.flush()
        assert index.count() == 1
