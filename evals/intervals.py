"""A figure with its bootstrap interval: questions are drawn again, not their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.metrics import auroc

RESAMPLES = 1000
"""Enough for two stable digits of a 95 % percentile interval (Efron and Tibshirani, 1993)."""
_TAILS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Figure:
    """A value over `n` items, with the bounds of its 95 % interval; nan where there is nothing."""

    value: float
    low: float
    high: float
    n: int


NOTHING = Figure(float("nan"), float("nan"), float("nan"), 0)


def mean_of(values: Sequence[float], seed: int) -> Figure:
    """Mean of one number a question."""
    return ratio_of(values, [1.0] * len(values), seed)


def ratio_of(parts: Sequence[float], wholes: Sequence[float], seed: int) -> Figure:
    """Sum of the parts over the sum of the wholes, one pair a question; `n` counts the wholes.

    With several citations a question, say, these are drawn together, as they stand together.
    """
    top, bottom = np.asarray(parts, dtype=float), np.asarray(wholes, dtype=float)
    if not bottom.sum():
        return NOTHING
    draws = _draws(len(top), seed)
    sums = bottom[draws].sum(axis=1)
    ratios = top[draws].sum(axis=1)[sums > 0] / sums[sums > 0]
    return _figure(float(top.sum() / bottom.sum()), ratios, int(bottom.sum()))


def auroc_of(positive: Sequence[float], negative: Sequence[float], seed: int) -> Figure:
    """AUROC; both sides are drawn again, each within itself."""
    if not positive or not negative:
        return NOTHING
    up, down = np.asarray(positive, dtype=float), np.asarray(negative, dtype=float)
    pairs = zip(_draws(len(up), seed), _draws(len(down), seed + 1), strict=True)
    values = np.array([auroc(up[mine].tolist(), down[theirs].tolist()) for mine, theirs in pairs])
    return _figure(auroc(positive, negative), values, len(up) + len(down))


def bootstrap(statistic: Callable[[NDArray[np.intp]], float], size: int, seed: int) -> Figure:
    """Any statistic of the drawn positions 0..size-1; draws where it is nan are left out."""
    if not size:
        return NOTHING
    values = np.array([statistic(draw) for draw in _draws(size, seed)])
    return _figure(statistic(np.arange(size)), values[~np.isnan(values)], size)


def _draws(size: int, seed: int) -> NDArray[np.intp]:
    return np.random.default_rng(seed).integers(0, size, (RESAMPLES, size)).astype(np.intp)


def _figure(value: float, resampled: NDArray[np.float64], n: int) -> Figure:
    low, high = np.percentile(resampled, _TAILS) if len(resampled) else (value, value)
    return Figure(value, float(low), float(high), n)
