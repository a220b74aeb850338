"""A table and labels -> LightGBM models as text: shallow trees, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from onboarding.ranking import Encoding
from onboarding.ranking.calibration import sigmoid
from onboarding.ranking.version import Start

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Of the design reference, section 7. `one_hot` is the largest category count that is split one
    against the rest; `rows_a_category` the least rows of a category that may be split on."""

    leaves: int = 8
    depth: int = 3
    trees: int = 150
    rate: float = 0.05
    rows_a_leaf: int = 50
    l2: float = 5.0
    bins: int = 63
    one_hot: int = 4
    rows_a_category: int = 20
    seed: int = 7

    def parameters(self) -> dict[str, Any]:
        """As LightGBM names them; one thread, so that a fit is the same on every machine."""
        return {
            "objective": "binary",
            "num_leaves": self.leaves,
            "max_depth": self.depth,
            "learning_rate": self.rate,
            "min_data_in_leaf": self.rows_a_leaf,
            "lambda_l2": self.l2,
            "max_bin": self.bins,
            "max_cat_to_onehot": self.one_hot,
            "min_data_per_group": self.rows_a_category,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "seed": self.seed,
            "verbose": -1,
        }


class Fitted(NamedTuple):
    """LightGBM's own text, and what its log odds begin from."""

    text: str
    start: Start


def fit_encoded(table: Numbers, labels: Numbers, encoding: Encoding, recipe: Recipe) -> Fitted:
    """Unweighted; columns that have a direction keep it. Trees mend what the sum of the fits says
    by itself."""
    directions = [column.monotone for column in encoding.columns]
    sums = table[:, encoding.fits].sum(axis=1)
    start = _start(sums, labels)
    begins = start.constant + start.slope * sums
    text = fit_table(table, labels, encoding.categorical, directions, recipe, begins)
    return Fitted(text, start)


def _start(sums: Numbers, labels: Numbers) -> Start:
    """Logistic, by maximum likelihood; fits that are worth nothing count for nothing."""

    def loss(at: Numbers) -> tuple[float, Numbers]:
        odds = at[0] + at[1] * sums
        error = sigmoid(odds) - labels
        cost = np.logaddexp(0, odds) - labels * odds
        return float(cost.mean()), np.array([error.mean(), (error * sums).mean()])

    bounds = [(None, None), (0, None)]
    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Start(float(found[0]), float(found[1]))


def fit_table(
    table: Numbers,
    labels: Numbers,
    categorical: Sequence[int],
    directions: Sequence[int],
    recipe: Recipe,
    begins: Numbers | None = None,
) -> str:
    """LightGBM's own text; `begins` are log odds that it adds to."""
    import lightgbm

    parameters = recipe.parameters()
    if any(directions):
        parameters["monotone_constraints"] = list(directions)
    data = lightgbm.Dataset(
        table,
        labels,
        init_score=begins,
        categorical_feature=list(categorical),
        params=parameters,
        free_raw_data=True,
    )
    text: str = lightgbm.train(parameters, data, recipe.trees).model_to_string()
    return text


def resampled(clusters: Sequence[str], models: int, seed: int) -> list[NDArray[np.intp]]:
    """Rows of each bootstrap model: whole clusters, drawn again with replacement."""
    names, code = np.unique(np.asarray(clusters), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(models):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        drawn.append(np.repeat(np.arange(len(code)), times[code]))
    return drawn
