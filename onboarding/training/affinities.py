"""rows -> the linear terms of a person with an action, shrunk as far as other accounts ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking import Column, Rung
from onboarding.ranking.affinity import Affinity, Term
from onboarding.ranking.encoding import ACTION
from onboarding.ranking.sentences import Sentences
from onboarding.training.rows import Row

PENALTIES: Final = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 100_000.0)
"""Rows' worth of doubt in each slope; the one with the least error on other accounts is taken."""
CONSTANT: Final = 0.1
"""Of that doubt, the share that an action's own constant is met with."""
MAIN: Final = 20.0
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Terms:
    """Rows as terms: what shows of a person, what was shown to them, and how it ended."""

    terms: tuple[Term, ...]
    told: Floats
    actions: tuple[str, ...]
    shown: Places
    labels: Floats


def terms_of(
    rows: Sequence[Row], columns: Sequence[Column], rung: Rung, sentences: Sentences
) -> Terms:
    """Of the person's columns; the table has a leading column of ones."""
    own = [column for column in columns if not column.name.startswith(ACTION)]
    codes = np.array([[c.code(row.values.get(c.name)) for c in own] for row in rows])
    terms: list[Term] = []
    places: list[int] = []
    for at, column in enumerate(own):
        made = _terms(column, codes[:, at], sentences.group_of(column.name))
        terms += made
        places += [at] * len(made)
    told = Affinity(tuple(terms)).standard(codes[:, places])
    names = sorted({row.action for row in rows})
    place = {name: at for at, name in enumerate(names)}
    return Terms(
        tuple(terms),
        np.column_stack([np.ones(len(rows)), told]),
        tuple(names),
        np.array([place[row.action] for row in rows], dtype=np.intp),
        np.array([row.label(rung) for row in rows], dtype=float),
    )


def _terms(column: Column, codes: Floats, group: str) -> list[Term]:
    known = codes[~np.isnan(codes)]
    if column.categories is None:
        spread = float(known.std()) or 1.0
        return [Term(column.name, group, float(known.mean()), spread)]
    return [
        Term(column.name, group, float((known == at).mean()), 1.0, at)
        for at in range(len(column.categories))
    ]


def fitted(found: Terms, places: Places, penalty: float) -> Affinity:
    """Ridge: first what a person is in itself, then, of the rest, what each action adds."""
    told, labels = found.told[places], found.labels[places]
    rest = labels - told @ _ridge(told, labels, np.full(told.shape[1], MAIN))
    doubt = np.full(told.shape[1], penalty)
    doubt[0] = CONSTANT * penalty
    slopes = {}
    for at, action in enumerate(found.actions):
        mine = found.shown[places] == at
        slopes[action] = tuple(map(float, _ridge(told[mine], rest[mine], doubt)))
    return Affinity(found.terms, slopes)


def best_penalty(found: Terms, folds: Places) -> float:
    """By squared error of what is left, on folds that the slopes were not fitted on."""
    errors = dict.fromkeys(PENALTIES, 0.0)
    for fold in np.unique(folds):
        inside, out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        told, labels = found.told[inside], found.labels[inside]
        main = _ridge(told, labels, np.full(told.shape[1], MAIN))
        left = found.labels[out] - found.told[out] @ main
        for penalty in PENALTIES:
            slopes = fitted(found, inside, penalty).slopes
            table = np.array([slopes[action] for action in found.actions])
            added = (found.told[out] * table[found.shown[out]]).sum(axis=1)
            errors[penalty] += float(np.square(left - added).sum())
    return min(errors, key=lambda penalty: (errors[penalty], -penalty))


def _ridge(told: Floats, labels: Floats, doubt: Floats) -> Floats:
    return np.asarray(np.linalg.solve(told.T @ told + np.diag(doubt), told.T @ labels))
