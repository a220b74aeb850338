"""What an answer would change of what is shown, and whether it is worth asking for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.profile import Asked, Moment, Reply, load_facts, load_questions, next_question
from onboarding.profile.questions import worth_of
from onboarding.profile.showing import Curated, Shown, change, overlap
from onboarding.types import Profile
from tests.onboarding.profile.making import NOON

FILE = load_questions(load_facts())
OF = Curated()
NOW = Shown(("connect", "mfa"), frozenset({"connect", "mfa"}))
BUILD = Shown(("key", "connect"), frozenset({"key", "connect"}))
READ = Shown(("invite", "digest"), frozenset({"invite", "digest"}), "saas-reader@1")
BRANCHES = {"admin": NOW, "end_user": NOW, "executive": READ, "developer": BUILD}
SAME = {"a": 0.1}
EVEN = Profile(odds={"role": dict.fromkeys(BRANCHES, 0.25)})


def moment(by_answer: Mapping[str, Shown] = BRANCHES, question: str = "role") -> Moment:
    return Moment("s1", shown=NOW, shown_by_answer={question: by_answer})


def sure(admin: float) -> Profile:
    rest = (1 - admin) / 3
    return Profile(odds={"role": dict.fromkeys(BRANCHES, rest) | {"admin": admin}})


@pytest.mark.parametrize(
    ("one", "other", "by"),
    [
        (("a", "b"), ("a", "b"), 1.0),
        ((), (), 1.0),
        (("a", "b"), ("b", "a"), 0.5),  # the first is another, the two are the same
        (("a", "b"), ("a", "c"), 0.75),
        (("a",), ("b",), 0.0),
        (("a",), (), 0.0),
    ],
)
def test_the_first_card_counts_most(
    one: tuple[str, ...], other: tuple[str, ...], by: float
) -> None:
    assert overlap(one, other) == pytest.approx(by)


def test_cards_branch_and_kit_are_weighed() -> None:
    assert change(NOW, NOW, OF) == 0
    assert change(NOW, READ, OF) == pytest.approx(1)
    by_hand = 0.5 * (1 - (0 + 1 / 2) / 2) + 0.3 * (1 - 1 / 3)
    assert change(NOW, BUILD, OF) == pytest.approx(by_hand)
    assert change(NOW, replace(NOW, kit="saas@1"), OF) == pytest.approx(0.2)


def test_the_worth_is_the_expected_change() -> None:
    worth = worth_of(FILE.questions[0], EVEN, moment(), FILE.limits)
    assert worth.expected == pytest.approx(
        0.25 * change(NOW, READ, OF) + 0.25 * change(NOW, BUILD, OF)
    )
    assert worth.changes == pytest.approx(0.5)
    offer = next_question(EVEN, FILE, moment(), [], NOON)
    assert offer is not None
    assert offer.worth.question.id == "role"


shown = st.builds(
    Shown,
    st.lists(st.sampled_from("abcd"), unique=True, max_size=3).map(tuple),
    st.frozensets(st.sampled_from("abcd")),
    st.sampled_from([None, "k@1"]),
)


@given(shown, st.lists(st.floats(0.01, 1), min_size=4, max_size=4))
def test_an_answer_that_changes_nothing_is_worth_nothing(same: Shown, weights: list[float]) -> None:
    odds = dict(zip(BRANCHES, weights, strict=True))
    here = Moment("s1", shown=same, shown_by_answer={"role": dict.fromkeys(BRANCHES, same)})
    worth = worth_of(FILE.questions[0], Profile(odds={"role": odds}), here, FILE.limits)
    assert (worth.expected, worth.changes) == (0, 0)
    assert next_question(Profile(odds={"role": odds}), FILE, here, [], NOON) is None


@given(shown, shown)
def test_a_change_is_a_share_and_the_same_both_ways(one: Shown, other: Shown) -> None:
    assert 0 <= change(one, other, OF) <= 1
    assert change(one, other, OF) == pytest.approx(change(other, one, OF))
    assert (change(one, other, OF) == 0) == (one == other)


def test_who_is_known_well_enough_is_not_asked() -> None:
    assert next_question(sure(0.25), FILE, moment(), [], NOON) is not None
    assert next_question(sure(0.90), FILE, moment(), [], NOON) is None


def test_each_question_without_an_answer_makes_the_next_dearer() -> None:
    """Worth 0.31 of what is shown; the costs are 0.1, 0.2, 0.4."""
    profile = sure(0.48)
    worth = worth_of(FILE.questions[0], profile, moment(), FILE.limits)
    assert 0.2 < worth.expected < 0.4
    open_ = [Asked("intent", "s-1", NOON - timedelta(days=9))]
    skipped = [*open_, Asked("size", "s-2", NOON - timedelta(days=8), Reply.SKIPPED)]
    answered = [replace(each, reply=Reply.ANSWERED) for each in skipped]
    assert next_question(profile, FILE, moment(), open_, NOON) is not None
    assert next_question(profile, FILE, moment(), skipped, NOON) is None
    assert next_question(profile, FILE, moment(), answered, NOON) is not None


def test_of_two_that_pay_the_one_that_splits_best_is_asked() -> None:
    kits = {v: replace(NOW, kit=f"{v}@1") for v in ("ecommerce", "fintech", "healthcare", "saas")}
    here = Moment("s1", shown=NOW, shown_by_answer={"industry": kits, "role": BRANCHES})
    offer = next_question(EVEN, FILE, here, [], NOON)
    assert offer is not None
    assert offer.worth.question.id == "role"
    assert next_question(sure(0.95), FILE, here, [], NOON) is not None, "then the kit"


def test_a_model_that_ranks_goes_before_the_rules() -> None:
    ranked = replace(moment(), without=SAME, by_answer={"role": dict.fromkeys(BRANCHES, SAME)})
    assert next_question(EVEN, FILE, ranked, [], NOON) is None
