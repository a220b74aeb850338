"""Which statement counts: declared, imported, inferred; wishes; the profile that comes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.profile import declared, fact_id, lineage, profile_of, wishes_of
from onboarding.profile.holding import DELETED, NO, OFF, QUIET, YES
from onboarding.types import UNKNOWN, Fact, Source
from tests.onboarding.profile.making import ANA, NOON

DAY = timedelta(days=1)
NOW = NOON + 10 * DAY
GUESS = Fact(
    *("t", "ana", "role", "admin", 0.8, Source.INFERRED, NOON),
    evidence=("m1",),
    expires=NOON + 30 * DAY,
    odds={"admin": 0.8, "developer": 0.2},
)
IMPORT = replace(
    GUESS, value="executive", source=Source.IMPORTED, confidence=1.0, odds={}, expires=None
)
SAID = declared(ANA, "role", "developer", NOON)
NEWER = replace(GUESS, value="end_user", valid_from=NOON + DAY)


@pytest.mark.parametrize(
    ("facts", "value"),
    [
        ([GUESS], "admin"),
        ([GUESS, IMPORT], "executive"),
        ([SAID, IMPORT, GUESS], "developer"),
        ([NEWER, GUESS], "end_user"),
        ([SAID, replace(SAID, value="admin", valid_from=NOON + DAY)], "admin"),
        ([SAID, NEWER, replace(IMPORT, valid_from=NOW)], "developer"),
        ([], UNKNOWN),
    ],
)
def test_the_order_of_truth(facts: list[Fact], value: str) -> None:
    assert profile_of(facts, NOW).value("role") == value
    assert profile_of(reversed(facts), NOW).value("role") == value


statements = st.builds(
    replace,
    st.sampled_from([GUESS, IMPORT, SAID]),
    valid_from=st.integers(0, 12).map(lambda day: NOON + day * DAY),
    value=st.sampled_from(["admin", "developer", "executive"]),
)


@given(st.lists(statements, max_size=8))
def test_no_inference_is_above_a_declaration(facts: list[Fact]) -> None:
    held = profile_of(facts, NOW).facts.get("role")
    open_ = [f for f in facts if f.valid_from <= NOW]
    said = [f for f in open_ if f.source is Source.DECLARED]
    if said:
        assert held is not None
        assert (held.source, held.valid_from) == (
            Source.DECLARED,
            max(f.valid_from for f in said),
        )
    assert (held is None) == (not open_)


def test_what_expired_or_has_not_begun_does_not_count() -> None:
    assert profile_of([GUESS], NOON + 30 * DAY).facts == {}
    assert profile_of([GUESS], NOON + 30 * DAY - timedelta(seconds=1)).value("role") == "admin"
    assert profile_of([GUESS], NOON - DAY).facts == {}


def test_an_unsure_inference_is_unknown_to_rules_and_keeps_its_odds() -> None:
    unsure = replace(GUESS, confidence=0.59)
    profile = profile_of([unsure], NOW)
    assert (profile.value("role"), profile.odds["role"]) == (UNKNOWN, GUESS.odds)
    assert profile.value("role", confidence=0.5) == "admin"


def test_what_was_declared_is_certain_in_the_odds_too() -> None:
    assert profile_of([GUESS, SAID], NOW).odds["role"] == {"admin": 0.0, "developer": 1.0}


def test_personalisation_off_leaves_nothing_until_it_is_on() -> None:
    off, on = declared(ANA, OFF, YES, NOON), declared(ANA, OFF, NO, NOON + DAY)
    assert profile_of([SAID, off], NOW).facts == {}
    assert profile_of([SAID, off, on], NOW).value("role") == "developer"


def test_what_is_not_to_be_inferred_may_still_be_declared() -> None:
    quiet = declared(ANA, QUIET + "role", YES, NOON)
    assert profile_of([GUESS, quiet], NOW).facts == {}
    assert profile_of([GUESS, quiet], NOW).odds == {}
    assert profile_of([GUESS, SAID, quiet], NOW).value("role") == "developer"
    again = declared(ANA, QUIET + "role", NO, NOON + DAY)
    assert profile_of([GUESS, quiet, again], NOW).value("role") == "admin"


def test_what_was_deleted_counts_no_more_and_what_comes_later_does() -> None:
    gone = declared(ANA, DELETED + "role", YES, NOON)
    assert profile_of([GUESS, SAID, gone], NOW).facts == {}
    assert profile_of([GUESS, gone, NEWER], NOW).value("role") == "end_user"
    assert wishes_of([gone]).deleted == {"role": NOON}


def test_a_fact_leads_back_to_its_events() -> None:
    first = replace(GUESS, evidence=("m1", "m2"))
    second = replace(GUESS, name="size", value="1-10", evidence=("m3", fact_id(first), "m1"))
    third = replace(GUESS, name="goal", evidence=(fact_id(second), "fact:gone"))
    assert lineage(third, [first, second, third]) == ("m3", "m1", "m2")
    loop = replace(first, evidence=(fact_id(first), "m9"))
    assert lineage(loop, [loop]) == ("m9",)
