"""What holds when: every clause, what is not known, and the evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from guardrails.consent import Purpose
from onboarding.rules import Moment, Rule, compile_rule, evidence, is_negative
from onboarding.types import Source
from tests.onboarding.rules.worlds import event, fact, world

RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
DAY = timedelta(days=1)


def holds(written: Any, view: Moment) -> bool:
    return compile_rule(RULE.validate_python(written))(view)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"event": "Signed Up"}, True),
        ({"event": "Signed Up", "within": "2d"}, False),
        ({"event": "Signed Up", "within": "3d"}, True),
        ({"event": "Connection Created", "at_least": 2}, True),
        ({"event": "Connection Created", "at_least": 3}, False),
        ({"event": "Connection Created", "where": {"connector": "stripe"}}, True),
        ({"event": "Connection Created", "where": {"connector": "stripe"}, "at_least": 2}, False),
        ({"event": "Connection Created", "where": {"connector": "stripe"}, "within": "1h"}, False),
        ({"event": "Never Heard"}, False),
    ],
)
def test_events_count_within_their_time_and_fields(written: Any, expected: bool) -> None:
    view = world(
        [
            event("Signed Up", 3 * DAY),
            event("Connection Created", 2 * DAY, fields={"connector": "stripe"}),
            event("Connection Created", DAY, fields={"connector": "postgresql"}),
        ]
    )
    assert holds(written, view) is expected


def test_what_a_colleague_did_counts_for_the_account() -> None:
    view = world(team=[event("Connection Created", DAY, user="tom")])
    assert holds({"event": "Connection Created"}, view)


def test_a_field_counts_for_its_purposes_alone() -> None:
    told = event("Connection Created", DAY, fields={"connector": "stripe"}, purposes=_SUPPORT)
    assert not holds(
        {"event": "Connection Created", "where": {"connector": "stripe"}}, world([told])
    )
    assert holds({"event": "Connection Created"}, world([told]))


_SUPPORT = frozenset({Purpose.SUPPORT})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"feature.days_since_signup": "<14"}, True),
        ({"feature.days_since_signup": "<=13"}, True),
        ({"feature.days_since_signup": ">13"}, False),
        ({"feature.days_since_signup": 13}, True),
        ({"feature.days_since_signup": {"in": [12, 13]}}, True),
        ({"feature.missing": "<14"}, False),
        ({"feature.missing": {"not": 3}}, False),
        ({"not": {"feature.missing": "<14"}}, True),
        ({"feature.last_page": "dashboards"}, True),
        ({"feature.last_page": "<14"}, False),
        ({"state.sso": False}, True),
        ({"state.sso": 0}, False),
        ({"state.members": ">=2"}, True),
        ({"state.gone": False}, False),
        ({"stalled": {"step": "connect", "risk": ">=0.3"}}, True),
        ({"stalled": {"step": "invite", "risk": ">=0.3"}}, False),
        ({"experiment": "copy", "arm": "short"}, True),
        ({"experiment": "copy", "arm": {"not": "short"}}, False),
        ({"experiment": "other", "arm": {"not": "short"}}, False),
    ],
)
def test_values_are_compared_and_the_unknown_satisfies_nothing(
    written: Any, expected: bool
) -> None:
    view = world(
        features={"days_since_signup": 13.0, "last_page": "dashboards"},
        states={"sso": False, "members": 2},
        risks={"connect": 0.3},
        arms={"copy": "short"},
    )
    assert holds(written, view) is expected


@pytest.mark.parametrize(
    ("source", "confidence", "written", "expected"),
    [
        (Source.DECLARED, 1.0, {"profile.role": "admin"}, True),
        (Source.INFERRED, 0.61, {"profile.role": "admin"}, True),
        (Source.INFERRED, 0.59, {"profile.role": "admin"}, False),
        (Source.INFERRED, 0.59, {"profile.role": "unknown"}, True),
        (Source.INFERRED, 0.59, {"profile.role": {"not": "admin"}}, True),
        (Source.INFERRED, 0.7, {"profile.role": {"is": "admin", "confidence": ">=0.8"}}, False),
        (Source.INFERRED, 0.8, {"profile.role": {"is": "admin", "confidence": ">=0.8"}}, True),
        (Source.IMPORTED, 0.5, {"profile.role": {"in": ["admin", "analyst"]}}, True),
        (Source.DECLARED, 1.0, {"profile.industry": "unknown"}, True),
    ],
)
def test_an_unsure_inference_counts_as_unknown(
    source: Source, confidence: float, written: Any, expected: bool
) -> None:
    assert holds(written, world(facts=[fact("role", "admin", confidence, source)])) is expected


_LEAVES = st.sampled_from(
    [
        {"event": "Signed Up"},
        {"event": "Never Heard"},
        {"feature.days_since_signup": "<14"},
        {"feature.missing": "<14"},
        {"profile.role": "admin"},
        {"state.sso": True},
    ]
)


def _truth(written: dict[str, Any]) -> bool:
    match written:
        case {"all": parts}:
            return all(map(_truth, parts))
        case {"any": parts}:
            return any(map(_truth, parts))
        case {"not": part}:
            return not _truth(part)
        case {"event": name}:
            return bool(name == "Signed Up")
        case _:
            return next(iter(written)) in {"feature.days_since_signup", "profile.role"}


@given(
    st.recursive(
        _LEAVES,
        lambda inner: st.one_of(
            st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"not": inner}),
        ),
        max_leaves=12,
    )
)
def test_trees_are_plain_logic(written: dict[str, Any]) -> None:
    view = world(
        [event("Signed Up")], [fact("role", "admin")], {"sso": False}, {"days_since_signup": 1.0}
    )
    assert holds(written, view) is _truth(written)
    rule = RULE.validate_python(written)
    if evidence(rule, view):
        assert _truth(written)


def test_evidence_names_what_made_it_hold() -> None:
    rule = RULE.validate_python(
        {
            "all": [
                {"any": [{"event": "Never Heard"}, {"event": "Signed Up"}]},
                {"profile.role": "admin"},
                {"state.sso": True},
                {"not": {"event": "Never Heard"}},
            ]
        }
    )
    view = world([event("Signed Up", DAY)], [fact("role", "admin")], {"sso": True})
    shown = evidence(rule, view)
    assert [each.id for each in shown] == ["ana-Signed Up-86400", "m-role", "state:sso"]
    assert (shown[0].by, shown[0].at) == ("ana", view.now - DAY)
    assert evidence(rule, world([event("Signed Up")])) == ()


def test_what_may_hold_by_nothing_having_happened() -> None:
    negative = {"any": [{"event": "Signed Up"}, {"not": {"event": "Dashboard Viewed"}}]}
    assert is_negative(RULE.validate_python(negative))
    positive = {"all": [{"event": "Signed Up"}, {"not": {"event": "Dashboard Viewed"}}]}
    assert not is_negative(RULE.validate_python(positive))
