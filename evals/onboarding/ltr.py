"""The ranker's recipe on a public ranking sample, beside LambdaMART, ridge and chance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import Ridge

from evals.metrics import ndcg_at
from evals.onboarding.figures import Part, averaged
from onboarding.ranking.version import Trees
from onboarding.training.fitting import Recipe, fit_table
from onboarding.training.folds import folds_by_group

SEED: Final = 43
FOLDS: Final = 5
CUTS: Final = (1, 3, 5, 10)
Numbers = NDArray[np.float64]
Fit = Callable[[Numbers, Numbers, list[int], Numbers], Numbers]
"""Table, grades, sizes of queries, table to score -> scores."""


def ranking(data: Path) -> list[Part]:
    """Five folds by query: no query stands on both sides."""
    folder = data / "ranking_ltr"
    table, grades = load_svmlight_file(str(folder / "rank.train.libsvm"))
    sizes = [int(line) for line in (folder / "rank.train.query").read_text().split()]
    whole, ends = np.asarray(table.todense()), np.cumsum([0, *sizes])
    folds = folds_by_group([f"q{n}" for n in range(len(sizes))], FOLDS, SEED)
    makers: dict[str, Fit] = {
        "ours: pointwise": _pointwise, "lambdarank": _lambdarank, "ridge": _ridge, "random": _random
    }  # fmt: skip
    told: dict[str, list[dict[str, float]]] = {name: [] for name in makers}
    for fold in range(FOLDS):
        inside, out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        mine, theirs = _lines(ends, inside), _lines(ends, out)
        for name, make in makers.items():
            scores = make(whole[mine], grades[mine], [sizes[q] for q in inside], whole[theirs])
            told[name].append(_ndcg(scores, grades[theirs], [sizes[q] for q in out]))
    return [
        Part(
            "learning to rank sample",
            f"{len(sizes)} queries, {FOLDS} folds by query; mean over folds",
            tuple(averaged(n, runs, ours=n.startswith("ours")) for n, runs in told.items()),
            (
                "the folder's README, fitted on all of it and scored on its hidden half:"
                " lambdarank NDCG@10 .753, ridge .712, random .584",
            ),
            (SEED,),
        )
    ]


def _pointwise(table: Numbers, grades: Numbers, sizes: list[int], out: Numbers) -> Numbers:  # noqa: ARG001
    """Expected gain from one binary model a grade: sum of (2^g - 2^(g-1)) P(grade >= g)."""
    recipe = Recipe(rows_a_leaf=20, trees=100, rate=0.1)
    scores = np.zeros(len(out))
    for grade in range(1, int(grades.max()) + 1):
        labels = (grades >= grade).astype(float)
        none = [0] * table.shape[1]
        raw = Trees(fit_table(table, labels, (), none, recipe)).raw(out)
        scores += (2**grade - 2 ** (grade - 1)) / (1 + np.exp(-raw))
    return scores


def _lambdarank(table: Numbers, grades: Numbers, sizes: list[int], out: Numbers) -> Numbers:
    parameters = {
        "objective": "lambdarank", "num_leaves": 31, "learning_rate": 0.1, "min_data_in_leaf": 50,
        "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": SEED,
        "verbose": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(table, grades, group=sizes, params=parameters)
    return np.asarray(lightgbm.train(parameters, data, 100).predict(out, num_threads=1))


def _ridge(table: Numbers, grades: Numbers, sizes: list[int], out: Numbers) -> Numbers:  # noqa: ARG001
    return np.asarray(Ridge(alpha=10.0).fit(table, grades).predict(out))


def _random(table: Numbers, grades: Numbers, sizes: list[int], out: Numbers) -> Numbers:  # noqa: ARG001
    return np.random.default_rng(SEED).random(len(out))


def _lines(ends: NDArray[np.intp], queries: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.concatenate([np.arange(ends[q], ends[q + 1]) for q in queries])


def _ndcg(scores: Numbers, grades: Numbers, sizes: list[int]) -> dict[str, float]:
    found: dict[str, list[float]] = {f"NDCG@{cut}": [] for cut in CUTS}
    begin = 0
    for size in sizes:
        own = scores[begin : begin + size]
        told = {str(n): int(g) for n, g in enumerate(grades[begin : begin + size])}
        order = [str(n) for n in np.argsort(-own, kind="stable")]
        for cut in CUTS:
            found[f"NDCG@{cut}"].append(ndcg_at(cut, order, told))
        begin += size
    return {name: float(np.mean(values)) for name, values in found.items()}
