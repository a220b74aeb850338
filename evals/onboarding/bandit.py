"""The estimators on a log of two real policies, and whether the gate knows when not to believe."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evals.onboarding.figures import Contender, Part
from onboarding.ranking import Rung
from onboarding.training import Evidence, Logged, Refusal, Verdict, ips, judged, snips

SEED: Final = 71
ROWS: Final = 10_000
CLICKS: Final = 0.05
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Log:
    """`slots` are item and position in one number."""

    slots: NDArray[np.intp]
    clicks: Numbers
    propensities: Numbers


def bandit(data: Path) -> list[Part]:
    folder = data / "bandit_obd"
    random, thompson = _read(folder / "random_men.csv"), _read(folder / "bts_men.csv")
    return [
        _part("Thompson's value from the random log", random, thompson),
        _part("the random policy's value from Thompson's log", thompson, random),
        _starved(),
    ]


def _part(name: str, log: Log, of: Log) -> Part:
    """Both policies ignore the person: a slot's chance is the same in every row of a log."""
    chances = _chances(of)
    known = np.array([chances.get(int(slot), 0.0) for slot in log.slots])
    logged = Logged(log.clicks, log.propensities, np.arange(len(log.clicks)))
    plain, normal = ips(logged, known), snips(logged, known)
    verdict = _verdict(len(log.clicks), int(log.clicks.sum()), normal.ess, normal.max_weight)
    overlap = next(check for check in verdict.checks if check.code is Refusal.OVERLAP)
    return Part(
        name,
        f"{len(log.clicks)} rows of the log, {int(log.clicks.sum())} clicks",
        (
            Contender("SNIPS", {"value %": 100 * normal.value, "se %": 100 * normal.error}, True),
            Contender("IPS", {"value %": 100 * plain.value, "se %": 100 * plain.error}, True),
            Contender("on policy", {"value %": 100 * float(of.clicks.mean())}),
        ),
        (
            f"ESS {normal.ess:.0f}, largest weight {normal.max_weight:.0f}: check 3 (overlap)"
            f" {'passes' if overlap.passed else 'refuses'}",
        ),
        (),
        {"ess": normal.ess, "max_weight": normal.max_weight, "overlap": overlap.passed},
    )


def _starved() -> Part:
    """A synthetic log of which two rows count: every estimate of it is unusable."""
    rng = np.random.default_rng(SEED)
    propensities = np.full(ROWS, 0.9)
    propensities[:2] = 1 / 20_000
    log = Logged((rng.random(ROWS) < CLICKS).astype(float), propensities, np.arange(ROWS))
    chances = np.full(ROWS, 1e-4)
    chances[:2] = 1.0
    found = snips(log, chances)
    verdict = _verdict(ROWS, 500, found.ess, found.max_weight)
    return Part(
        "a log of which two rows count",
        f"{ROWS} rows drawn with seed {SEED}",
        (Contender("SNIPS", {"ESS": found.ess, "largest weight": found.max_weight}, True),),
        (f"the gate said: {verdict.refusal.value if verdict.refusal else 'passed'}",),
        (SEED,),
        {"refusal": verdict.refusal.value if verdict.refusal else None},
    )


def _verdict(rows: int, clicks: int, ess: float, weight: float) -> Verdict:
    """As if all else held, so that overlap alone is judged; clicks are counted as they are."""
    return judged(
        Evidence(
            rung=Rung.ACTIVATE,
            users=rows,
            labels=clicks,
            unsupported=0.0,
            ess=ess,
            max_weight=weight,
            gain=1.0,
            low=1.0,
            ece=0.0,
            brier=0.0,
            champion_brier=0.0,
            segments={},
            parity=1.0,
            latency_ms=0.0,
        )
    )


def _chances(log: Log) -> Mapping[int, float]:
    """Of each slot, over the time of the log: the harmonic mean of the chances logged for it, since
    it was logged the oftener the higher its chance was."""
    counts = np.bincount(log.slots)
    inverse = np.bincount(log.slots, weights=1 / log.propensities)
    return {int(at): float(counts[at] / inverse[at]) for at in np.flatnonzero(counts)}


def _read(file: Path) -> Log:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    slots = [int(row["item_id"]) * 3 + int(row["position"]) - 1 for row in rows]
    return Log(
        np.array(slots),
        np.array([float(row["click"]) for row in rows]),
        np.array([float(row["propensity_score"]) for row in rows]),
    )
