"""May this model rank people's next steps? Seven checks in order; a refusal has a stable code.

Support comes first among the statistical ones: without it a policy that is truly worse passed in
half of all runs (design reference, 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from onboarding.ranking import Rung


class Refusal(StrEnum):
    """Codes of the checks, in their order."""

    DATA = "too_little_data"
    SUPPORT = "no_support"
    OVERLAP = "no_overlap"
    VALUE = "not_better"
    CALIBRATION = "not_calibrated"
    SEGMENTS = "worse_for_some"
    LATENCY = "too_slow"


@dataclass(frozen=True, slots=True)
class Needed:
    """Mature users and positive labels that a rung asks for."""

    users: int
    labels: int


NEEDED: Final[Mapping[Rung, Needed]] = {
    Rung.COMPLETE: Needed(500, 200),
    Rung.ACTIVATE: Needed(2000, 200),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of the design reference, section 8. `segment` is the worst loss of a segment, as a share."""

    unsupported: float = 0.01
    ess: float = 500.0
    weight: float = 50.0
    ece: float = 0.03
    brier: float = 0.001
    segment: float = -0.01
    parity: float = 0.8
    latency_ms: float = 5.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of a candidate. `low` is the DR lower bound of candidate less champion,
    `segments` the same by segment; `latency_ms` None was not measured, and does not pass."""

    rung: Rung
    users: int
    labels: int
    unsupported: float
    ess: float
    max_weight: float
    gain: float
    low: float
    ece: float
    brier: float
    champion_brier: float
    segments: Mapping[str, float]
    parity: float
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the printed gate."""

    code: Refusal
    passed: bool
    told: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`refusal` is the first check that failed; None lets the model go on to shadow."""

    checks: tuple[Check, ...]

    @property
    def refusal(self) -> Refusal | None:
        return next((check.code for check in self.checks if not check.passed), None)


def judged(found: Evidence, bounds: Bounds | None = None) -> Verdict:
    """All seven, so that a refusal also says what else would have failed."""
    bounds = bounds or Bounds()
    return Verdict((*_of_the_log(found, bounds), *_of_the_model(found, bounds)))


def _of_the_log(found: Evidence, bounds: Bounds) -> tuple[Check, ...]:
    needed = NEEDED[found.rung]
    return (
        Check(
            Refusal.DATA,
            found.users >= needed.users and found.labels >= needed.labels,
            f"{found.users} users, {found.labels} labels; {needed.users}, {needed.labels} needed",
        ),
        Check(
            Refusal.SUPPORT,
            found.unsupported <= bounds.unsupported,
            f"{found.unsupported:.2%} of the picks could not have been logged",
        ),
        Check(
            Refusal.OVERLAP,
            found.ess >= bounds.ess and found.max_weight <= bounds.weight,
            f"ESS {found.ess:.0f}, largest weight {found.max_weight:.1f}",
        ),
        Check(
            Refusal.VALUE,
            found.low > 0,
            f"gain {100 * found.gain:+.2f} points, lower bound {100 * found.low:+.2f}",
        ),
    )


def _of_the_model(found: Evidence, bounds: Bounds) -> tuple[Check, ...]:
    calibrated = found.ece <= bounds.ece and found.brier <= found.champion_brier + bounds.brier
    worst = min(found.segments.values(), default=0.0)
    speed = "not measured" if found.latency_ms is None else f"p99 {found.latency_ms:.2f} ms"
    return (
        Check(
            Refusal.CALIBRATION,
            calibrated,
            f"ECE {found.ece:.4f}, Brier {found.brier:.4f} beside {found.champion_brier:.4f}",
        ),
        Check(
            Refusal.SEGMENTS,
            worst > bounds.segment and found.parity >= bounds.parity,
            f"worst segment {100 * worst:+.2f} points, exposure parity {found.parity:.2f}",
        ),
        Check(
            Refusal.LATENCY,
            found.latency_ms is not None and found.latency_ms <= bounds.latency_ms,
            speed,
        ),
    )
