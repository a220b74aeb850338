"""How long each step took, over every question that was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evals.answers import Evaluation


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p95: float
    n: int


def timings(evaluation: Evaluation) -> Mapping[str, Spread]:
    """By step, in the order in which the steps run."""
    everyone = (*evaluation.asked, *evaluation.left_out)
    steps = dict.fromkeys(step for one in everyone for step in one.answer.timings_ms)
    taken = {
        step: [t[step] for one in everyone if step in (t := one.answer.timings_ms)]
        for step in steps
    }
    return {
        step: Spread(float(np.percentile(ms, 50)), float(np.percentile(ms, 95)), len(ms))
        for step, ms in taken.items()
    }
