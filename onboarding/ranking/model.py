"""The learned order: lift over showing nothing, less effort; ten bootstraps say how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking.explaining import Explainer, Place
from onboarding.ranking.exploring import thompson
from onboarding.ranking.types import (
    Asked,
    Fallback,
    Policy,
    Ranked,
    RankingError,
    Rung,
    Scored,
    ScoreError,
)
from onboarding.ranking.version import Version
from onboarding.types import UNKNOWN, Candidate, Why

Scores = NDArray[np.float64]
NEEDED: Final = ("role", "intent")
"""Who is known by neither is served the curated order."""


class ModelRanker:
    """Of one version; `explainer` says why, by the same version."""

    def __init__(self, version: Version, explainer: Explainer) -> None:
        self.version = version
        self._explainer = explainer

    def rank(self, asked: Asked, short: tuple[Candidate, ...], policy: Policy) -> Ranked:
        """Raises RankingError where the model is not sure enough of this person."""
        self._check_known(asked, short, policy)
        rows = self.version.encoding.rows(asked.snapshot.values, (*short, None))
        scores = self.scores(self.version.chances(rows), short, policy)
        sampled = self.scores(self.version.resampled(rows), short, policy)
        if not (np.isfinite(scores).all() and np.isfinite(sampled).all()):
            raise ScoreError(Fallback.NOT_A_NUMBER)
        order = _ordered(short, scores)
        best = [each.action for each in short].index(order[0].action)
        if tenth(sampled[:, best]) <= 0:
            raise RankingError(Fallback.NOT_CONFIDENT)
        names = [each.action for each in short]
        return Ranked(
            order=order,
            chances=thompson(names, _wins(names, sampled), policy.floor),
            policy=self.version.rung.value,
            model=self.version.name,
        )

    def explain(self, asked: Asked, ranked: Ranked, chosen: tuple[str, ...]) -> Mapping[str, Why]:
        by_name = {each.action: each for each in asked.candidates}
        order = [Place(by_name[name], score or 0.0) for name, score in ranked.order]
        return self._explainer.whys(asked.snapshot, order, chosen)

    def scores(self, chances: Scores, short: Sequence[Candidate], policy: Policy) -> Scores:
        """Along the last axis `short`, of chances that end with those of showing nothing."""
        cost = policy.effort * np.array([each.effort for each in short])
        if self.version.rung is Rung.COMPLETE:
            return np.asarray(chances[..., :-1] * [each.value for each in short] - cost)
        return np.asarray(chances[..., :-1] - chances[..., -1:] - cost)

    def _check_known(self, asked: Asked, short: Sequence[Candidate], policy: Policy) -> None:
        if not short:
            raise RankingError(Fallback.NOT_CONFIDENT, "there is nothing to rank")
        values, encoding = asked.snapshot.values, self.version.encoding
        if asked.snapshot.spec != self.version.spec:
            raise RankingError(Fallback.OTHER_FEATURES)
        if encoding.missing(values) > policy.missing:
            raise RankingError(Fallback.FEATURES_MISSING)
        if all(values.get(name, UNKNOWN) == UNKNOWN for name in NEEDED):
            raise RankingError(Fallback.PROFILE_UNKNOWN)
        unseen = encoding.unseen(values, short)
        if unseen:
            raise RankingError(Fallback.UNSEEN_CATEGORY, unseen)


def tenth(values: Scores) -> float:
    """The 10th percentile, between neighbours in proportion."""
    ordered = np.sort(values)
    at = 0.1 * (len(ordered) - 1)
    low = int(at)
    if low + 1 == len(ordered):
        return float(ordered[low])
    return float(ordered[low] + (at - low) * (ordered[low + 1] - ordered[low]))


def _ordered(short: Sequence[Candidate], scores: Scores) -> tuple[Scored, ...]:
    """Best first; equal scores fall by the action's id."""
    pairs = [Scored(each.action, float(score)) for each, score in zip(short, scores, strict=True)]
    return tuple(sorted(pairs, key=lambda each: (-(each.score or 0.0), each.action)))


def _wins(names: Sequence[str], sampled: Scores) -> dict[str, int]:
    """How many models would choose each action; ties fall by the action's id."""
    by_id = sorted(range(len(names)), key=names.__getitem__)
    wins: dict[str, int] = dict.fromkeys(names, 0)
    for best in sampled[:, by_id].argmax(axis=1):
        wins[names[by_id[int(best)]]] += 1
    return wins
