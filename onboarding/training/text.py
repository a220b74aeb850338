"""Texts with labels -> a calibrated linear classifier (`onboarding.profile.text` serves it).

Multinomial logistic regression by L-BFGS; its temperature (Guo et al., ICML 2017) and the threshold
below which it abstains come from texts that it was not fitted on, of other groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.sparse import csr_matrix

from onboarding.profile.text import Counts, TextModel, counted, softmax, weighed
from onboarding.training.folds import folds_by_group

FOLDS: Final = 5
ENOUGH: Final = 2000
"""Above so many texts one fold of five calibrates as well as all, at a fifth of the cost."""
KEPT_ERROR: Final = 0.10
"""At most so many of the answers that are not withheld may be wrong (design reference, 4)."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """`terms` is the largest vocabulary, `strength` the inverse of the L2 penalty of one text."""

    terms: int = 30_000
    strength: float = 20.0
    rounds: int = 60
    seed: int = 5


@dataclass(frozen=True, slots=True)
class _Linear:
    terms: tuple[str, ...]
    idf: NDArray[np.float32]
    weights: Matrix
    bias: Matrix

    def logits(self, texts: Sequence[Counts]) -> Matrix:
        return np.asarray(_matrix(texts, self.terms, self.idf) @ self.weights + self.bias)


def fit_text(
    texts: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    recipe: TextRecipe | None = None,
) -> TextModel:
    """`groups` names who wrote a text: nobody stands on both sides of a split. Raises ValueError
    for fewer than two labels."""
    recipe = recipe or TextRecipe()
    names = tuple(sorted(set(labels)))
    if len(names) < 2:  # noqa: PLR2004
        raise ValueError("a classifier needs texts of two labels or more")
    counts = [counted(text) for text in texts]
    codes = np.array([names.index(label) for label in labels])
    folds = folds_by_group(groups or [str(n) for n in range(len(texts))], FOLDS, recipe.seed)
    logits, held = _held_out(counts, codes, folds, len(names), recipe)
    temperature = _temperature(logits, codes[held])
    fitted = _fitted(counts, codes, len(names), recipe)
    return TextModel(
        names,
        fitted.terms,
        fitted.idf,
        fitted.weights.astype(np.float32),
        fitted.bias.astype(np.float32),
        temperature,
        _threshold(softmax(logits / temperature), codes[held]),
    )


def _held_out(
    counts: Sequence[Counts],
    codes: NDArray[np.intp],
    folds: NDArray[np.intp],
    labels: int,
    recipe: TextRecipe,
) -> tuple[Matrix, NDArray[np.intp]]:
    """Logits of texts that their model has not seen, and which texts these are."""
    used = range(1 if len(counts) > ENOUGH else FOLDS)
    logits, places = [], []
    for fold in used:
        out, inside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if not len(out) or not len(inside):
            continue
        fitted = _fitted([counts[int(n)] for n in inside], codes[inside], labels, recipe)
        logits.append(fitted.logits([counts[int(n)] for n in out]))
        places.append(out)
    return np.concatenate(logits), np.concatenate(places)


def _fitted(
    counts: Sequence[Counts], codes: NDArray[np.intp], labels: int, recipe: TextRecipe
) -> _Linear:
    terms, idf = _vocabulary(counts, recipe.terms)
    matrix = _matrix(counts, terms, idf)
    turned = matrix.T.tocsr()
    size, n = len(terms) * labels, len(counts)
    wanted = np.zeros((n, labels), dtype=np.float32)
    wanted[np.arange(n), codes] = 1
    penalty = 1 / (recipe.strength * n)

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        narrow = flat.astype(np.float32)  # twice as fast, and as good for words
        weights, bias = narrow[:size].reshape(-1, labels), narrow[size:]
        chances = softmax(matrix @ weights + bias)
        cost = -np.log(np.maximum(chances[np.arange(n), codes], 1e-30)).mean()
        error = (chances - wanted) / n
        slope = turned @ error + penalty * weights
        cost += penalty / 2 * float(np.square(weights).sum())
        whole = np.concatenate([slope.ravel(), error.sum(axis=0)])
        return float(cost), whole.astype(np.float64)

    begin = np.zeros(size + labels)
    options = {"maxiter": recipe.rounds, "maxcor": 6, "ftol": 1e-7}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options=options).x
    return _Linear(terms, idf, found[:size].reshape(-1, labels), found[size:])


def _vocabulary(counts: Sequence[Counts], most: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Terms of two texts or more, the most frequent first kept; in order of their names."""
    within: Counter[str] = Counter()
    for each in counts:
        within.update(each.words.keys())
        within.update(each.runs.keys())
    least = 2 if len(counts) >= 200 else 1  # noqa: PLR2004  # a small set has no repetitions
    known = [(term, n) for term, n in within.items() if n >= least]
    kept = sorted(sorted(known, key=lambda each: (-each[1], each[0]))[:most])
    idf = np.log((1 + len(counts)) / (1 + np.array([n for _, n in kept], dtype=float))) + 1
    return tuple(term for term, _ in kept), idf.astype(np.float32)


def _matrix(counts: Sequence[Counts], terms: Sequence[str], idf: NDArray[np.float32]) -> csr_matrix:
    place = {term: at for at, term in enumerate(terms)}
    columns, values, ends = [], [], [0]
    for each in counts:
        for block in each:
            for at, value in weighed(block, place, idf):
                columns.append(at)
                values.append(value)
        ends.append(len(columns))
    narrow = np.array(values, dtype=np.float32)
    return csr_matrix((narrow, columns, ends), shape=(len(counts), len(terms)))


def _temperature(logits: Matrix, codes: NDArray[np.intp]) -> float:
    """The one that makes these labels likeliest, within 1/20 and 20."""

    def cost(log_temperature: float) -> float:
        chances = softmax(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(chances[np.arange(len(codes)), codes], 1e-300)).mean())

    span = np.log(20.0)
    return float(np.exp(minimize_scalar(cost, bounds=(-span, span), method="bounded").x))


def _threshold(chances: Matrix, codes: NDArray[np.intp]) -> float:
    """The least confidence above which at most a tenth of the answers is wrong; 1 if there is
    none."""
    confidence, wrong = chances.max(axis=1), chances.argmax(axis=1) != codes
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    kept = np.flatnonzero(share <= KEPT_ERROR)
    return float(confidence[order][kept[-1]]) if len(kept) else 1.0
