"""What every ranker does."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from onboarding.actions import short_list
from onboarding.ranking import Asked, Policy, Ranker, RankingError, decide
from onboarding.store.ranking.rows import dumped


class RankerContract:
    """Inherited by the test module of each, which provides `ranker` and what it is `asked`."""

    @pytest.fixture
    def ranker(self) -> Ranker:
        raise NotImplementedError

    @pytest.fixture
    def asked(self) -> tuple[Asked, ...]:
        raise NotImplementedError

    def test_chances_are_of_the_short_list_and_sum_to_one(
        self, ranker: Ranker, asked: tuple[Asked, ...]
    ) -> None:
        for one in asked:
            decision = decide(one, ranker, Policy())
            short = {each.action for each in short_list(one.candidates)}
            assert math.isclose(math.fsum(decision.propensities.values()), 1, abs_tol=1e-9)
            assert decision.propensities.keys() == short | {""}
            assert all(chance > 0 for chance in decision.propensities.values())

    def test_a_seed_makes_the_same_decision_byte_for_byte(
        self, ranker: Ranker, asked: tuple[Asked, ...]
    ) -> None:
        for one in asked:
            first, again = (dumped(decide(one, ranker, Policy())) for _ in range(2))
            assert first == again

    def test_every_card_says_why_and_how_likely_it_was(
        self, ranker: Ranker, asked: tuple[Asked, ...]
    ) -> None:
        policy = Policy(nothing=0.0)
        for one in asked:
            cards = decide(one, ranker, policy).cards
            assert 1 <= len(cards) <= 3
            assert all(card.why.key for card in cards)
            assert cards[0].propensity is not None
            assert [card.propensity for card in cards[1:]] == [None] * (len(cards) - 1)
            assert len({card.action for card in cards}) == len(cards)

    def test_the_order_of_candidates_given_does_not_matter(
        self, ranker: Ranker, asked: tuple[Asked, ...]
    ) -> None:
        for one in asked:
            turned = replace(one, candidates=tuple(reversed(one.candidates)))
            assert decide(turned, ranker, Policy()) == decide(one, ranker, Policy())

    def test_all_of_the_short_list_is_ordered(
        self, ranker: Ranker, asked: tuple[Asked, ...]
    ) -> None:
        for one in asked:
            short = short_list(one.candidates)
            try:
                ranked = ranker.rank(one, short, Policy())
            except RankingError:
                continue
            assert {each.action for each in ranked.order} == {each.action for each in short}
