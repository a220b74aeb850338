"""Which map makes scores probabilities, and how good the probabilities are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from onboarding.ranking.calibration import EDGE, NONE, Beta

Numbers = NDArray[np.float64]
BINS: Final = 15
"""Equal mass (design reference, 14)."""
FOLDS: Final = 5
Z: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar: mean chance, share that held with its Wilson interval, and how many."""

    chance: float
    share: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """`skill` is 1 - Brier / Brier of the base rate."""

    brier: float
    skill: float
    ece: float
    bins: tuple[Bin, ...]

    def told(self) -> dict[str, Any]:
        return asdict(self)


def measured(chances: Numbers, labels: Numbers, bins: int = BINS) -> Calibration:
    """Of one outcome; equal-mass bins, ties in order of the rows."""
    brier = float(np.square(chances - labels).mean())
    base = float(labels.mean())
    skill = 1 - brier / (base * (1 - base)) if 0 < base < 1 else 0.0
    order = np.argsort(chances, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    bars = tuple(_bin(chances[part], labels[part]) for part in parts)
    ece = sum(bar.count * abs(bar.chance - bar.share) for bar in bars) / len(order)
    return Calibration(brier, skill, ece, bars)


def chosen(chances: Numbers, labels: Numbers, folds: NDArray[np.intp]) -> Beta:
    """None or beta, by log loss on folds that the map was not fitted on. A tie stays none."""
    mapped = chances.copy()
    for fold in np.unique(folds):
        inside, out = folds != fold, folds == fold
        if 0 < labels[inside].sum() < inside.sum():
            mapped[out] = fit_beta(chances[inside], labels[inside])(chances[out])
    better = log_loss(mapped, labels) < log_loss(chances, labels)
    return fit_beta(chances, labels) if better and 0 < labels.sum() < len(labels) else NONE


def fit_beta(chances: Numbers, labels: Numbers) -> Beta:
    """By maximum likelihood, with slopes that never turn the order round."""
    inside = np.clip(chances, EDGE, 1 - EDGE)
    up, down = np.log(inside), -np.log1p(-inside)

    def loss(at: Numbers) -> tuple[float, Numbers]:
        logit = at[0] * up + at[1] * down + at[2]
        error = 1 / (1 + np.exp(-np.clip(logit, -40, 40))) - labels
        cost = np.logaddexp(0, logit) - labels * logit
        slope = np.array([(error * up).mean(), (error * down).mean(), error.mean()])
        return float(cost.mean()), slope

    begin, bounds = np.array([1.0, 1.0, 0.0]), [(0, None), (0, None), (None, None)]
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Beta(*(float(each) for each in found))


def log_loss(chances: Numbers, labels: Numbers) -> float:
    inside = np.clip(chances, EDGE, 1 - EDGE)
    return float(-(labels * np.log(inside) + (1 - labels) * np.log1p(-inside)).mean())


def _bin(chances: Numbers, labels: Numbers) -> Bin:
    low, high = wilson(float(labels.sum()), len(labels))
    return Bin(float(chances.mean()), float(labels.mean()), low, high, len(labels))


def wilson(held: float, n: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson, JASA 1927)."""
    share, spread = held / n, Z**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
