"""rows -> columns and one table: every action of every short list, and showing nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking import NOTHING, Column, Encoding, Rung, approved
from onboarding.ranking.affinity import FIT
from onboarding.ranking.encoding import EFFORT, ID, KIND, ORDER, RATE, ROLE, STEP
from onboarding.training.affinities import Shrinkage, Terms, best_shrinkage, fitted, terms_of
from onboarding.training.folds import folds_by_group
from onboarding.training.rows import Row
from onboarding.types import UNKNOWN, FeatureValue

MOST_CATEGORIES: Final = 50
LEAST_SHARE: Final = 0.01
"""A feature that fewer rows have is left out."""
PRIOR: Final = 20.0
"""Rows that a rate is smoothed by (design reference, 3)."""
Numbers = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Frame:
    """`table` holds, row by row, the short list and then nothing; `starts` is where each row
    begins, with the end of the table behind it; `chosen` the line of what was shown."""

    rows: tuple[Row, ...]
    encoding: Encoding
    table: Numbers
    starts: Places
    chosen: Places
    labels: Numbers
    folds: Places

    @property
    def nothing(self) -> Places:
        return self.starts[1:] - 1

    def lines(self, places: Places) -> Places:
        """Lines of the table that belong to these rows."""
        return np.concatenate(
            [np.arange(self.starts[at], self.starts[at + 1]) for at in places]
            or [np.zeros(0, dtype=np.intp)]
        )


def framed(rows: Sequence[Row], rung: Rung, folds: int, seed: int) -> Frame:
    """Rates of completion and affinities are out of fold: no row's own account stands in them.
    Raises ValueError without rows."""
    if not rows:
        raise ValueError("there is nothing to learn from")
    fold = folds_by_group([row.account for row in rows], folds, seed)
    found = terms_of(rows, columns_of(rows), rung, approved())
    shrinkage = best_shrinkage(found, fold)
    encoding, *without = [
        _encoding(rows, found, np.flatnonzero(fold != out), shrinkage) for out in range(-1, folds)
    ]
    parts = [without[fold[at]].rows(row.values, (*row.short, None)) for at, row in enumerate(rows)]
    starts = np.cumsum([0, *map(len, parts)])
    chosen = [starts[at] + _place(row) for at, row in enumerate(rows)]
    return Frame(
        tuple(rows),
        encoding,
        np.vstack(parts),
        starts.astype(np.intp),
        np.array(chosen, dtype=np.intp),
        np.array([row.label(rung) for row in rows], dtype=float),
        fold,
    )


def _encoding(rows: Sequence[Row], found: Terms, places: Places, shrinkage: Shrinkage) -> Encoding:
    """Rates and affinities of these rows; the columns are always of all."""
    affinity = fitted(found, places, shrinkage)
    columns = (*columns_of(rows), *(Column(f"{FIT}{g}", None, 0.0, 1) for g in affinity.groups))
    return Encoding(columns, rates_of([rows[at] for at in places]), affinity)


def _place(row: Row) -> int:
    if row.action == NOTHING:
        return len(row.short)
    return [each.action for each in row.short].index(row.action)


def columns_of(rows: Sequence[Row]) -> tuple[Column, ...]:
    """Of the features that enough rows have, in order of their names, and of the action."""
    seen: dict[str, list[FeatureValue]] = defaultdict(list)
    for row in rows:
        for name, value in row.values.items():
            seen[name].append(value)
    enough = max(1, int(LEAST_SHARE * len(rows)))
    own = [_column(name, seen[name]) for name in sorted(seen) if len(seen[name]) >= enough]
    actions = sorted({each.action for row in rows for each in row.short})
    kinds = sorted({each.kind for row in rows for each in row.short})
    return (
        *(column for column in own if column is not None),
        Column(ID, (NOTHING, *actions)),
        Column(KIND, (NOTHING, *kinds)),
        Column(EFFORT, None, 2.0, -1),
        Column(STEP, None, 0.0),
        Column(ORDER, None, 0.0),
        Column(RATE, None, 0.0, 1),
    )


def _column(name: str, values: Sequence[FeatureValue]) -> Column | None:
    """None for what never differs, and for a category with too many values."""
    if not any(isinstance(value, str) for value in values):
        numbers = np.array(values, dtype=float)
        return Column(name, None, float(np.median(numbers))) if np.ptp(numbers) > 0 else None
    counted = Counter(map(str, values))
    names = tuple(sorted(counted))
    if not 1 < len(names) <= MOST_CATEGORIES:
        return None
    return Column(name, names, float(names.index(max(names, key=lambda n: (counted[n], n)))))


def rates_of(rows: Sequence[Row]) -> dict[str, float]:
    """Smoothed completion by action, and by action and role: (c + 20 p) / (n + 20)."""
    done: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    for row in rows:
        if row.action != NOTHING:
            for key in (f"{row.action}|", f"{row.action}|{row.values.get(ROLE, UNKNOWN)}"):
                shown[key] += 1
                done[key] += row.completed
    total = sum(count for key, count in shown.items() if key.endswith("|"))
    overall = sum(count for key, count in done.items() if key.endswith("|")) / max(total, 1)
    by_action = {
        key: _smoothed(done[key], shown[key], overall) for key in shown if key.endswith("|")
    }
    return by_action | {
        key: _smoothed(done[key], shown[key], by_action[f"{key.split('|')[0]}|"])
        for key in shown
        if not key.endswith("|")
    }


def _smoothed(done: int, shown: int, prior: float) -> float:
    return (done + PRIOR * prior) / (shown + PRIOR)


def segments_of(rows: Sequence[Row], name: str) -> Mapping[str, Places]:
    """Rows by the value of one feature."""
    values = np.array([str(row.values.get(name, UNKNOWN)) for row in rows])
    return {str(value): np.flatnonzero(values == value) for value in np.unique(values)}
