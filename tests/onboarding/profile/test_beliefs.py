"""The self-model: beliefs folded from events, tested by each occasion, and given up where wrong."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.consent import NOTHING_SAID
from onboarding.profile import Known, Words, declared, load_beliefs, load_facts, self_model, tell
from onboarding.profile.beliefs import (
    PRIOR_WEIGHT,
    Belief,
    SelfModel,
    alignment,
    decayed,
    fact_of,
)
from onboarding.profile.holding import DELETED, OFF, QUIET, YES
from onboarding.types import Event, Fact, History, Source
from tests.onboarding.profile.making import ANA, CONSENTED, NOON, event

KINDS = load_beliefs()
DAY = timedelta(days=1)
NOW = NOON + DAY
(OWN_DATA,) = (kind for kind in KINDS.beliefs if kind.id == "own_data")


def known(*events: Event, facts: tuple[Fact, ...] = ()) -> Known:
    return Known(ANA, History(recent=events), None, facts, CONSENTED)


def did(outcomes: str, start: int = 1) -> tuple[Event, ...]:
    """`y`: own data was brought, `n`: a sample was opened."""
    names = {"y": "source_connected", "n": "sample_opened"}
    return tuple(event(names[each], start + at) for at, each in enumerate(outcomes))


def test_a_habit_becomes_a_belief_with_its_evidence() -> None:
    (belief,) = self_model(known(*did("yyyy")), KINDS, NOON + timedelta(minutes=4)).beliefs
    assert (belief.id, belief.value, belief.seen) == ("own_data", "own", 4)
    assert belief.evidence == ("m1", "m2", "m3", "m4")
    assert belief.mean == pytest.approx(5 / 6, abs=1e-3)  # Beta(1 + 4, 1)


def test_the_other_way_is_a_belief_too() -> None:
    (belief,) = self_model(known(*did("nnn")), KINDS, NOW).beliefs
    assert belief.value == "sample"
    assert belief.mean < 0.5
    assert fact_of(belief, known(), KINDS).confidence == pytest.approx(1 - belief.mean)


@pytest.mark.parametrize("outcomes", ["", "y", "yy", "yn", "nyyn"])
def test_too_little_or_even_is_no_belief(outcomes: str) -> None:
    model = self_model(known(*did(outcomes)), KINDS, NOON + timedelta(minutes=9))
    even = outcomes.count("y") == outcomes.count("n")
    assert all(not even or abs(b.mean - 0.5) < 0.001 for b in model.beliefs)
    assert len(outcomes) >= 3 or model.beliefs == ()


def test_what_was_seen_counts_half_after_thirty_days() -> None:
    belief = Belief("own_data", "own", 1 + 8.0, 1 + 2.0, NOON, 10)
    later = decayed(belief, OWN_DATA, KINDS.half_life, NOON + 30 * DAY)
    assert [later.a, later.b] == pytest.approx([1 + 4.0, 1 + 1.0])
    years = decayed(belief, OWN_DATA, KINDS.half_life, NOON + 3000 * DAY)
    assert years.mean == pytest.approx(OWN_DATA.prior)
    twice = decayed(
        decayed(belief, OWN_DATA, KINDS.half_life, NOON + 11 * DAY),
        *(OWN_DATA, KINDS.half_life, NOON + 30 * DAY),
    )
    assert [twice.a, twice.b] == pytest.approx([later.a, later.b])


def test_each_occasion_is_predicted_before_it_is_counted() -> None:
    model = self_model(known(*did("yyn")), KINDS, NOW)
    said = [(round(s.said, 3), s.outcome, s.event) for s in model.scored]
    assert said == [(0.5, True, "m1"), (0.667, True, "m2"), (0.75, False, "m3")]


def test_alignment_is_the_gain_over_the_segment() -> None:
    model = self_model(known(*did("yyyyyy")), KINDS, NOW)
    ours = sum((s.said - 1) ** 2 for s in model.scored)
    assert model.alignment == pytest.approx(1 - ours / (6 * 0.25))
    assert model.alignment is not None
    assert model.alignment > 0


def test_alignment_is_shown_from_five_and_over_the_last_twenty() -> None:
    assert self_model(known(*did("yyyy")), KINDS, NOW).alignment is None
    assert self_model(known(*did("yyyyy")), KINDS, NOW).alignment is not None
    model = self_model(known(*did("n" * 30 + "y" * 20)), KINDS, NOW)
    assert len(model.scored) == 20
    assert {s.outcome for s in model.scored} == {True}


def test_who_is_predicted_worse_than_their_segment_is_left_to_it() -> None:
    """Every other time the other way: predictions lag behind, and are worse than a coin."""
    contrary = did("ynynynynynyn" + "nnnyyy" * 2)
    model = self_model(known(*contrary), KINDS, NOW)
    assert alignment(model.scored) < 0
    assert (model.trusted, model.beliefs) == (False, ())
    nine = self_model(known(*contrary[:9]), KINDS, NOW)
    assert nine.trusted  # fewer than ten tests


def test_five_at_most_the_surest_first() -> None:
    events = [
        *did("yyyyyy"),
        *(event("template_used", 20 + n) for n in range(4)),
        *(event("card_clicked", 30 + n) for n in range(5)),
        *(event("offer_taken", 40 + n, kind="action") for n in range(3)),
        *(event("answer_kept_short", 50 + n) for n in range(3)),
        *(event("report_viewed", 60 + n, schedule="weekly") for n in range(3)),
    ]
    beliefs = self_model(known(*events), KINDS, NOW).beliefs
    assert len(beliefs) == 5
    sure = [abs(belief.mean - 0.5) for belief in beliefs]
    assert sure == sorted(sure, reverse=True)


@given(st.lists(st.sampled_from("yn"), max_size=25), st.randoms(use_true_random=False))
def test_order_and_copies_do_not_matter(outcomes: list[str], rng: random.Random) -> None:
    events = did("".join(outcomes))
    mixed = [*events, *events[::2]]
    rng.shuffle(mixed)
    assert self_model(known(*mixed), KINDS, NOW) == self_model(known(*events), KINDS, NOW)


def test_colleagues_and_what_is_not_received_do_not_count() -> None:
    theirs = [replace(each, user="bo") for each in did("yyyy")]
    late = [replace(each, received_at=NOW + DAY) for each in did("yyyy")]
    assert self_model(known(*theirs, *late), KINDS, NOW) == SelfModel()


def test_what_the_person_corrected_is_certain() -> None:
    said = declared(ANA, "belief.own_data", "sample", NOON)
    model = self_model(known(*did("yyyyy"), facts=(said,)), KINDS, NOW)
    (belief,) = model.beliefs
    assert (belief.value, belief.mean, belief.declared) == ("sample", 0.0, True)


def test_what_the_person_does_not_want_is_not_believed() -> None:
    events = did("yyyyy")
    for name in (OFF, QUIET + "belief.own_data"):
        facts = (declared(ANA, name, YES, NOON),)
        assert self_model(known(*events, facts=facts), KINDS, NOW).beliefs == ()
    assert self_model(replace(known(*events), consents=NOTHING_SAID), KINDS, NOW) == SelfModel()


def test_a_deleted_belief_begins_anew() -> None:
    gone = declared(ANA, DELETED + "belief.own_data", YES, NOON + timedelta(minutes=3))
    model = self_model(known(*did("yyynnn"), facts=(gone,)), KINDS, NOW)
    (belief,) = model.beliefs
    assert (belief.value, belief.evidence) == ("sample", ("m4", "m5", "m6"))


def test_a_belief_is_told_in_plain_words_with_its_prediction() -> None:
    model = self_model(known(*did("yyyyy")), KINDS, NOW)
    fact = fact_of(model.beliefs[0], known(), KINDS)
    assert fact.source is Source.INFERRED
    assert fact.expires == NOW + 30 * DAY
    (line,) = tell([fact], Words(load_facts(), KINDS), NOW).lines
    assert line.says == "You work with your own data from the start."
    assert line.prediction == "You will bring your own data next, not a sample."
    assert line.why == ("what you did so far",)
    assert set(line.choices) == {"own", "sample"}
    (german,) = tell([fact], Words(load_facts(), KINDS), NOW, "de-AT").lines
    assert german.says == "Sie arbeiten von Anfang an mit eigenen Daten."


def test_the_prior_counts_as_two_occasions() -> None:
    (belief,) = self_model(known(*did("yyy")), KINDS, NOON + timedelta(minutes=3)).beliefs
    assert belief.a + belief.b == pytest.approx(PRIOR_WEIGHT + 3, abs=1e-3)
