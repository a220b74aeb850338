"""Who may approve: the whole matrix of role x tier x login age, judged and demanded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from pydantic import JsonValue

from tests.tools.twins import RIGHT, manifest
from tools.approvals import (
    FLOW,
    POLICY,
    RULES,
    digest_now,
    effective_tier,
    fresh,
    judge,
    lifts,
    may_decide,
    objection,
)
from tools.canonical import new_id
from tools.journal import Action, Approval, ApprovalError, State
from tools.types import Actor, Principal, Tier, ToolCall

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
WHO = Principal("t", "ana", "acme")
LOGINS = {"none": None, "now": 0.0, "edge": 300.0, "old": 300.001, "day": 86400.0, "future": -1.0}
PEOPLE = {
    "requester": Actor(WHO, frozenset({RIGHT})),
    "requester_without_right": Actor(WHO, frozenset()),
    "colleague": Actor(Principal("t", "bo", "acme"), frozenset({RIGHT, "more"})),
    "colleague_without_right": Actor(Principal("t", "bo", "acme"), frozenset({"items:read"})),
    "staff": Actor(Principal("t", "sam", ""), frozenset({RIGHT}), staff=True),
    "staff_without_right": Actor(Principal("t", "sam", ""), frozenset(), staff=True),
    "other_account": Actor(Principal("t", "cy", "globex"), frozenset({RIGHT})),
    "other_tenant": Actor(Principal("u", "ana", "acme"), frozenset({RIGHT}), staff=True),
}
MAY = {"requester", "colleague", "staff"}


def action(tier: Tier = Tier.R2, **changes: object) -> Action:
    made = Action(
        id="a" * 22,
        idem_key="k",
        who=WHO,
        call=ToolCall("set_item", "1", {"name": "n"}),
        tier=tier,
        policy_version="p1",
        etag="v1",
        digest="",
        nonce="0" * 22,
        state=State.PENDING,
        fence=0,
        attempt=0,
        created=NOW,
        expires=NOW + timedelta(minutes=5),
    )
    made = replace(made, digest=digest_now(made))
    return replace(made, **changes)  # type: ignore[arg-type]


def given(to: Action, approver: str, channel: str = "user", **changes: str) -> Approval:
    made = Approval(new_id(), to.id, to.digest, approver, channel, NOW, "h")
    return replace(made, **changes)  # type: ignore[arg-type]


def expected(person: str, tier: Tier, login: str) -> str:
    """What the safety reference says, written as a table of its own."""
    if person not in MAY or (tier is Tier.R1 and person != "requester"):
        return "wrong_person"
    if tier in {Tier.R3, Tier.R4} and login not in {"now", "edge"}:
        return "stale_sign_in"
    return "not_yet" if tier is Tier.R4 else "last"


@pytest.mark.parametrize(
    ("person", "tier", "login"), list(product(PEOPLE, list(Tier)[1:], LOGINS)), ids=str
)
def test_the_whole_matrix(person: str, tier: Tier, login: str) -> None:
    age = LOGINS[login]
    signed_in = None if age is None else NOW - timedelta(seconds=age)
    approver = replace(PEOPLE[person], auth_time=signed_in)
    try:
        outcome = "last" if judge(action(tier), manifest(), approver, (), NOW) else "not_yet"
    except ApprovalError as refused:
        outcome = refused.code
    assert outcome == expected(person, tier, login)


def test_two_people_in_either_order() -> None:
    sensitive = action(Tier.R4)
    ana, bo = (replace(PEOPLE[name], auth_time=NOW) for name in ("requester", "colleague"))
    assert judge(sensitive, manifest(), bo, [given(sensitive, "ana")], NOW)
    assert judge(sensitive, manifest(), ana, [given(sensitive, "bo")], NOW)
    staff = replace(PEOPLE["staff"], auth_time=NOW)
    assert not judge(sensitive, manifest(), staff, [given(sensitive, "bo")], NOW)


def test_nobody_is_two_people() -> None:
    sensitive = action(Tier.R4)
    ana, bo = (replace(PEOPLE[name], auth_time=NOW) for name in ("requester", "colleague"))
    with pytest.raises(ApprovalError) as refused:
        judge(sensitive, manifest(), ana, [given(sensitive, "ana")], NOW)
    assert refused.value.code == "self_approval"
    with pytest.raises(ApprovalError) as refused:
        judge(sensitive, manifest(), bo, [given(sensitive, "bo")], NOW)
    assert refused.value.code == "already_decided"


LEAVE: Mapping[Tier, list[tuple[tuple[str, ...], bool]]] = {
    Tier.R0: [(("policy",), True), (("ana",), False)],
    Tier.R1: [(("policy",), True), (("ana",), True), (("bo",), False), (("ana", "bo"), False)],
    Tier.R2: [(("policy",), False), (("ana",), True), (("bo",), True)],
    Tier.R3: [(("policy",), False), (("ana",), True), (("bo",), True)],
    Tier.R4: [
        (("policy",), False),
        (("ana",), False),
        (("bo",), False),
        (("bo", "cy"), False),
        (("ana", "policy"), False),
        (("ana", "bo"), True),
    ],
}


@pytest.mark.parametrize(
    ("tier", "approvers", "leave"),
    [(tier, approvers, leave) for tier, rows in LEAVE.items() for approvers, leave in rows],
    ids=str,
)
def test_what_the_executor_takes_as_leave(
    tier: Tier, approvers: tuple[str, ...], leave: bool
) -> None:
    made = action(tier)
    approvals = [given(made, a, POLICY if a == POLICY else "user") for a in approvers]
    assert objection(made, approvals) == ("" if leave else "not_approved")


def test_no_approval_is_no_leave() -> None:
    assert objection(action(), ()) == "not_approved"


def test_an_approval_of_another_digest_or_action_is_no_leave() -> None:
    made = action()
    assert objection(made, [given(made, "ana", digest="x" * 43)]) == "digest_mismatch"
    assert objection(made, [given(made, "ana", action_id="b" * 22)]) == "digest_mismatch"
    two = [given(made, "ana"), given(made, "bo", digest="x" * 43)]
    assert objection(made, two) == "digest_mismatch"


@pytest.mark.parametrize(
    "change",
    [
        {"call": ToolCall("set_item", "1", {"name": "m"})},
        {"call": ToolCall("set_item", "2", {"name": "n"})},
        {"call": ToolCall("del_item", "1", {"name": "n"})},
        {"who": Principal("t", "bo", "acme")},
        {"who": Principal("u", "ana", "acme")},
        {"who": Principal("t", "ana", "globex")},
        {"etag": "v2"},
        {"etag": None},
        {"policy_version": "p2"},
        {"tier": Tier.R1},
        {"nonce": "1" * 22},
        {"expires": NOW + timedelta(minutes=6)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_the_digest_is_bound(change: dict[str, object]) -> None:
    made = action()
    assert objection(made, [given(made, "ana")]) == ""
    changed = replace(made, **change)  # type: ignore[arg-type]
    assert objection(changed, [given(made, "ana")]) == "digest_mismatch"


def test_a_flow_approval_needs_a_flow() -> None:
    made = action()
    assert objection(made, [given(made, "ana", FLOW)]) == "not_approved"
    step = replace(made, parent="f" * 22)
    assert objection(step, [given(step, "ana", FLOW)]) == ""


@pytest.mark.parametrize(
    ("arguments", "lifted"),
    [
        ({"members": ["x"] * 25}, False),
        ({"members": ["x"] * 26}, True),
        ({"role": "admin"}, True),
        ({"role": " ADMIN"}, True),
        ({"role": ["member", {"deep": "Admin"}]}, True),
        ({"role": "member"}, False),
        ({"value": "admin"}, False),
        ({"members": ["x"] * 26, "role": "admin"}, True),
        ({}, False),
    ],
)
def test_bulk_and_administrators_weigh_one_tier_more(
    arguments: dict[str, JsonValue], lifted: bool
) -> None:
    told = manifest(tier=Tier.R1)
    assert effective_tier(told, arguments) == (Tier.R2 if lifted else Tier.R1)
    assert bool(lifts(told, arguments)) == lifted
    assert effective_tier(manifest(tier=Tier.R4), arguments) is Tier.R4
    assert effective_tier(manifest(tier=Tier.R0), arguments) is Tier.R0


def test_only_those_concerned_may_decide() -> None:
    told = manifest()
    shared = {name: may_decide(action(), told, person) for name, person in PEOPLE.items()}
    assert {n for n, may in shared.items() if may} == MAY | {"requester_without_right"}
    own = {name: may_decide(action(Tier.R1), told, person) for name, person in PEOPLE.items()}
    assert {n for n, may in own.items() if may} == {"requester", "requester_without_right"}


def test_a_sign_in_ages_and_cannot_come_from_the_future() -> None:
    rule = RULES[Tier.R3]
    assert fresh(rule, NOW, NOW)
    assert not fresh(rule, NOW - timedelta(hours=1), NOW)
    assert not fresh(rule, NOW + timedelta(hours=1), NOW)
    assert not fresh(rule, None, NOW)
    assert fresh(RULES[Tier.R1], None, NOW)
