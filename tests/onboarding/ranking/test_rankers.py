"""Both rankers: the contract, and what each does by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import override

from onboarding.actions import short_list
from onboarding.ranking import (
    NOTHING,
    Asked,
    Explainer,
    Fallback,
    ModelRanker,
    Policy,
    Ranked,
    Ranker,
    RankingError,
    RuleRanker,
    Rung,
    Scored,
    ScoreError,
    approved,
    decide,
    opened,
    thompson,
)
from onboarding.ranking.diversity import slate
from onboarding.ranking.version import Version
from onboarding.training import Request, learn
from onboarding.types import Candidate, Snapshot, Why
from tests.contracts.ranker import RankerContract
from tests.onboarding.ranking.making import (
    ALWAYS,
    ASKED,
    CANDIDATES,
    NOON,
    log,
    questions,
    version,
)
from tests.onboarding.ranking.making import (
    ranker as learned,
)


class TestRuleRanker(RankerContract):
    @override
    @pytest.fixture
    def ranker(self) -> Ranker:
        return RuleRanker()

    @override
    @pytest.fixture
    def asked(self) -> tuple[Asked, ...]:
        return tuple(replace(ASKED, seed=seed) for seed in range(40))


class TestModelRanker(RankerContract):
    @override
    @pytest.fixture
    def ranker(self) -> Ranker:
        return learned()

    @override
    @pytest.fixture
    def asked(self) -> tuple[Asked, ...]:
        return questions()[:60]


@cache
def served() -> tuple[Asked, ...]:
    """Questions that the model is sure enough of."""
    return tuple(q for q in questions() if decide(q, learned(), ALWAYS).fallback is None)


def test_slot_one_is_drawn_by_the_chances_that_are_logged() -> None:
    drawn: Counter[str] = Counter()
    runs = 4000
    for seed in range(runs):
        decision = decide(replace(ASKED, seed=seed), RuleRanker(), Policy())
        drawn[decision.cards[0].action if decision.cards else NOTHING] += 1
    chances = decide(ASKED, RuleRanker(), Policy()).propensities
    for name, chance in chances.items():
        spread = (chance * (1 - chance) / runs) ** 0.5
        assert abs(drawn[name] / runs - chance) < 4.5 * spread, name
    assert chances[NOTHING] == pytest.approx(0.05)
    assert chances["connect"] == pytest.approx(0.95 * (0.7 + 0.3 / 6))


def test_thompson_is_exact_with_its_floor() -> None:
    chances = thompson(["a", "b", "c"], {"a": 7, "b": 3}, 0.02)
    assert chances == pytest.approx({"a": 0.94 * 0.7 + 0.02, "b": 0.94 * 0.3 + 0.02, "c": 0.02})


def test_a_model_logs_the_share_of_its_bootstraps() -> None:
    policy, ranker = Policy(), learned()
    for asked in served()[:40]:
        short = short_list(asked.candidates)
        rows = version().encoding.rows(asked.snapshot.values, (*short, None))
        sampled = ranker.scores(version().resampled(rows), short, policy)
        by_id = sorted(range(len(short)), key=lambda n: short[n].action)  # ties fall by id
        best = sampled[:, by_id].argmax(axis=1)
        wins = Counter(short[by_id[int(n)]].action for n in best)
        chances = decide(asked, ranker, policy).propensities
        for each in short:
            share = (1 - len(short) * 0.02) * wins[each.action] / 10 + 0.02
            assert chances[each.action] == pytest.approx(0.95 * share)


def test_scores_are_lift_less_effort_and_cards_two_and_three_are_greedy() -> None:
    for asked in served()[:40]:
        decision = decide(asked, learned(), ALWAYS)
        short = short_list(asked.candidates)
        rows = version().encoding.rows(asked.snapshot.values, (*short, None))
        chances = version().chances(rows)
        lift = {
            each.action: chances[n] - chances[-1] - 0.005 * each.effort
            for n, each in enumerate(short)
        }
        for card in decision.cards:
            assert card.score == pytest.approx(lift[card.action], abs=1e-12)


def test_nothing_new_leaves_no_card_and_is_logged() -> None:
    always_nothing = replace(Policy(), nothing=1.0)
    decision = decide(ASKED, RuleRanker(), always_nothing)
    assert decision.cards == ()
    assert decision.propensities[NOTHING] == 1.0


def test_nothing_is_tried_out_on_who_needs_help_now() -> None:
    first = replace(CANDIDATES[0], urgent=True)
    asked = replace(ASKED, candidates=(first, *CANDIDATES[1:]))
    often = Policy(nothing=0.5, explore=1.0)
    found = [decide(replace(asked, seed=seed), RuleRanker(), often) for seed in range(50)]
    assert {each.cards[0].action for each in found} == {first.action}
    assert {each.cards[0].propensity for each in found} == {1.0}
    assert all(len(each.cards) == often.slots for each in found)
    assert found[0].propensities[first.action] == 1.0
    assert sum(found[0].propensities.values()) == 1.0


def test_without_candidates_there_is_nothing_to_say() -> None:
    for ranker in (RuleRanker(), learned()):
        decision = decide(replace(ASKED, candidates=()), ranker, Policy())
        assert (decision.cards, decision.propensities) == ((), {NOTHING: 1.0})


class _Failing:
    """A ranker whose model does what models must not."""

    def __init__(self, failure: RankingError) -> None:
        self._failure = failure

    def rank(self, asked: Asked, short: tuple[Candidate, ...], policy: Policy) -> Ranked:
        raise self._failure

    def explain(self, asked: Asked, ranked: Ranked, chosen: tuple[str, ...]) -> Mapping[str, Why]:
        raise AssertionError("nothing was ranked")


@pytest.mark.parametrize("fallback", list(Fallback))
def test_whatever_fails_the_curated_order_is_served(fallback: Fallback) -> None:
    decision = decide(ASKED, _Failing(RankingError(fallback)), ALWAYS)
    plain = decide(ASKED, RuleRanker(), ALWAYS)
    assert decision == replace(plain, fallback=fallback.value)
    assert decision.policy == "curated"


def test_a_late_model_is_not_waited_for() -> None:
    asked = served()[0]
    ticks = iter([0.01, 0.06, 0.07])
    decision = decide(asked, learned(), ALWAYS, lambda: next(ticks))
    assert (decision.policy, decision.fallback) == ("curated", "late")
    assert decision.cards


class _NotANumber(Version):
    @override
    def chances(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(rows), np.nan)


def test_what_is_no_number_is_not_ranked_by() -> None:
    own = version()
    broken = _NotANumber(
        own.name, own.rung, own.spec, own.encoding, own.calibration, own.champion, own.bootstraps
    )
    ranker = ModelRanker(broken, Explainer(broken, approved()))
    with pytest.raises(ScoreError):
        ranker.rank(served()[0], short_list(served()[0].candidates), Policy())
    assert decide(served()[0], ranker, ALWAYS).fallback == "not_a_number"


@pytest.mark.parametrize(
    ("values", "fallback"),
    [
        ({"role": "unknown", "intent": "unknown"}, Fallback.PROFILE_UNKNOWN),
        ({"role": "astronaut"}, Fallback.UNSEEN_CATEGORY),
        ({f"events_{n}": None for n in range(8)}, Fallback.FEATURES_MISSING),
    ],
)
def test_of_whom_too_little_is_known_gets_the_curated_order(
    values: dict[str, str | None], fallback: Fallback
) -> None:
    asked = served()[0]
    told = {k: v for k, v in {**asked.snapshot.values, **values}.items() if v is not None}
    changed = replace(asked, snapshot=replace(asked.snapshot, values=told))
    assert decide(changed, learned(), ALWAYS).fallback == fallback.value


def test_a_new_action_is_not_guessed_at() -> None:
    asked = served()[0]
    new = replace(asked.candidates[0], action="brand_new")
    changed = replace(asked, candidates=(new, *asked.candidates[1:]))
    assert decide(changed, learned(), ALWAYS).fallback == "unseen_category"


def test_a_model_of_other_features_does_not_rank() -> None:
    asked = served()[0]
    changed = replace(asked, snapshot=replace(asked.snapshot, spec="another"))
    assert decide(changed, learned(), ALWAYS).fallback == "other_features"


def test_the_gate_closes_where_the_tenth_percentile_is_not_above_nothing() -> None:
    ranker, policy, closed = learned(), Policy(nothing=0.0), 0
    for asked in questions():
        short = short_list(asked.candidates)
        rows = version().encoding.rows(asked.snapshot.values, (*short, None))
        scores = ranker.scores(version().chances(rows), short, policy)
        sampled = ranker.scores(version().resampled(rows), short, policy)
        known = decide(asked, ranker, policy).fallback in (None, "not_confident")
        if known:
            best = min(range(len(short)), key=lambda n: (-scores[n], short[n].action))
            shut = np.percentile(sampled[:, best], 10) <= 0
            assert (decide(asked, ranker, policy).fallback == "not_confident") == shut
            closed += bool(shut)
    assert 0 < closed < len(questions())


def test_cards_differ_in_kind_while_another_kind_is_close() -> None:
    same = [replace(c, kind="same") for c in CANDIDATES[:3]]
    asked = replace(ASKED, candidates=(*same, replace(CANDIDATES[3], kind="other")))
    order = tuple(Scored(c.action, s) for c, s in zip(asked.candidates, (0.3, 0.2, 0.19, 0.195),
                                                      strict=True))  # fmt: skip
    assert slate(asked, order, "connect", Policy()) == ("connect", "mfa", "kit")
    far = (*order[:3], Scored("mfa", 0.18))
    assert slate(asked, far, "connect", Policy()) == ("connect", "kit", "mfa")


def test_two_that_block_each_other_are_never_shown_together() -> None:
    blocks = {"connect": frozenset({"kit", "invite"})}
    for seed in range(30):
        cards = decide(replace(ASKED, seed=seed, blocks=blocks), RuleRanker(), ALWAYS).cards
        shown = [card.action for card in cards]
        if shown[0] == "connect":
            assert not {"kit", "invite"} & set(shown)


def test_alternatives_are_of_another_kind_and_on_no_card() -> None:
    decision = decide(ASKED, RuleRanker(), ALWAYS)
    kinds = {each.action: each.kind for each in decision.candidates}
    for card in decision.cards:
        assert card.alternatives
        assert all(kinds[each] != kinds[card.action] for each in card.alternatives)
        assert not {c.action for c in decision.cards} & set(card.alternatives)


def test_completion_is_ranked_by_its_worth() -> None:
    files = learn(log(), Request("v1", Rung.COMPLETE, bootstraps=3)).files
    own = opened(files)
    ranker = ModelRanker(own, Explainer(own, approved()))
    asked = served()[0]
    dear = replace(asked, candidates=tuple(
        replace(c, value=9.0 if c.order == 5 else 0.1) for c in asked.candidates
    ))  # fmt: skip
    decision = decide(dear, ranker, replace(ALWAYS, floor=0.0))
    assert decision.policy == "complete"
    assert decision.cards[0].action == asked.candidates[5].action


def test_a_snapshot_without_a_zone_of_doubt_keeps_its_values() -> None:
    decision = decide(ASKED, RuleRanker(), ALWAYS)
    assert decision.snapshot == Snapshot(NOON, ASKED.snapshot.values, "spec-1")
    assert decision.journey == "admin-first-value@4"
