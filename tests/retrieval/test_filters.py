"""The filter by itself: what a scope demands, and what is dropped when a store ignores it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from retrieval.filters import CHUNK, NARROWABLE, Answer, Clause, clauses, verified
from retrieval.index import MissingTenantError, UnknownFieldError
from retrieval.points import payload_of, point_id, point_of
from retrieval.types import LABEL_FIELDS, ChunkId, Hit, Labels, Scope
from tests.contracts.index import SCOPES, VALUES, corpus, point, sees

LABELS = st.builds(
    Labels,
    tenant=st.sampled_from(("acme", "globex")),
    owner=st.sampled_from((None, "docs-team", "security")),
    **{
        field: st.lists(st.sampled_from((*values, "*")), min_size=1, max_size=2).map(tuple)
        for field, values in VALUES.items()
    },
)


@given(scope=SCOPES, labels=LABELS, number=st.integers(0, 9))
def test_clauses_say_what_scope_says(scope: Scope, labels: Labels, number: int) -> None:
    stored = point(number, labels)
    admitted = all(clause.admits(payload_of(stored)) for clause in clauses(scope))
    assert admitted == sees(scope, stored)


@given(scope=SCOPES)
def test_nothing_outside_the_scope_passes_the_check(scope: Scope) -> None:
    stored = {item.id: item for item in corpus()}
    answers = [Answer(payload_of(item), 1.0) for item in stored.values()]
    with capture_logs():
        hits = verified(answers, clauses(scope))
    assert all(sees(scope, stored[hit.id]) for hit in hits)


@given(tenant=st.text(" \t\n", max_size=3))
def test_a_blank_tenant_is_no_tenant(tenant: str) -> None:
    with pytest.raises(MissingTenantError):
        clauses(Scope(tenant, unrestricted=True))


@given(name=st.text(min_size=1).filter(lambda name: name not in NARROWABLE))
def test_only_known_fields_narrow(name: str) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        clauses(Scope("acme", narrow={name: frozenset({"x"})}))
    assert caught.value.name == name


def test_the_tenant_is_no_field_to_narrow_by() -> None:
    with pytest.raises(UnknownFieldError):
        clauses(Scope("acme", narrow={"tenant": frozenset({"globex"})}))


def test_unrestricted_skips_labels_and_never_the_tenant() -> None:
    assert clauses(Scope("acme", unrestricted=True)) == (Clause("tenant", frozenset({"acme"})),)


def test_every_label_is_demanded_of_a_viewer_who_holds_nothing() -> None:
    demanded = {clause.field: clause.values for clause in clauses(Scope("acme"))}
    assert demanded == {"tenant": {"acme"}} | {field: {"*"} for field in LABEL_FIELDS}


@pytest.mark.parametrize(
    "payload",
    [{}, {"plan": None}, {"plan": 1}, {"plan": []}, {"plan": {"pro": 1}}, {"plan": "free"}],
)
def test_a_payload_that_does_not_say_so_is_not_admitted(payload: Mapping[str, object]) -> None:
    assert not Clause("plan", frozenset({"pro"})).admits(payload)


def test_a_clause_without_values_admits_nothing() -> None:
    assert not Clause("owner", frozenset()).admits({"owner": "docs-team"})


def test_a_dropped_hit_is_logged_with_ids_and_fields_only() -> None:
    payload = payload_of(point(1, Labels("globex", plan=("pro",))))
    with capture_logs() as logs:
        assert verified([Answer(payload, 0.5)], clauses(Scope("acme"))) == ()
    assert logs == [
        {
            "event": "index.hit_outside_scope",
            "log_level": "error",
            "chunk": "guides/page-0#1",
            "fields": ["tenant", "plan"],
        }
    ]


def test_an_answer_without_a_chunk_id_is_dropped() -> None:
    payload = {key: value for key, value in payload_of(point(1)).items() if key != CHUNK}
    with capture_logs() as logs:
        assert verified([Answer(payload, 0.5)], clauses(Scope("acme"))) == ()
    assert logs[0]["fields"] == [CHUNK]


def test_hits_keep_order_and_score() -> None:
    answers = [Answer(payload_of(point(n)), n / 10) for n in (3, 1, 2)]
    assert verified(answers, clauses(Scope("acme"))) == tuple(
        Hit(point(n).id, n / 10) for n in (3, 1, 2)
    )


def test_a_point_survives_its_payload() -> None:
    stored = point(4, Labels("acme", plan=("pro", "free"), owner="docs-team", updated="2026-01-31"))
    back = point_of(
        payload_of(stored),
        stored.dense.tolist(),
        stored.sparse.indices[::-1].tolist(),
        stored.sparse.values[::-1].tolist(),
    )
    assert (back.id, back.labels, back.content_hash) == (
        stored.id,
        stored.labels,
        stored.content_hash,
    )
    assert back.sparse.indices.tolist() == stored.sparse.indices.tolist()
    assert back.sparse.values.tolist() == stored.sparse.values.tolist()


def test_point_ids_are_the_same_in_every_process() -> None:
    assert point_id(ChunkId("guides/invite#3")) == "b0e07ef3-2dc5-5d72-8460-26b62ee795c3"
