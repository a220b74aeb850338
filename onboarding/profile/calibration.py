"""How far probabilities hold: accuracy, expected calibration error, and when to abstain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Of equal mass (Nguyen and O'Connor, EMNLP 2015)."""
_ONE_SIDED = 1.645
_LEAST_KEPT = 30
"""Fewer cases say nothing of an error rate of a tenth."""


class Scored(NamedTuple):
    """Probabilities (n, values) and the value that was right."""

    shares: NDArray[np.float64]
    labels: NDArray[np.intp]

    @property
    def confidence(self) -> NDArray[np.float64]:
        top: NDArray[np.float64] = self.shares.max(axis=1)
        return top

    @property
    def right(self) -> NDArray[np.bool_]:
        hits: NDArray[np.bool_] = self.shares.argmax(axis=1) == self.labels
        return hits


def accuracy(scored: Scored) -> float:
    return float(scored.right.mean())


def ece(scored: Scored, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over bins of equal mass, 0 to 1."""
    order = np.argsort(scored.confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [
        abs(float(scored.confidence[part].mean()) - float(scored.right[part].mean())) * len(part)
        for part in parts
    ]
    return sum(gaps) / max(len(order), 1)


def brier(scored: Scored) -> float:
    """Sum over the values of squared distances, 0 to 2."""
    hot = np.zeros_like(scored.shares)
    hot[np.arange(len(scored.labels)), scored.labels] = 1.0
    return float(((scored.shares - hot) ** 2).sum(axis=1).mean())


def keep_above(scored: Scored, most_errors: float) -> float:
    """The lowest confidence above which at most so many are wrong, by the 95 % upper bound of their
    share; 1 where there is none."""
    order = np.argsort(-scored.confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    wrong = np.cumsum(~scored.right[order]) / count
    upper = wrong + _ONE_SIDED * np.sqrt(wrong * (1 - wrong) / count)
    fine = np.flatnonzero((upper <= most_errors) & (count >= _LEAST_KEPT))
    return round(float(scored.confidence[order[fine[-1]]]), 4) if len(fine) else 1.0
