"""What a policy would have been worth on a log that another policy made.

IPS, SNIPS and DR (Dudik, Langford and Li, ICML 2011), with standard errors clustered by account and
the effective sample size that says how much of the log counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
ONE_SIDED: Final = 1.6448536269514722
"""95 % on one side."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low` is the one-sided 95 % lower bound; `ess` the effective number of rows."""

    value: float
    error: float
    ess: float
    max_weight: float

    @property
    def low(self) -> float:
        return self.value - ONE_SIDED * self.error


@dataclass(frozen=True, slots=True)
class Logged:
    """One entry a row: reward, chance of what was shown, and whose account it was."""

    rewards: Numbers
    propensities: Numbers
    clusters: NDArray[np.intp]


def clusters_of(names: Sequence[str]) -> NDArray[np.intp]:
    """A number for each account."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.intp)


def ess(weights: Numbers) -> float:
    """(sum w)^2 / sum w^2 (Kish)."""
    squares = float(np.square(weights).sum())
    return float(weights.sum() ** 2 / squares) if squares else 0.0


def ips(log: Logged, chances: Numbers) -> Estimate:
    """`chances` are those of the policy for what was shown."""
    weights = chances / log.propensities
    return _estimate(weights * log.rewards, weights, log.clusters)


def snips(log: Logged, chances: Numbers) -> Estimate:
    """Normalised by the weights; its error is that of the ratio, by the delta method."""
    weights = chances / log.propensities
    whole = float(weights.sum())
    if not whole:
        return Estimate(float("nan"), float("inf"), 0.0, 0.0)
    value = float((weights * log.rewards).sum()) / whole
    residual = len(weights) * weights * (log.rewards - value) / whole
    error = _clustered(residual, log.clusters)
    return Estimate(value, error, ess(weights), float(weights.max(initial=0)))


def doubly_robust(log: Logged, chances: Numbers, shown: Numbers, policy: Numbers) -> Estimate:
    """`shown` is q of what was shown, `policy` the mean of q under the policy, row by row."""
    weights = chances / log.propensities
    return _estimate(policy + weights * (log.rewards - shown), weights, log.clusters)


def difference(one: Numbers, other: Numbers, log: Logged) -> tuple[float, float]:
    """Mean and clustered standard error of terms that are paired row by row."""
    terms = one - other
    return float(terms.mean()), _clustered(terms - terms.mean(), log.clusters)


def terms(log: Logged, chances: Numbers, shown: Numbers, policy: Numbers) -> Numbers:
    """What `doubly_robust` takes the mean of."""
    return policy + chances / log.propensities * (log.rewards - shown)


def _estimate(each: Numbers, weights: Numbers, clusters: NDArray[np.intp]) -> Estimate:
    value = float(each.mean())
    error = _clustered(each - value, clusters)
    return Estimate(value, error, ess(weights), float(weights.max(initial=0)))


def _clustered(residual: Numbers, clusters: NDArray[np.intp]) -> float:
    """Of a mean: rows of one account are not independent."""
    sums = np.bincount(clusters, weights=residual)
    count = len(np.unique(clusters))
    if count < 2:  # noqa: PLR2004  # one account says nothing of its own spread
        return float("inf")
    return float(np.sqrt(count / (count - 1) * np.square(sums).sum()) / len(residual))
