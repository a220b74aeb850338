"""The figures: ranking, refusal, calibration. Pure functions over numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def hit_at(k: int, ranked: Sequence[str], right: AbstractSet[str]) -> float:
    """1.0 when one of the first k is right."""
    return float(any(page in right for page in ranked[:k]))


def reciprocal_rank_at(k: int, ranked: Sequence[str], right: AbstractSet[str]) -> float:
    """1 / rank of the first right one among the first k, else 0."""
    return next((1 / (i + 1) for i, page in enumerate(ranked[:k]) if page in right), 0.0)


def ndcg_at(k: int, ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    """nDCG with gain 2**grade - 1 and discount log2(rank + 1) (Burges et al., ICML 2005)."""
    gained = _dcg([grades.get(page, 0) for page in ranked[:k]])
    ideal = _dcg(sorted(grades.values(), reverse=True)[:k])
    return gained / ideal if ideal else 0.0


def _dcg(grades: Sequence[int]) -> float:
    return math.fsum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades))


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Probability that a positive scores above a negative, ties counting half; nan when either is
    empty. The rank-sum form (Hanley and McNeil, Radiology 1982)."""
    if not len(positive) or not len(negative):
        return float("nan")
    scores = np.concatenate([positive, negative])
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]  # mean rank of equal scores, from 1
    wins = rank[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(wins / (len(positive) * len(negative)))


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """Answering everything at or above `threshold` answers `coverage` with error share `risk`."""

    threshold: float
    coverage: float
    risk: float


def risk_coverage(confidence: Sequence[float], wrong: Sequence[bool]) -> list[RiskPoint]:
    """The curve over all thresholds, coverage rising (El-Yaniv and Wiener, JMLR 2010).

    Coverage counts all items; risk is the share of wrong among the answered.
    """
    scores = np.asarray(confidence, dtype=float)
    order = np.argsort(-scores, kind="stable")
    wrong_so_far = np.cumsum(np.asarray(wrong, dtype=float)[order])
    total = len(order)
    return [
        RiskPoint(float(scores[i]), (rank + 1) / total, float(wrong_so_far[rank] / (rank + 1)))
        for rank, i in enumerate(order)
        if rank + 1 == total or scores[order[rank + 1]] < scores[i]
    ]


def coverage_at_risk(risk: float, confidence: Sequence[float], wrong: Sequence[bool]) -> RiskPoint:
    """The widest coverage whose risk stays at or below `risk`; coverage 0 when there is none."""
    points = [p for p in risk_coverage(confidence, wrong) if p.risk <= risk]
    return max(points, key=lambda p: p.coverage, default=RiskPoint(math.inf, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a reliability diagram."""

    low: float
    high: float
    count: int
    confidence: float  # mean predicted
    accuracy: float  # share that was right


def reliability(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Equal-width bins over 0..1; empty bins are left out."""
    scores, hits = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    places = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        _bin(b / bins, (b + 1) / bins, scores[places == b], hits[places == b])
        for b in range(bins)
        if (places == b).any()
    ]


def _bin(low: float, high: float, scores: NDArray[np.float64], hits: NDArray[np.float64]) -> Bin:
    return Bin(low, high, len(scores), float(scores.mean()), float(hits.mean()))


def expected_calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Mean gap of confidence and accuracy over ten bins, weighted by count (Guo et al., 2017)."""
    bars = reliability(confidence, right)
    return sum(b.count * abs(b.confidence - b.accuracy) for b in bars) / max(len(confidence), 1)


def brier(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((np.asarray(confidence, float) - np.asarray(right, float)) ** 2))


def mean(values: Sequence[float]) -> float:
    """Mean, nan when empty."""
    return float(np.mean(values)) if len(values) else float("nan")
