"""Scores -> probabilities: as they are, or by the beta map (Kull et al., AISTATS 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Chances = NDArray[np.float64]
EDGE: Final = 1e-7
"""Chances are kept this far from 0 and 1, so that their logarithms are finite."""


@dataclass(frozen=True, slots=True)
class Beta:
    """logistic(a ln p - b ln(1 - p) + c); a = b = 1 and c = 0 changes nothing."""

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def __call__(self, chances: Chances) -> Chances:
        if (self.a, self.b, self.c) == (1.0, 1.0, 0.0):
            return chances
        inside = np.clip(chances, EDGE, 1 - EDGE)
        logit = self.a * np.log(inside) - self.b * np.log1p(-inside) + self.c
        return sigmoid(logit)

    def told(self) -> dict[str, float]:
        return {"a": self.a, "b": self.b, "c": self.c}


NONE: Final = Beta()


def beta_of(told: Mapping[str, Any]) -> Beta:
    """Raises KeyError, TypeError, ValueError."""
    return Beta(float(told["a"]), float(told["b"]), float(told["c"]))


def sigmoid(values: Chances) -> Chances:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -40, 40))))
