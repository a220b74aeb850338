"""The suites on the development data and in simulated worlds, by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evals.onboarding.bandit import bandit
from evals.onboarding.figures import Part
from evals.onboarding.intents import intents
from evals.onboarding.ltr import ranking
from evals.onboarding.nudges import nudges
from evals.onboarding.sessions import sessions
from evals.onboarding.simulator import SEED, Sizes, simulated
from evals.onboarding.stalls import stalls

Suite = Callable[[Path], list[Part]]
SUITES: Final[Mapping[str, Suite]] = {
    "intents": intents,
    "stalls": stalls,
    "ranking": ranking,
    "uplift": nudges,
    "sessions": sessions,
    "bandit": bandit,
}
SIMULATOR: Final = "simulator"
"""Needs no data."""


class UnknownSuiteError(ValueError):
    """Names those that there are."""


class MissingDataError(ValueError):
    """A suite's folder is not there."""


def names() -> tuple[str, ...]:
    return (*SUITES, SIMULATOR)


def run(
    data: Path | None,
    wanted: Sequence[str],
    sizes: Sizes,
    seed: int = SEED,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """By suite: its parts and the seconds it took. Raises UnknownSuiteError, MissingDataError."""
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        raise UnknownSuiteError(f"no suite {', '.join(unknown)}; there are {', '.join(names())}")
    told: dict[str, Any] = {}
    for name in wanted or names():
        began = time.perf_counter()
        parts = simulated(seed, sizes) if name == SIMULATOR else _on(data, name)
        took = time.perf_counter() - began
        told[name] = {"seconds": round(took, 1), "parts": [part.told() for part in parts]}
        tell(f"{name}: {took:.0f} s")
    return told


def _on(data: Path | None, name: str) -> list[Part]:
    if data is None:
        raise MissingDataError(f"{name} needs the folder of the public sets: --data DIR")
    try:
        return SUITES[name](data)
    except FileNotFoundError as missing:
        raise MissingDataError(f"{name}: {missing.filename} is not there") from missing
