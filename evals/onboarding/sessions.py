"""Will this visit end in what it came for? The recipe beside logistic regression."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evals.onboarding.figures import Contender, Part, averaged, binary
from onboarding.ranking.calibration import sigmoid
from onboarding.ranking.version import Trees
from onboarding.training.fitting import Recipe, fit_table

SEEDS: Final = (61, 62, 63)
FIT: Final = 0.7
WORDS: Final = ("Month", "VisitorType", "Weekend")
RECIPE: Final = Recipe(trees=200)
Numbers = NDArray[np.float64]


def sessions(data: Path) -> list[Part]:
    table, labels, categorical = _read(data / "sessions_shoppers" / "sessions.csv")
    runs: dict[str, list[dict[str, float]]] = {"recipe": [], "logistic": [], "base rate": []}
    kept: dict[str, Contender] = {}
    for seed in SEEDS:
        fit = np.random.default_rng(seed).random(len(labels)) < FIT
        chances = {
            "recipe": _trees(table, labels, fit, categorical),
            "logistic": _logistic(table, labels, fit, categorical),
            "base rate": np.full(int((~fit).sum()), labels[fit].mean()),
        }
        for name, told in chances.items():
            made = binary(name, told, labels[~fit])
            kept[name] = made
            runs[name].append({**made.figures, "F1": f1(told, labels[~fit])})
    contenders = [averaged(name, each, ours=name == "recipe") for name, each in runs.items()]
    with_bars = [Contender(c.name, c.figures, c.ours, kept[c.name].reliability) for c in contenders]
    return [
        Part(
            "shoppers' sessions",
            f"{len(labels)} sessions, {len(SEEDS)} random splits {FIT:.0%}/{1 - FIT:.0%}",
            tuple(with_bars),
            ("the folder's README, hidden half: AUC .9355, AP .758, F1 .649, Brier .0695",),
            SEEDS,
        )
    ]


def f1(chances: Numbers, labels: Numbers, border: float = 0.5) -> float:
    told = chances >= border
    hits = float((told & (labels > 0)).sum())
    return 2 * hits / max(float(told.sum() + labels.sum()), 1.0)


def _trees(
    table: Numbers, labels: Numbers, fit: NDArray[np.bool_], categorical: list[int]
) -> Numbers:
    text = fit_table(table[fit], labels[fit], categorical, [0] * table.shape[1], RECIPE)
    return sigmoid(Trees(text).raw(table[~fit]))


def _logistic(
    table: Numbers, labels: Numbers, fit: NDArray[np.bool_], categorical: list[int]
) -> Numbers:
    numbers = [at for at in range(table.shape[1]) if at not in categorical]
    marks = [table[:, [at]] == np.unique(table[:, at]) for at in categorical]
    wide = np.hstack([table[:, numbers], *marks]).astype(float)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return np.asarray(model.fit(wide[fit], labels[fit]).predict_proba(wide[~fit])[:, 1])


def _read(file: Path) -> tuple[Numbers, Numbers, list[int]]:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    names = [name for name in rows[0] if name not in ("row_id", "Revenue")]
    columns = []
    for name in names:
        values = [row[name] for row in rows]
        if name in WORDS:
            known = sorted(set(values))
            columns.append([float(known.index(value)) for value in values])
        else:
            columns.append([float(value or "nan") for value in values])
    labels = np.array([float(row["Revenue"].upper() == "TRUE") for row in rows])
    table = np.nan_to_num(np.array(columns).T)
    return table, labels, [names.index(name) for name in WORDS]
