"""rows -> the linear terms of a person with an action, shrunk as far as other accounts ask for.

A step that is shown helps when it is done. For P(goal) the two are fitted apart: the chance that
this person does it, from everybody to whom it was shown, and what it then adds, from those who did
it. Both say more than the goal of all to whom it was shown, most of whom it never reached. Actions
help by few needs, so that slopes are kept to the few directions in which they really differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking import NOTHING, Column, Rung
from onboarding.ranking.affinity import Affinity, Term
from onboarding.ranking.encoding import ACTION
from onboarding.ranking.sentences import Sentences
from onboarding.training.rows import Row

PENALTIES: Final = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 100_000.0)
"""Rows' worth of doubt in each slope."""
RANKS: Final = (1, 2, 3, 4, 6, 99)
"""Directions in which actions may differ; the last is all of them."""
CONSTANT: Final = 0.1
"""Of that doubt, the share that an action's own constant is met with."""
MAIN: Final = 20.0
DOING: Final = 1000.0
"""Rows' worth of doubt in slopes of the chance that a step is done: it differs little by person."""
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class Shrinkage(NamedTuple):
    """How far slopes are drawn to nothing, and in how many directions they may differ."""

    penalty: float
    rank: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Rows as terms: what shows of a person, what was shown to them, whether they did it, and how
    it ended. `by_doing` says that slopes tell of what is done."""

    terms: tuple[Term, ...]
    told: Floats
    actions: tuple[str, ...]
    shown: Places
    done: Floats
    labels: Floats
    by_doing: bool


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
        np.array([row.completed for row in rows], dtype=float),
        np.array([row.label(rung) for row in rows], dtype=float),
        rung is Rung.ACTIVATE,
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


def fitted(found: Terms, places: Places, shrinkage: Shrinkage) -> Affinity:
    """Ridge: first what a person is in itself, then, of the rest, what each action adds."""
    told, weights = found.told[places], _weights(found, places)
    main = _main(found, places)
    rest = found.labels[places] - told @ main[:-1]
    slopes = np.zeros((len(found.actions), told.shape[1]))
    for at, _ in enumerate(found.actions):
        mine = (found.shown[places] == at) & (weights > 0)
        slopes[at] = _ridge(told[mine], rest[mine] - main[-1], _doubt(told, shrinkage.penalty))
    slopes[:, 1:] = _of_rank(slopes[:, 1:], shrinkage.rank)
    slopes[:, 0] += main[-1]
    return Affinity(found.terms, _by_action(found, slopes), _doing(found, places))


def best_shrinkage(found: Terms, folds: Places) -> Shrinkage:
    """By squared error of what is left, on folds that the slopes were not fitted on."""
    errors: dict[Shrinkage, float] = defaultdict(float)
    for fold in np.unique(folds):
        inside, out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        told, weights = found.told[out], _weights(found, out)
        left = found.labels[out] - told @ _main(found, inside)[:-1]
        for penalty in PENALTIES:
            whole = fitted(found, inside, Shrinkage(penalty, RANKS[-1])).slopes
            table = _table(found, whole)
            for rank in RANKS:
                low = np.column_stack([table[:, 0], _of_rank(table[:, 1:], rank)])
                added = weights * (told * low[found.shown[out]]).sum(axis=1)
                errors[Shrinkage(penalty, rank)] += float(np.square(left - added).sum())
    return min(errors, key=lambda each: (errors[each], -each.penalty, each.rank))


def _weights(found: Terms, places: Places) -> Floats:
    """1 for rows that slopes are fitted on: what was done, or all that was shown."""
    return found.done[places] if found.by_doing else np.ones(len(places))


def _main(found: Terms, places: Places) -> Floats:
    """What a person is in itself, and at the end what a step that was done adds for anybody."""
    told, labels = found.told[places], found.labels[places]
    if not found.by_doing:
        return np.append(_ridge(told, labels, np.full(told.shape[1], MAIN)), 0.0)
    table = np.column_stack([told, found.done[places]])
    return _ridge(table, labels, np.full(table.shape[1], MAIN))


def _doing(found: Terms, places: Places) -> dict[str, tuple[float, ...]]:
    """Slopes of the chance that a step is done; none where that is the goal itself."""
    if not found.by_doing:
        return {}
    told, done = found.told[places], found.done[places]
    main = _ridge(told, done, np.full(told.shape[1], MAIN))
    slopes = np.zeros((len(found.actions), told.shape[1]))
    for at, _ in enumerate(found.actions):
        mine = found.shown[places] == at
        rest = done[mine] - told[mine] @ main
        slopes[at] = main + _ridge(told[mine], rest, _doubt(told, DOING))
    return _by_action(found, slopes)


def _doubt(told: Floats, penalty: float) -> Floats:
    doubt = np.full(told.shape[1], penalty)
    doubt[0] = CONSTANT * penalty
    return doubt


def _of_rank(slopes: Floats, rank: int) -> Floats:
    """The nearest table that differs in so many directions."""
    if rank >= min(slopes.shape):
        return slopes
    left, sizes, right = np.linalg.svd(slopes, full_matrices=False)
    return np.asarray((left[:, :rank] * sizes[:rank]) @ right[:rank])


def _table(found: Terms, slopes: Mapping[str, tuple[float, ...]]) -> Floats:
    none = (0.0,) * found.told.shape[1]
    return np.array([slopes.get(action, none) for action in found.actions])


def _by_action(found: Terms, slopes: Floats) -> dict[str, tuple[float, ...]]:
    """Of showing nothing there is nothing to do."""
    return {
        action: tuple(map(float, slopes[at]))
        for at, action in enumerate(found.actions)
        if not (found.by_doing and action == NOTHING)
    }


def _ridge(told: Floats, labels: Floats, doubt: Floats) -> Floats:
    return np.asarray(np.linalg.solve(told.T @ told + np.diag(doubt), told.T @ labels))
