"""Whom a nudge helps: an S-learner with treatment interactions, and how well it ranks people.

Interruptions go to those whom they help, not to those at risk: who would have come back anyway and
who will not whatever is sent are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from onboarding.ranking.calibration import sigmoid

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
AT: Final = 0.3


@dataclass(frozen=True, slots=True)
class UpliftModel:
    """Logistic: features, treatment, and their products; columns are standardised first."""

    centre: Numbers
    scale: Numbers
    weights: Numbers

    def chances(self, table: Numbers, treated: float) -> Numbers:
        return sigmoid(_design(self._scaled(table), treated) @ self.weights)

    def uplift(self, table: Numbers) -> Numbers:
        """P(outcome | nudge) - P(outcome | none), row by row."""
        return self.chances(table, 1.0) - self.chances(table, 0.0)

    def _scaled(self, table: Numbers) -> Numbers:
        return (table - self.centre) / self.scale


def fit_uplift(
    table: Numbers, treated: Flags, labels: Numbers, penalty: float = 10.0
) -> UpliftModel:
    """L2 of `penalty` rows' worth on all but the two constants."""
    centre, scale = table.mean(axis=0), table.std(axis=0)
    scale[scale == 0] = 1.0
    design = _design((table - centre) / scale, treated.astype(float))
    doubt = np.full(design.shape[1], penalty / len(labels))
    doubt[[0, 1]] = 0.0

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        logit = design @ weights
        cost = float((np.logaddexp(0, logit) - labels * logit).mean())
        error = (sigmoid(logit) - labels) / len(labels)
        whole = cost + float((doubt * np.square(weights)).sum()) / 2
        return whole, design.T @ error + doubt * weights

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x
    return UpliftModel(centre, scale, np.asarray(found))


def _design(scaled: Numbers, treated: Numbers | float) -> Numbers:
    """1, treatment, features, features x treatment."""
    mark = np.broadcast_to(np.asarray(treated, dtype=float), (len(scaled),))[:, None]
    return np.hstack([np.ones_like(mark), mark, scaled, scaled * mark])


def qini_curve(scores: Numbers, treated: Flags, labels: Numbers) -> tuple[Numbers, Numbers]:
    """Share of people, and the gain per treated row when so many are treated, best first: treated
    responses less those of the controls, scaled to the same number (Radcliffe, 2007)."""
    order = np.argsort(-scores, kind="stable")
    mark, held = treated[order], labels[order]
    on, off = np.cumsum(mark), np.cumsum(~mark)
    hits, misses = np.cumsum(held * mark), np.cumsum(held * ~mark)
    scaled = np.where(off > 0, misses * on / np.maximum(off, 1), 0.0)
    gain = np.concatenate([[0.0], (hits - scaled) / max(int(mark.sum()), 1)])
    return np.linspace(0, 1, len(gain)), gain


def qini(scores: Numbers, treated: Flags, labels: Numbers) -> float:
    """Area between the curve and the straight line to its end, per treated row."""
    share, gain = qini_curve(scores, treated, labels)
    return float(np.trapezoid(gain - share * gain[-1], share))


def uplift_at(scores: Numbers, treated: Flags, labels: Numbers, share: float = AT) -> float:
    """Difference of the response rates among the best `share` of all."""
    best = np.argsort(-scores, kind="stable")[: max(1, int(share * len(scores)))]
    mark, held = treated[best], labels[best]
    if mark.all() or not mark.any():
        return float("nan")
    return float(held[mark].mean() - held[~mark].mean())
