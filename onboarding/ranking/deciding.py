"""candidates + snapshot -> one decision with its cards: pure, and the same again for its seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from onboarding.actions import MOST, short_list
from onboarding.ranking.curated import RuleRanker
from onboarding.ranking.diversity import others, slate
from onboarding.ranking.exploring import drawn, with_nothing
from onboarding.ranking.types import (
    NOTHING,
    Asked,
    Fallback,
    Policy,
    Ranked,
    Ranker,
    RankingError,
    ScoreError,
)
from onboarding.types import Candidate, Card, Decision, Why

Elapsed = Callable[[], float]
"""Seconds since the decision began."""


def at_once() -> float:
    """The clock of a replay: nothing is ever late in it."""
    return 0.0


def decide(asked: Asked, ranker: Ranker, policy: Policy, elapsed: Elapsed = at_once) -> Decision:
    """Up to `policy.slots` cards. What goes wrong in the ranker costs the order, never the cards:
    the curated order is served and `fallback` says why."""
    in_order = sorted(asked.candidates, key=lambda each: (each.order, each.action))
    asked = replace(asked, candidates=tuple(in_order[:MOST]))
    short = short_list(asked.candidates, policy.short)
    ranked, whys, cards = _ranked(asked, short, ranker, policy, elapsed)
    chances = _chances(ranked, short, policy)
    return Decision(
        id=asked.id,
        person=asked.person,
        at=asked.at,
        policy=ranked.policy,
        model=ranked.model,
        journey=asked.journey,
        candidates=asked.candidates,
        cards=_cards(asked, ranked, cards, whys, chances),
        propensities=chances,
        snapshot=asked.snapshot,
        seed=asked.seed,
        arms=asked.arms,
        fallback=ranked.fallback.value if ranked.fallback else None,
        latency_ms=1000 * elapsed(),
    )


def _ranked(
    asked: Asked,
    short: tuple[Candidate, ...],
    ranker: Ranker,
    policy: Policy,
    elapsed: Elapsed,
) -> tuple[Ranked, Mapping[str, Why], tuple[str, ...]]:
    try:
        ranked = ranker.rank(asked, short, policy)
        _in_time(policy, elapsed)
        chosen = _chosen(asked, ranked, short, policy)
        whys = ranker.explain(asked, ranked, chosen)
        _in_time(policy, elapsed)
    except RankingError as failure:
        ranked = RuleRanker(failure.fallback).rank(asked, short, policy)
        return ranked, {}, _chosen(asked, ranked, short, policy)
    return ranked, whys, chosen


def _in_time(policy: Policy, elapsed: Elapsed) -> None:
    if elapsed() > policy.timeout_s:
        raise ScoreError(Fallback.LATE)


def _chances(ranked: Ranked, short: tuple[Candidate, ...], policy: Policy) -> Mapping[str, float]:
    """Of slot 1. Nothing is tried out on who needs help now."""
    if short and short[0].urgent:
        return dict.fromkeys(ranked.chances, 0.0) | {short[0].action: 1.0, NOTHING: 0.0}
    return with_nothing(ranked.chances, policy.nothing)


def _chosen(
    asked: Asked, ranked: Ranked, short: tuple[Candidate, ...], policy: Policy
) -> tuple[str, ...]:
    """The actions of the cards; none when the arm that shows nothing was drawn."""
    first = drawn(_chances(ranked, short, policy), asked.seed)
    return () if first == NOTHING else slate(asked, ranked.order, first, policy)


def _cards(
    asked: Asked,
    ranked: Ranked,
    chosen: tuple[str, ...],
    whys: Mapping[str, Why],
    chances: Mapping[str, float],
) -> tuple[Card, ...]:
    by_name = {each.action: each for each in asked.candidates}
    scores = dict(ranked.order)
    return tuple(
        Card(
            action=name,
            slot=slot,
            why=whys.get(name) or Why(by_name[name].reason),
            score=scores[name],
            propensity=chances[name] if slot == 1 else None,
            step=by_name[name].step,
            alternatives=others(asked, ranked.order, name, chosen),
        )
        for slot, name in enumerate(chosen, 1)
    )
