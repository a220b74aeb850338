"""The filter by itself: what a scope demands, and what is dropped when a store ignores it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from retrieval.filters import NARROWABLE, Clause, clauses
from retrieval.gateway import Answer, Gateway
from retrieval.index import MissingTenantError, OutsideScopeError, UnknownFieldError
from retrieval.points import payload_of, point_id, point_of
from retrieval.tags import CHUNK, KEY_BYTES, TAG, tags_under
from retrieval.types import LABEL_FIELDS, ChunkId, Hit, Labels, Scope
from tests.contracts.index import SCOPES, TAGS, VALUES, corpus, point, sees

NOW = TAGS("now")

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
    admitted = all(clause.admits(payload_of(stored, NOW)) for clause in clauses(scope))
    assert admitted == sees(scope, stored)


@given(scope=SCOPES)
def test_nothing_outside_the_scope_passes_the_check(scope: Scope) -> None:
    stored = {item.id: item for item in corpus()}
    answers = [Answer(payload_of(item, NOW), 1.0) for item in stored.values()]
    for answer in answers:
        mine = sees(scope, stored[ChunkId(str(answer.payload[CHUNK]))])
        with capture_logs() as logs:
            if mine:
                assert len(Gateway(NOW).admit([answer], clauses(scope))) == 1
            else:
                with pytest.raises(OutsideScopeError):
                    Gateway(NOW).admit([answer], clauses(scope))
        assert bool(logs) != mine


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
    payload = payload_of(point(1, Labels("globex", plan=("pro",))), NOW)
    mine = payload_of(point(2), NOW)
    gateway = Gateway(NOW)
    with capture_logs() as logs, pytest.raises(OutsideScopeError, match="embark index run --full"):
        gateway.admit([Answer(payload, 0.5), Answer(mine, 0.4)], clauses(Scope("acme")))
    assert logs == [
        {
            "event": "index.hit_outside_scope",
            "log_level": "error",
            "chunk_id": "guides/page-0#1",
            "tenant": "globex",
            "index_version": "now",
            "reason": "tenant",
            "alarms": 1,
        }
    ]
    assert gateway.alarms == {"tenant": 1}


def test_an_answer_without_a_chunk_id_is_dropped() -> None:
    payload = {key: value for key, value in payload_of(point(1), NOW).items() if key != CHUNK}
    with capture_logs() as logs, pytest.raises(OutsideScopeError):
        Gateway(NOW).admit([Answer(payload, 0.5)], clauses(Scope("acme")))
    assert logs[0]["reason"] == CHUNK


@pytest.mark.parametrize(
    "change",
    [
        {"plan": ["*"]},
        {"audience": ["*", "admin"]},
        {"role": ["viewer", "owner"]},
        {"version": []},
        {"locale": ["de"]},
        {"chunk": "guides/page-9#0"},
        {TAG: None},
        {TAG: ""},
        {TAG: "a" * 32},
    ],
)
def test_what_was_changed_in_the_store_has_no_tag_that_fits(change: dict[str, object]) -> None:
    """Even when the viewer may see what it was changed to: labels of the store are not believed."""
    labels = Labels("acme", plan=("pro",), role=("owner", "viewer"), version=("1",), locale=("en",))
    payload = payload_of(point(1, labels), NOW)
    everybody = clauses(Scope("acme", unrestricted=True))
    assert len(Gateway(NOW).admit([Answer(payload, 0.5)], everybody)) == 1
    with capture_logs() as logs, pytest.raises(OutsideScopeError):
        Gateway(NOW).admit([Answer(payload | change, 0.5)], everybody)
    assert [log["reason"] for log in logs] == ["tag"]


def test_a_point_moved_to_another_tenant_is_not_that_tenants() -> None:
    """The key is the tenant's: who knows one tenant's tags cannot make another's."""
    stolen = payload_of(point(1), NOW) | {"tenant": "globex"}
    with capture_logs() as logs, pytest.raises(OutsideScopeError):
        Gateway(NOW).admit([Answer(stolen, 0.5)], clauses(Scope("globex")))
    assert [log["reason"] for log in logs] == ["tag"]


def test_tags_are_of_their_key_version_and_tenant() -> None:
    payload = payload_of(point(1), NOW)
    others = (
        TAGS("later"),
        tags_under(bytes(KEY_BYTES))("now"),
    )
    assert NOW.holds(payload)
    assert not any(other.holds(payload) for other in others)
    assert payload_of(point(1, Labels("globex")), NOW)[TAG] != payload[TAG]
    assert len(str(payload[TAG])) == 32


def test_a_tag_does_not_tell_the_order_of_fields_apart_by_luck() -> None:
    """Values are framed: what moves from one label to the next has another tag."""
    one = payload_of(point(1, Labels("acme", plan=("a", "b"), role=("c",))), NOW)
    two = payload_of(point(1, Labels("acme", plan=("a",), role=("b", "c"))), NOW)
    assert one[TAG] != two[TAG]


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes; make it 32"):
        tags_under(bytes(size))


def test_a_changed_point_is_not_carried_on() -> None:
    stored = point(4)
    payload = payload_of(stored, NOW) | {"plan": ["pro"]}
    with pytest.raises(OutsideScopeError):
        point_of(payload, stored.dense.tolist(), [1], [1.0], NOW)


def test_hits_keep_order_and_score() -> None:
    answers = [Answer(payload_of(point(n), NOW), n / 10) for n in (3, 1, 2)]
    assert Gateway(NOW).admit(answers, clauses(Scope("acme"))) == tuple(
        Hit(point(n).id, n / 10) for n in (3, 1, 2)
    )


def test_a_point_survives_its_payload() -> None:
    stored = point(4, Labels("acme", plan=("pro", "free"), owner="docs-team", updated="2026-01-31"))
    back = point_of(
        payload_of(stored, NOW),
        stored.dense.tolist(),
        stored.sparse.indices[::-1].tolist(),
        stored.sparse.values[::-1].tolist(),
        NOW,
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
