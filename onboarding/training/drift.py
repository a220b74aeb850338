"""Has what people look like moved away from what the model was fitted on?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onboarding.types import FeatureValue

WARN: Final = 0.10
STOP: Final = 0.25
"""Of the design reference, 8: retraining stops above it."""
BINS: Final = 10
_LEAST: Final = 1e-4
"""Share that an empty bin counts as, so that the logarithm is finite."""


class Drift(StrEnum):
    """What to do about one feature."""

    NONE = "none"
    WARN = "warn"
    STOP = "stop"


def psi(then: Sequence[FeatureValue], now: Sequence[FeatureValue]) -> float:
    """Population stability index over the deciles of `then`, or over its categories. nan where one
    of them is empty."""
    if not then or not now:
        return float("nan")
    if any(isinstance(value, str) for value in (*then, *now)):
        before, after = _by_category(then, now)
    else:
        before, after = _by_decile(np.array(then, float), np.array(now, float))
    return float(((after - before) * np.log(after / before)).sum())


def drift(value: float) -> Drift:
    """A value that is not known warns."""
    if np.isnan(value):
        return Drift.WARN
    return Drift.STOP if value > STOP else Drift.WARN if value > WARN else Drift.NONE


def _by_decile(
    then: NDArray[np.float64], now: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    edges = np.unique(np.quantile(then, np.linspace(0, 1, BINS + 1)[1:-1]))
    places = len(edges) + 1
    counted = [
        np.bincount(np.searchsorted(edges, v, "right"), minlength=places) for v in (then, now)
    ]
    return _shares(counted[0]), _shares(counted[1])


def _by_category(
    then: Sequence[FeatureValue], now: Sequence[FeatureValue]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    before, after = Counter(map(str, then)), Counter(map(str, now))
    names = sorted(before | after)
    return _shares(np.array([before[n] for n in names])), _shares(
        np.array([after[n] for n in names])
    )


def _shares(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(counts / counts.sum(), _LEAST))
