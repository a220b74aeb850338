"""Does the product refuse what the docs do not answer, and does its confidence mean what it says.

Risk is the share of wrong answers among those given; wrong is to answer what cannot be answered,
or without a citation of a page that holds the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.answers import Asked, Evaluation
from evals.intervals import Figure, auroc_of, bootstrap, mean_of
from evals.metrics import (
    Bin,
    RiskPoint,
    brier,
    coverage_at_risk,
    expected_calibration_error,
    reliability,
    risk_coverage,
)

RISKS = (0.02, 0.05)
LEFT_OUT = "left_out"
PAIRED = "left_out, same questions"
"""Each left-out question against itself in the whole index: no help from easier questions."""
Score = Callable[[Asked], float]
SCORES: Mapping[str, Score] = {
    "product": lambda one: one.confidence,
    "top dense score": lambda one: one.baselines.top_dense,
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is answered at a risk: of all questions, and of the answerable; and from where on."""

    coverage: Figure
    of_answerable: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence against an outcome."""

    ece: float
    brier: float
    bins: Sequence[Bin]


@dataclass(frozen=True, slots=True)
class Refusals:
    """All figures of this suite; systems are the keys of SCORES."""

    auroc: Mapping[str, Mapping[str, Figure]]  # kind of unanswerable, to system
    coverage: Mapping[str, Mapping[str, Coverage]]  # risk, to system
    curves: Mapping[str, Sequence[RiskPoint]]
    rates: Mapping[str, Figure]  # kind of question: share refused at the product's threshold
    risk: Figure  # at the product's threshold
    calibration: Mapping[str, Calibration]


def refusals(evaluation: Evaluation) -> Refusals:
    """Left-out questions count in AUROC and rates, never in risk and coverage."""
    asked, seed = evaluation.asked, evaluation.options.seed
    answered = [one for one in asked if one.answered]
    return Refusals(
        auroc=_auroc(evaluation),
        coverage={
            f"{risk:.0%}": {name: _coverage(asked, of, risk, seed) for name, of in SCORES.items()}
            for risk in RISKS
        },
        curves={
            name: risk_coverage([of(one) for one in asked], [one.wrong for one in asked])
            for name, of in SCORES.items()
        },
        rates=_rates(evaluation),
        risk=mean_of([one.wrong for one in answered], seed),
        calibration={
            "answerable": _calibration(asked, [one.answerable for one in asked]),
            "answered right": _calibration(asked, [not one.wrong for one in asked]),
        },
    )


def _auroc(evaluation: Evaluation) -> Mapping[str, Mapping[str, Figure]]:
    answerable = [one for one in evaluation.asked if one.answerable]
    kinds = _by_kind([one for one in evaluation.asked if not one.answerable])
    pairs = {kind: (answerable, group) for kind, group in kinds.items()}
    if evaluation.left_out:
        gone = {one.question.id for one in evaluation.left_out}
        same = [one for one in answerable if one.question.id in gone]
        pairs[LEFT_OUT] = (answerable, list(evaluation.left_out))
        pairs[PAIRED] = (same, list(evaluation.left_out))
    seed = evaluation.options.seed
    return {
        kind: {
            name: auroc_of([of(one) for one in up], [of(one) for one in down], seed)
            for name, of in SCORES.items()
        }
        for kind, (up, down) in pairs.items()
        if up and down
    }


def _coverage(asked: Sequence[Asked], score: Score, risk: float, seed: int) -> Coverage:
    scores = np.array([score(one) for one in asked])
    wrong = np.array([one.wrong for one in asked], dtype=bool)

    def covered(drawn: NDArray[np.intp]) -> float:
        return coverage_at_risk(risk, scores[drawn].tolist(), wrong[drawn].tolist()).coverage

    threshold = coverage_at_risk(risk, scores.tolist(), wrong.tolist()).threshold
    answerable = [one for one in asked if one.answerable]
    kept = sum(score(one) >= threshold for one in answerable)
    share = kept / len(answerable) if answerable else math.nan
    return Coverage(bootstrap(covered, len(asked), seed), share, threshold)


def _rates(evaluation: Evaluation) -> Mapping[str, Figure]:
    groups = {
        f"{'answerable' if answerable else 'unanswerable'}: {kind}": group
        for answerable in (True, False)
        for kind, group in _by_kind(
            [one for one in evaluation.asked if one.answerable == answerable]
        ).items()
    }
    if evaluation.left_out:
        groups[f"unanswerable: {LEFT_OUT}"] = list(evaluation.left_out)
    seed = evaluation.options.seed
    return {
        name: mean_of([not one.answered for one in group], seed) for name, group in groups.items()
    }


def _by_kind(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    kinds = sorted({one.question.kind for one in asked})
    return {kind: [one for one in asked if one.question.kind == kind] for kind in kinds}


def _calibration(asked: Sequence[Asked], right: Sequence[bool]) -> Calibration:
    confidence = [one.confidence for one in asked]
    return Calibration(
        ece=expected_calibration_error(confidence, right),
        brier=brier(confidence, right) if asked else math.nan,
        bins=reliability(confidence, right),
    )
