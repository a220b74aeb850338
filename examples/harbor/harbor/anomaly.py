"""What is usual for an hour of the week or a day of it, and what is not.

Counts are compared as square roots, whose spread does not depend on their size (Anscombe 1948):
the mean of the same slot in the weeks before, plus and minus as many pooled standard deviations
as make the wanted number of false alarms. Student's t stands for the few weeks that there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Direction = Literal["up", "down", "both"]
Sensitivity = Literal["low", "medium", "high"]
ALARMS_A_DAY: dict[Sensitivity, float] = {"low": 1 / 60, "medium": 1 / 14, "high": 1.5 / 7}
"""By chance alone (FACTS.md, "Anomaly")."""
LEAST_SPREAD = 0.5
"""Of the root of a Poisson count; no count of independent events varies less."""


@dataclass(frozen=True, slots=True)
class Range:
    low: float
    high: float

    def leaves(self, value: float, direction: Direction) -> bool:
        down, up = value < self.low, value > self.high
        return up if direction == "up" else down if direction == "down" else up or down


def usual(
    history: Sequence[tuple[int, int]], slot: int, false_alarms: float, direction: Direction
) -> Range | None:
    """The range of the next count in this slot; `history` are slots with their counts, and
    `false_alarms` the share of usual counts outside. None where too little is known."""
    slots: dict[int, list[float]] = {}
    for at, count in history:
        slots.setdefault(at, []).append(math.sqrt(count))
    freedom = len(history) - len(slots)
    same = slots.get(slot)
    if not same or freedom < 1:
        return None
    squares = sum(_squares(roots) for roots in slots.values())
    spread = max(math.sqrt(squares / freedom), LEAST_SPREAD) * math.sqrt(1 + 1 / len(same))
    tail = false_alarms / 2 if direction == "both" else false_alarms
    reach = student(1 - tail, freedom) * spread
    mean = sum(same) / len(same)
    return Range(max(mean - reach, 0) ** 2, (mean + reach) ** 2)


def _squares(roots: list[float]) -> float:
    mean = sum(roots) / len(roots)
    return sum((root - mean) ** 2 for root in roots)


def student(share: float, freedom: int) -> float:
    """Quantile of Student's t by the series of Cornish and Fisher (1937), good from 5 degrees."""
    z = NormalDist().inv_cdf(share)
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return z + first + second
