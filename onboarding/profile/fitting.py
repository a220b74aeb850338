"""rows with known values -> weights: penalised likelihood, temperature and threshold from folds.

A declared value is wrong now and then: the likelihood is of the value as it was declared, with the
share of wrong ones as the fact's file states it (Patrini et al., CVPR 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.optimize import minimize, minimize_scalar

from guardrails.consent import Purpose
from onboarding.profile.calibration import Scored, keep_above
from onboarding.profile.catalogue import EvidenceSpec, FactKind
from onboarding.profile.evidence import Cues, Known, gather
from onboarding.profile.holding import profile_of
from onboarding.profile.model import Array, FactModel, Weights, nominal, ordinal
from onboarding.types import Source

FOLDS = 5
MIN_SEEN = 15
"""Rows that must have a cue before it gets a weight of its own."""
HEAT = (0.3, 5.0)
MOST_ERRORS = 0.10
"""Share of wrong ones among what is kept (onboarding reference, section 4)."""
Labels = NDArray[np.intp]


class Row(NamedTuple):
    """One person: cues, the value as it was declared, and the account that folds are made by."""

    cues: Cues
    value: str
    group: str


@dataclass(frozen=True, slots=True)
class Penalty:
    """Ridge towards the weights that one starts from, and on biases a hundredth of it."""

    l2: float = 4.0
    start: Weights | None = None


class _Data(NamedTuple):
    rows: Array
    labels: Labels
    groups: Sequence[str]


class _Shape(NamedTuple):
    """How parameters lie in one vector: weights (heads, features), then biases."""

    kind: FactKind
    features: tuple[str, ...]

    @property
    def classes(self) -> int:
        return len(self.kind.values)

    @property
    def heads(self) -> int:
        return self.classes if self.kind.kind == "nominal" else 1

    @property
    def biases(self) -> int:
        return self.classes if self.kind.kind == "nominal" else self.classes - 1


def fit(fact: str, kind: FactKind, rows: Sequence[Row], penalty: Penalty | None = None) -> Weights:
    """Weights of all rows; temperature and threshold from those that each fold had not seen.

    Raises ValueError where no row has a value of the fact.
    """
    usable = [row for row in rows if row.value in kind.values]
    if not usable:
        raise ValueError(f"no row has a value of {fact}")
    penalty = penalty or Penalty()
    shape = _Shape(kind, _features(kind, usable, penalty))
    data = _data(shape, usable)
    unseen = np.zeros((len(usable), shape.classes))
    folds = _folds(data.groups)
    logs: list[tuple[Labels, FactModel]] = []
    for fold in range(FOLDS):
        out = np.flatnonzero(folds == fold)
        rest = np.flatnonzero(folds != fold)
        if len(out) and len(rest):
            logs.append((out, _model(fact, shape, _solve(shape, _part(data, rest), penalty))))
    heat = _heat(shape, data, logs)
    for out, model in logs:
        unseen[out] = model.shares(data.rows[out], heat)
    final = _model(fact, shape, _solve(shape, data, penalty)).of
    scored = Scored(unseen, data.labels)
    bound = keep_above(scored, _as_declared(kind, MOST_ERRORS))
    return final.model_copy(
        update={"temperature": round(heat, 4), "abstain_below": bound, "data": data_hash(usable)}
    )


def refit(fact: str, kind: FactKind, rows: Sequence[Row], shipped: Weights) -> Weights:
    """A tenant's own declared values, with the shipped weights as what holds where they are few:
    each weight is drawn to the shipped one as strongly as five people would draw it."""
    return fit(fact, kind, rows, Penalty(5.0, shipped))


def row_of(known: Known, spec: EvidenceSpec, fact: str, now: datetime) -> Row | None:
    """Somebody as a row of a refit: what they declared, and what their events show without it. None
    where they declared nothing, or do not allow training."""
    held = profile_of(known.facts, now).facts.get(fact)
    if held is None or held.source is not Source.DECLARED:
        return None
    if not known.consents.allows(Purpose.TRAINING):
        return None
    return Row(gather(known, spec, now), held.value, known.person.account or known.person.user)


def data_hash(rows: Sequence[Row]) -> str:
    """SHA-256 of values and cues, whatever their order."""
    lines = sorted(
        orjson.dumps([row.value, sorted((n, round(c.value, 6)) for n, c in row.cues.items())])
        for row in rows
    )
    return sha256(b"\n".join(lines)).hexdigest()


def with_scores(weights: Weights, scores: Mapping[str, JsonValue]) -> Weights:
    return weights.model_copy(update={"scores": dict(scores)})


def _as_declared(kind: FactKind, errors: float) -> float:
    """The share of kept cases that differ from what was declared when `errors` are truly wrong: a
    wrong declaration counts against us too."""
    noise = kind.label_noise
    return (1 - errors) * noise + errors * (1 - noise / (len(kind.values) - 1))


def _features(kind: FactKind, rows: Sequence[Row], penalty: Penalty) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    for row in rows:
        for name in row.cues:
            if name.partition("=")[0] in kind.cues:
                seen[name] = seen.get(name, 0) + 1
    known = set(penalty.start.features) if penalty.start else set()
    return tuple(sorted(known | {name for name, count in seen.items() if count >= MIN_SEEN}))


def _data(shape: _Shape, rows: Sequence[Row]) -> _Data:
    index = {name: at for at, name in enumerate(shape.features)}
    matrix = np.zeros((len(rows), len(index)))
    for at, row in enumerate(rows):
        for name, cue in row.cues.items():
            if name in index:
                matrix[at, index[name]] = cue.value
    values = list(shape.kind.values)
    labels = np.array([values.index(row.value) for row in rows], dtype=np.intp)
    return _Data(matrix, labels, [row.group for row in rows])


def _part(data: _Data, at: Labels) -> _Data:
    return _Data(data.rows[at], data.labels[at], [data.groups[place] for place in at])


def _folds(groups: Sequence[str]) -> NDArray[np.intp]:
    """By hash of the group: nobody's account lies in two folds."""
    return np.array(
        [int.from_bytes(sha256(g.encode()).digest()[:4]) % FOLDS for g in groups], dtype=np.intp
    )


def _solve(shape: _Shape, data: _Data, penalty: Penalty) -> Array:
    anchor = _anchor(shape, penalty.start)
    begin = anchor.copy()
    if penalty.start is None:
        begin[-shape.biases :] = _prior(shape, data.labels)
    ridge = np.full(len(anchor), penalty.l2)
    ridge[-shape.biases :] /= 100

    def loss(theta: Array) -> tuple[float, Array]:
        value, gradient = _likelihood(shape, data, theta)
        away = theta - anchor
        return (
            (value + float(ridge @ away**2)) / len(data.labels),
            (gradient + 2 * ridge * away) / len(data.labels),
        )

    found = minimize(
        loss, begin, jac=True, method="L-BFGS-B", bounds=_bounds(shape), options={"maxiter": 400}
    )
    solved: Array = found.x
    return solved


def _anchor(shape: _Shape, start: Weights | None) -> Array:
    """In the order of this shape; a cue that the start does not know begins at nothing."""
    size = shape.heads * len(shape.features) + shape.biases
    if start is None:
        return np.zeros(size)
    matrix = np.zeros((shape.heads, len(shape.features)))
    index = {name: at for at, name in enumerate(shape.features)}
    for at, name in enumerate(start.features):
        matrix[:, index[name]] = [row[at] for row in start.weights]
    biases = np.array(start.bias)
    if shape.kind.kind == "ordinal":
        biases = np.concatenate([biases[:1], np.log(np.maximum(np.diff(biases), 1e-3))])
    return np.concatenate([matrix.ravel(), biases])


def _prior(shape: _Shape, labels: Labels) -> Array:
    counts = np.bincount(labels, minlength=shape.classes) + 1.0
    shares = counts / counts.sum()
    if shape.kind.kind == "nominal":
        logs: Array = np.log(shares)
        return logs
    below = np.cumsum(shares)[:-1]
    cuts = np.log(below / (1 - below))
    return np.concatenate([cuts[:1], np.log(np.maximum(np.diff(cuts), 1e-3))])


def _bounds(shape: _Shape) -> list[tuple[float | None, float | None]]:
    bounds: list[tuple[float | None, float | None]] = []
    for name in shape.features:
        sign = shape.kind.monotone.get(name.partition("=")[0], 0)
        bounds.append((0.0 if sign > 0 else None, 0.0 if sign < 0 else None))
    return bounds * shape.heads + [(None, None)] * shape.biases


def _cuts(raw: Array) -> Array:
    """The first cut, then the logs of the gaps: cuts that stay in order."""
    return np.cumsum(np.concatenate([raw[:1], np.exp(np.clip(raw[1:], -20, 5))]))


def _likelihood(shape: _Shape, data: _Data, theta: Array) -> tuple[float, Array]:
    """Of the declared values, and its gradient."""
    split = shape.heads * len(shape.features)
    weights = theta[:split].reshape(shape.heads, -1)
    scores = data.rows @ weights.T
    raw = theta[split:]
    if shape.kind.kind == "nominal":
        shares = nominal(scores, raw, 1.0)
        value, slope = _noisy(shares, data.labels, shape.kind.label_noise)
        inner = shares * (slope - (slope * shares).sum(axis=1, keepdims=True))
        return value, np.concatenate([(inner.T @ data.rows).ravel(), inner.sum(axis=0)])
    cuts = _cuts(raw)
    shares = ordinal(scores, cuts, 1.0)
    value, slope = _noisy(shares, data.labels, shape.kind.label_noise)
    below = 1 / (1 + np.exp(-np.clip(cuts[None, :] - scores, -40, 40)))
    steep = below * (1 - below)
    by_cut = steep * (slope[:, :-1] - slope[:, 1:])
    by_score = -by_cut.sum(axis=1)
    gaps = np.exp(np.clip(raw[1:], -20, 5))
    behind = np.cumsum(by_cut.sum(axis=0)[::-1])[::-1]
    by_raw = np.concatenate([behind[:1], behind[1:] * gaps])
    return value, np.concatenate([by_score @ data.rows, by_raw])


def _noisy(shares: Array, labels: Labels, noise: float) -> tuple[float, Array]:
    """Minus the log-likelihood of what was declared, and its slope by each share."""
    classes = shares.shape[1]
    wrong = noise / (classes - 1)
    at = np.arange(len(labels))
    declared = (1 - noise - wrong) * shares[at, labels] + wrong
    slope = np.zeros_like(shares)
    slope[at, labels] = -(1 - noise - wrong) / declared
    return float(-np.log(declared).sum()), slope


def _model(fact: str, shape: _Shape, theta: Array) -> FactModel:
    split = shape.heads * len(shape.features)
    weights = theta[:split].reshape(shape.heads, -1)
    bias = theta[split:] if shape.kind.kind == "nominal" else _cuts(theta[split:])
    return FactModel.from_weights(
        Weights(
            fact=fact,
            kind=shape.kind.kind,
            values=tuple(shape.kind.values),
            features=shape.features,
            weights=tuple(tuple(round(float(w), 5) for w in row) for row in weights),
            bias=tuple(round(float(b), 5) for b in bias),
            temperature=1.0,
            abstain_below=0.0,
            data="",
        )
    )


def _heat(shape: _Shape, data: _Data, logs: Sequence[tuple[Labels, FactModel]]) -> float:
    """The temperature at which people outside the fit are most likely as they declared."""

    def loss(heat: float) -> float:
        return sum(
            _noisy(m.shares(data.rows[out], heat), data.labels[out], shape.kind.label_noise)[0]
            for out, m in logs
        )

    return float(minimize_scalar(loss, bounds=HEAT, method="bounded").x) if logs else 1.0
