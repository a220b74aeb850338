"""Exact chances of slot 1: what is logged is what was drawn by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from onboarding.ranking.types import NOTHING

EXACT: Final = 1e-9
"""Chances of one decision sum to 1 within this."""


def uniform_over_first(names: Sequence[str], explore: float) -> dict[str, float]:
    """The first, but `explore` of the time any of them alike."""
    if not names:
        return {}
    chances = dict.fromkeys(names, explore / len(names))
    chances[names[0]] += 1 - explore
    return chances


def thompson(names: Sequence[str], wins: Mapping[str, int], floor: float) -> dict[str, float]:
    """`wins` counts the bootstrap models that would choose an action; each keeps `floor`."""
    drawn = sum(wins.values())
    left = 1 - len(names) * floor
    return {name: left * wins.get(name, 0) / drawn + floor for name in names}


def with_nothing(chances: Mapping[str, float], share: float) -> dict[str, float]:
    """The same with the arm that shows nothing new; alone when there is nothing to choose."""
    if not chances:
        return {NOTHING: 1.0}
    return {**{name: (1 - share) * chance for name, chance in chances.items()}, NOTHING: share}


def drawn(chances: Mapping[str, float], seed: int) -> str:
    """One by its chance; the order of the names counts, so it has to be the same in a replay.

    Raises ValueError when the chances do not sum to 1.
    """
    if abs(math.fsum(chances.values()) - 1) > EXACT:
        raise ValueError(f"chances sum to {math.fsum(chances.values())}")
    point, reached = np.random.default_rng(seed).random(), 0.0
    for name, chance in chances.items():
        reached += chance
        if point < reached:
            return name
    return next(name for name in reversed(list(chances)) if chances[name] > 0)
