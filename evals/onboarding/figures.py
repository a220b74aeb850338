"""One contender of a suite: its figures, and how its chances hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.metrics import auroc
from onboarding.training import measured

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contender:
    """`ours` marks what the product ships; the others are the plain baselines beside it."""

    name: str
    figures: Mapping[str, float]
    ours: bool = False
    reliability: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One measured question: what was fitted on what, scored on what, and by whom."""

    name: str
    split: str
    contenders: tuple[Contender, ...]
    notes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return asdict(self)


def binary(name: str, chances: Numbers, labels: Numbers, *, ours: bool = False) -> Contender:
    """AUC, average precision, Brier, skill and ECE, with the reliability table."""
    held = labels.astype(bool)
    quality = measured(chances, labels.astype(float))
    figures = {
        "AUC": auroc(chances[held].tolist(), chances[~held].tolist()),
        "AP": average_precision(chances, labels),
        "Brier": quality.brier,
        "skill": quality.skill,
        "ECE": quality.ece,
    }
    bars = tuple({k: round(v, 5) for k, v in asdict(bar).items()} for bar in quality.bins)
    return Contender(name, figures, ours, bars)


def average_precision(scores: Numbers, labels: Numbers) -> float:
    """Mean precision at each positive, ties in order of the rows."""
    order = np.argsort(-scores, kind="stable")
    held = labels[order].astype(float)
    precision = np.cumsum(held) / np.arange(1, len(held) + 1)
    return float((precision * held).sum() / max(held.sum(), 1))


def averaged(name: str, runs: Sequence[Mapping[str, float]], *, ours: bool = False) -> Contender:
    """Mean over seeds, with the standard deviation as `sd NAME` where there are several."""
    figures: dict[str, float] = {}
    for key in runs[0]:
        values = np.array([run[key] for run in runs])
        figures[key] = float(values.mean())
        if len(runs) > 1:
            figures[f"sd {key}"] = float(values.std(ddof=1))
    return Contender(name, figures, ours)
