"""Who will not come back to a step: a discrete-time hazard model over person-period rows.

A row is one person at the start of one period (hours on the first day, days after it), with what
was known then; its label is that nothing more came within 14 days. Rows of one person stand on one
side of every split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from onboarding.ranking.calibration import NONE, Beta, beta_of, sigmoid
from onboarding.ranking.types import ModelFileError
from onboarding.ranking.version import Trees, checked, sealed
from onboarding.training.calibrating import chosen
from onboarding.training.fitting import Recipe, fit_table
from onboarding.training.folds import folds_by_group
from onboarding.types import FeatureValue

HAZARD: Final = Recipe(leaves=15, depth=5, trees=150, rate=0.03, rows_a_leaf=500, l2=20.0)
"""The ranker's recipe with 15 leaves (design reference, 10), slower and with larger leaves: best of
three with each course of 2013B left out in turn (mean AUC .765)."""
IDLE: Final = "days_since_progress"
"""The longer nothing moved, the likelier nothing will: risk never falls in it."""
FIRST_DAY_H: Final = 24
FOLDS: Final = 5
Numbers = NDArray[np.float64]


def period_of(hours: float) -> int:
    """Hour buckets on the first day, then days: 0..23, then 24 for the second day and so on."""
    if hours < FIRST_DAY_H:
        return max(0, int(hours))
    return FIRST_DAY_H + int(hours // 24) - 1


@dataclass(frozen=True, slots=True)
class Periods:
    """A table of person-periods: one row each, with whose it is. `clusters` are what is not divided
    between parts, such as accounts; persons where there are none."""

    names: tuple[str, ...]
    table: Numbers
    labels: Numbers
    persons: tuple[str, ...]
    clusters: tuple[str, ...] = ()


class StallModel:
    """P(this step is not taken any more). Thread-safe: it only reads. `spec` is the hash of the
    features' definitions that its columns come from."""

    def __init__(
        self, names: Sequence[str], trees: Trees, calibration: Beta, name: str, spec: str = ""
    ) -> None:
        self.name = name
        self.spec = spec
        self.names = tuple(names)
        self._trees = trees
        self._calibration = calibration

    def risks(self, table: Numbers) -> Numbers:
        """Of rows whose columns are `names`."""
        return self._calibration(sigmoid(self._trees.raw(table)))

    def stalled(self, values: Mapping[str, FeatureValue]) -> float:
        """Of one step, by its features; what is missing is told to the model as missing."""
        told = [values.get(name) for name in self.names]
        row = [float("nan") if v is None or isinstance(v, str) else float(v) for v in told]
        return float(self.risks(np.array([row]))[0])


def fit_stalls(
    periods: Periods, name: str, recipe: Recipe = HAZARD, seed: int = 3
) -> dict[str, bytes]:
    """The version's files, sealed. Raises ValueError where all labels are alike."""
    if not 0 < periods.labels.sum() < len(periods.labels):
        raise ValueError("all labels are alike: there is nothing to learn from")
    directions = [int(each == IDLE) for each in periods.names]
    text = fit_table(periods.table, periods.labels, (), directions, recipe)
    calibration = _calibration(periods, directions, recipe, seed)
    files = {
        "champion.txt": text.encode(),
        "calibration.json": orjson.dumps(calibration.told()),
        "columns.json": orjson.dumps(periods.names),
    }
    about: dict[str, Any] = {"name": name, "kind": "stalls", "rows": len(periods.labels)}
    return sealed(files, about)


def _calibration(periods: Periods, directions: Sequence[int], recipe: Recipe, seed: int) -> Beta:
    """On a fifth of the people, by a model of the others."""
    folds = folds_by_group(periods.persons, FOLDS, seed)
    inside, out = folds != 0, folds == 0
    if not 0 < periods.labels[inside].sum() < inside.sum() or not out.any():
        return NONE
    text = fit_table(periods.table[inside], periods.labels[inside], (), directions, recipe)
    chances = sigmoid(Trees(text).raw(periods.table[out]))
    within = folds_by_group([p for p, o in zip(periods.persons, out, strict=True) if o], 5, seed)
    return chosen(chances, periods.labels[out], within)


def open_stalls(files: Mapping[str, bytes]) -> StallModel:
    """Raises ModelFileError."""
    manifest = checked(files)
    try:
        return StallModel(
            orjson.loads(files["columns.json"]),
            Trees(files["champion.txt"].decode()),
            beta_of(orjson.loads(files["calibration.json"])),
            str(manifest["name"]),
            str(manifest.get("spec", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"a file cannot be read: {type(error).__name__}") from error
