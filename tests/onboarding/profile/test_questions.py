"""Which question is asked, when none is, and what an answer does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.profile import (
    Asked,
    Moment,
    Reply,
    Words,
    ask,
    declared,
    load_beliefs,
    load_facts,
    load_questions,
    next_question,
    profile_of,
    what_if,
)
from onboarding.profile.questions import answer_odds, worth_of
from onboarding.rules import DataFileError
from onboarding.types import Fact, Profile, Source
from tests.onboarding.profile.making import ANA, NOON

DAY = timedelta(days=1)
FACTS = load_facts()
FILE = load_questions(FACTS)
WORDS = Words(FACTS, load_beliefs())
GUESS = Fact(
    *("t", "ana", "role", "admin", 0.7, Source.INFERRED, NOON),
    expires=NOON + 30 * DAY,
    odds={"admin": 0.7, "end_user": 0.1, "executive": 0.1, "developer": 0.1},
)
UNSURE = replace(
    GUESS, value="unknown", confidence=0.4,
    odds={"admin": 0.4, "end_user": 0.3, "executive": 0.2, "developer": 0.1},
)  # fmt: skip
BASE = {"connect": 0.10, "invite": 0.09}
ROLES: Mapping[str, Mapping[str, float]] = {
    "admin": {"connect": 0.10, "invite": 0.20},
    "end_user": {"connect": 0.12, "invite": 0.05},
    "executive": {"connect": 0.02, "invite": 0.04},
    "developer": {"connect": 0.30, "invite": 0.01},
}


def moment(by_answer: Mapping[str, Mapping[str, float]] = ROLES, **more: object) -> Moment:
    return replace(Moment("s1", BASE, {"role": by_answer}), **more)  # type: ignore[arg-type]


def test_the_worth_is_what_knowing_would_add() -> None:
    profile = profile_of([UNSURE], NOON)
    worth = worth_of(FILE.questions[0], profile, moment(), FILE.limits)
    by_hand = 0.4 * 0.20 + 0.3 * 0.12 + 0.2 * 0.04 + 0.1 * 0.30 - 0.10
    assert worth.expected == pytest.approx(by_hand)
    assert worth.changes == pytest.approx(0.4 + 0.2)  # admins and executives


def test_the_question_that_pays_most_is_asked() -> None:
    offer = next_question(profile_of([UNSURE], NOON), FILE, moment(), [], NOON)
    assert offer is not None
    assert (offer.worth.question.id, offer.offered) == ("role", None)


def test_a_guess_that_is_good_enough_is_offered_to_confirm() -> None:
    offer = next_question(profile_of([GUESS], NOON), FILE, moment(), [], NOON)
    assert offer is not None
    assert offer.offered == "admin"
    asked = ask(offer, WORDS, "de-DE")
    assert asked.asks == "Sie arbeiten wohl als: Administrator. Stimmt das?"
    assert asked.why.startswith("Einrichten")
    assert ask(offer, WORDS).choices["developer"] == "a developer"


def test_an_import_is_offered_and_trusted_more() -> None:
    crm = replace(GUESS, source=Source.IMPORTED, value="executive", odds={}, expires=None)
    profile = profile_of([crm], NOON)
    odds = answer_odds("role", profile, tuple(ROLES))
    assert odds["executive"] == pytest.approx(0.9)
    assert sum(odds.values()) == pytest.approx(1)
    offer = next_question(profile, FILE, moment({**ROLES, "executive": {"value": 0.5}}), [], NOON)
    assert offer is not None
    assert offer.offered == "executive"


@pytest.mark.parametrize(
    ("by_answer", "why"),
    [
        (dict.fromkeys(ROLES, BASE), "no answer changes anything"),
        (
            {**dict.fromkeys(ROLES, BASE), "developer": {"connect": 0.01, "invite": 0.05}},
            "too dear",
        ),
        ({a: {"connect": 0.5, "invite": 0.0} for a in ROLES}, "the first stays the same"),
        ({}, "nobody said what answers change"),
    ],
)
def test_a_question_that_does_not_pay_is_not_asked(
    by_answer: Mapping[str, Mapping[str, float]], why: str
) -> None:
    assert next_question(profile_of([UNSURE], NOON), FILE, moment(by_answer), [], NOON) is None, why


def test_a_rare_answer_is_not_worth_asking_all() -> None:
    rare = {"admin": 0.95, "end_user": 0.05, "executive": 0.0, "developer": 0.0}
    changes = {**dict.fromkeys(ROLES, BASE), "end_user": {"connect": 0.0, "invite": 0.9}}
    profile = profile_of([replace(GUESS, odds=rare, confidence=0.95)], NOON)
    worth = worth_of(FILE.questions[0], profile, moment(changes), FILE.limits)
    assert worth.expected > 0.005
    assert worth.changes == pytest.approx(0.05)
    assert next_question(profile, FILE, moment(changes), [], NOON) is None


def test_one_a_session_and_three_in_onboarding() -> None:
    profile = profile_of([UNSURE], NOON)
    other = Asked("intent", "s1", NOON)
    assert next_question(profile, FILE, moment(), [other], NOON) is None
    asked = [Asked(name, f"s-{name}", NOON) for name in ("intent", "size", "industry")]
    assert next_question(profile, FILE, moment(), asked[:2], NOON) is not None
    assert next_question(profile, FILE, moment(), asked, NOON) is None
    assert next_question(profile, FILE, moment(onboarding=False), asked, NOON) is not None


@pytest.mark.parametrize(
    ("reply", "days", "again"),
    [
        (Reply.SKIPPED, 89, False),
        (Reply.SKIPPED, 90, True),
        (Reply.OPEN, 1, False),
        (Reply.ANSWERED, 900, False),
    ],
)
def test_what_was_asked_before(reply: Reply, days: int, again: bool) -> None:
    before = [Asked("role", "s0", NOON - days * DAY, reply)]
    offer = next_question(profile_of([UNSURE], NOON), FILE, moment(), before, NOON)
    assert (offer is not None) == again


def test_what_was_declared_is_never_asked() -> None:
    said = declared(ANA, "role", "admin", NOON)
    assert next_question(profile_of([UNSURE, said], NOON), FILE, moment(), [], NOON) is None


scores = st.fixed_dictionaries({"a": st.floats(0, 1), "b": st.floats(0, 1)})


@given(
    st.lists(st.floats(0.01, 1), min_size=4, max_size=4), st.lists(scores, min_size=4, max_size=4)
)
def test_knowing_is_never_worth_less_than_not_knowing(
    weights: list[float], given_scores: list[dict[str, float]]
) -> None:
    """Where scores without the answer are the means of those with it, no question has a negative
    worth; and one whose answers leave the first suggestion has none."""
    answers = list(ROLES)
    whole = sum(weights)
    odds = {a: w / whole for a, w in zip(answers, weights, strict=True)}
    by_answer = dict(zip(answers, given_scores, strict=True))
    without = {k: sum(odds[a] * by_answer[a][k] for a in answers) for k in ("a", "b")}
    profile = Profile({}, {"role": odds})
    moment = Moment("s", without, {"role": by_answer})
    worth = worth_of(FILE.questions[0], profile, moment, FILE.limits)
    assert worth.expected >= -1e-9
    assert -1e-9 <= worth.changes <= 1 + 1e-9
    if worth.changes == 0:
        assert worth.expected == pytest.approx(0, abs=1e-9)


def test_what_if_is_as_if_it_had_been_said() -> None:
    profile = profile_of([GUESS], NOON)
    then = what_if(profile, ANA, "role", "developer", NOON)
    assert then == profile_of([GUESS, declared(ANA, "role", "developer", NOON)], NOON)
    assert profile.value("role") == "admin"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("fact: role", "fact: rolle", "questions.0.fact: no fact rolle; did you mean role"),
        ("id: intent", "id: role", "questions.1.id: role stands here twice"),
        ("    ask: {en:", "    asks: {en:", "there is no such key here"),
        ("again_after: 90d", "again_after: soon", "limits.again_after"),
    ],
)
def test_a_bad_file_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (files("onboarding.profile") / "definitions" / "questions.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "questions.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DataFileError) as failure:
        load_questions(FACTS, path)
    assert says in str(failure.value)
    assert f"{path}:" in str(failure.value)
