"""shares -> clusters of need: how many there are, and whether they are real.

k-means on square roots of shares (the Hellinger distance), k by the Bayesian information criterion
of spherical Gaussians (Pelleg and Moore, ICML 2000); prediction strength (Tibshirani and Walther,
2005): whether one half of the users finds the clusters of the other half.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]
MOST = 8
RESTARTS = 8
ROUNDS = 60
SPLITS = 5
_LEAST_SPREAD = 1e-6


class Clusters(NamedTuple):
    """`smallest` is a share of users, `distance` the least Jensen-Shannon distance between two
    means, `strength` the prediction strength; with one cluster 1, 0 and 1."""

    k: int
    users: int
    smallest: float
    distance: float
    strength: float


def clusters_of(shares: Matrix, rng: Generator, most: int = MOST) -> Clusters:
    """Of rows that sum to 1. Nobody: none."""
    if not len(shares):
        return Clusters(0, 0, 0.0, 0.0, 0.0)
    points = np.sqrt(shares)
    fits = {k: _fit(points, k, rng) for k in range(1, min(most, len(points) // 2) + 1)}
    if not fits:
        return Clusters(1, len(points), 1.0, 0.0, 1.0)
    k = min(fits, key=lambda each: (_bic(points, *fits[each]), each))
    labels = fits[k][1]
    sizes = np.bincount(labels, minlength=k) / len(labels)
    means = np.array([shares[labels == at].mean(axis=0) for at in range(k)])
    strength = 1.0 if k == 1 else _strength(points, k, rng)
    return Clusters(k, len(points), float(sizes.min()), _apart(means), strength)


def js_distance(one: Matrix, other: Matrix) -> float:
    """Square root of the Jensen-Shannon divergence to base 2: 0 the same, 1 apart."""
    middle = (one + other) / 2
    divergence = (_kl(one, middle) + _kl(other, middle)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def _kl(one: Matrix, other: Matrix) -> float:
    there = one > 0
    return float((one[there] * np.log2(one[there] / other[there])).sum())


def _apart(means: Matrix) -> float:
    pairs = [
        js_distance(means[a], means[b]) for a in range(len(means)) for b in range(a + 1, len(means))
    ]
    return min(pairs, default=0.0)


def _fit(points: Matrix, k: int, rng: Generator) -> tuple[Matrix, Labels]:
    tries = [_once(points, k, rng) for _ in range(RESTARTS if k > 1 else 1)]
    return min(tries, key=lambda fit: _loss(points, *fit))


def _once(points: Matrix, k: int, rng: Generator) -> tuple[Matrix, Labels]:
    centres = _seeded(points, k, rng)
    labels = _nearest(points, centres)
    for _ in range(ROUNDS):
        held = [points[labels == at] for at in range(k)]
        centres = np.array(
            [h.mean(axis=0) if len(h) else c for h, c in zip(held, centres, strict=True)]
        )
        moved = _nearest(points, centres)
        if (moved == labels).all():
            break
        labels = moved
    return centres, labels


def _seeded(points: Matrix, k: int, rng: Generator) -> Matrix:
    """k-means++ (Arthur and Vassilvitskii, 2007)."""
    centres = [points[int(rng.integers(len(points)))]]
    while len(centres) < k:
        away = ((points[:, None, :] - np.array(centres)[None]) ** 2).sum(axis=2).min(axis=1)
        whole = away.sum()
        chances = away / whole if whole > 0 else np.full(len(points), 1 / len(points))
        centres.append(points[int(rng.choice(len(points), p=chances))])
    return np.array(centres)


def _nearest(points: Matrix, centres: Matrix) -> Labels:
    away = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2)
    return np.asarray(away.argmin(axis=1), dtype=np.intp)


def _loss(points: Matrix, centres: Matrix, labels: Labels) -> float:
    return float(((points - centres[labels]) ** 2).sum())


def _bic(points: Matrix, centres: Matrix, labels: Labels) -> float:
    """Means, shares and one variance are free."""
    n, d = points.shape
    k = len(centres)
    sizes = np.bincount(labels, minlength=k)
    if (sizes == 0).any():
        return float("inf")
    spread = max(_loss(points, centres, labels) / max(n - k, 1) / d, _LEAST_SPREAD)
    likelihood = -n * d / 2 * np.log(2 * np.pi * spread) - (n - k) * d / 2
    likelihood += float((sizes * np.log(sizes / n)).sum())
    return float(-2 * likelihood + (k * d + k) * np.log(n))


def _strength(points: Matrix, k: int, rng: Generator) -> float:
    return float(np.mean([_split(points, k, rng) for _ in range(SPLITS)]))


def _split(points: Matrix, k: int, rng: Generator) -> float:
    """The share of pairs of a cluster in one half that the other half's centres keep together, in
    the worst cluster."""
    order = rng.permutation(len(points))
    half = len(points) // 2
    one, other = points[order[:half]], points[order[half:]]
    if len(one) < k or len(other) < k:
        return 0.0
    centres, _ = _fit(one, k, rng)
    _, labels = _fit(other, k, rng)
    told = _nearest(other, centres)
    kept = [_together(told[labels == at]) for at in range(k)]
    return min(kept)


def _together(told: Labels) -> float:
    """A cluster of one says nothing of pairs."""
    n = len(told)
    if n < 2:  # noqa: PLR2004  # no pair
        return 1.0
    counts = np.bincount(told)
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))
