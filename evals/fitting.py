"""Small fits: a listwise softmax ranker and a calibrated logistic classifier, both linear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from retrieval.linear import LinearModel

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates of one question: rows (n, features), and which of them answer."""

    rows: Matrix
    right: NDArray[np.bool_]
    weight: float = 1.0


def fit_ranker(
    features: Sequence[str], lists: Sequence[Ranked], l2: float, origin: Mapping[str, object]
) -> LinearModel:
    """ListNet with one hot target (Cao et al., ICML 2007): cross entropy of the softmax scores.

    Lists without an answering candidate teach nothing and are left out. `l2` is the ridge on the
    standardised weights, as a total over all lists.
    """
    usable = [one for one in lists if one.right.any()]
    mean, scale = _standard(np.concatenate([one.rows for one in usable]))
    data = [((one.rows - mean) / scale, one.right / one.right.sum(), one.weight) for one in usable]
    total = sum(weight for *_, weight in data)

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        value, gradient = l2 * float(weights @ weights), 2 * l2 * weights
        for rows, target, weight in data:
            logits = rows @ weights
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            value -= weight * float((target * np.log(shares + 1e-12)).sum())
            gradient = gradient + weight * (rows.T @ (shares - target))
        return value / total, gradient / total

    fitted = minimize(loss, np.zeros(len(features)), jac=True, method="L-BFGS-B").x
    return _model(features, mean, scale, fitted, 0.0, origin)


def fit_classifier(
    features: Sequence[str],
    rows: Matrix,
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    l2: float,
    origin: Mapping[str, object],
) -> LinearModel:
    """Logistic regression with ridge `l2` (a total) on standardised features; bias not shrunk."""
    mean, scale = _standard(rows)
    data = np.hstack([(rows - mean) / scale, np.ones((len(rows), 1))])
    sign = np.where(labels, 1.0, -1.0)
    total = weights.sum()
    ridge = np.append(np.full(len(features), l2), 0.0)

    def loss(theta: Matrix) -> tuple[float, Matrix]:
        margin = sign * (data @ theta)
        value = float((weights * np.logaddexp(0, -margin)).sum() + (ridge * theta * theta).sum())
        slope = -weights * sign / (1 + np.exp(np.clip(margin, -60, 60)))
        return value / total, (data.T @ slope + 2 * ridge * theta) / total

    fitted = minimize(loss, np.zeros(len(features) + 1), jac=True, method="L-BFGS-B").x
    return _model(features, mean, scale, fitted[:-1], float(fitted[-1]), origin)


def _standard(rows: Matrix) -> tuple[Matrix, Matrix]:
    return rows.mean(axis=0), rows.std(axis=0) + 1e-6


def _model(
    features: Sequence[str],
    mean: Matrix,
    scale: Matrix,
    weight: Matrix,
    bias: float,
    origin: Mapping[str, object],
) -> LinearModel:
    mean_, scale_, weight_ = (tuple(round(float(x), 6) for x in v) for v in (mean, scale, weight))
    return LinearModel(tuple(features), mean_, scale_, weight_, round(bias, 6), origin)
