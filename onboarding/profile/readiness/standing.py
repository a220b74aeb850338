"""signals -> the stage that is allowed, the rung that is earned, and what is served.

stage    4 or more signals: individual; 2 or more: segment; else generic
rung     by users followed for the whole label window: below 500, below 2,000, above
served   the lower of both; without signals 1 and 4 nothing that learned ranks
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from numpy.random import Generator

from onboarding.profile.readiness.definition import Override, ReadinessFile, Rung, SignalName, Stage
from onboarding.profile.readiness.observing import Observed
from onboarding.profile.readiness.signals import Signal, signals_of

RUNGS = ((2000, Rung.ACTIVATE), (500, Rung.COMPLETE))
"""Mature users from which a rung is earned."""
INDIVIDUAL_FROM, PAYS_FROM, SEGMENT_FROM = 4, 3, 2
APART = timedelta(days=7)
"""Between the two evaluations after which a stage falls."""


class Past(NamedTuple):
    """What an earlier evaluation allowed."""

    at: datetime
    allowed: Stage


@dataclass(frozen=True, slots=True)
class Standing:
    """`allowed` by signals now; `stage` after hysteresis and override; `rung` is what ranks.
    `notes` say why something is lower than it could be."""

    at: datetime
    signals: tuple[Signal, ...]
    allowed: Stage
    stage: Stage
    earned: Rung
    rung: Rung
    mature: int
    override: Override | None = None
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return sum(signal.holds for signal in self.signals)

    @property
    def pays_off(self) -> bool:
        return self.count >= PAYS_FROM


def stand(seen: Observed, file: ReadinessFile, before: Sequence[Past], rng: Generator) -> Standing:
    """`before`: earlier evaluations of the tenant."""
    signals = signals_of(seen, file, rng)
    allowed, notes = _allowed(signals, seen, file)
    settled = settle((*before, Past(seen.at, allowed)))
    if settled > allowed:
        notes.append("the stage falls when a second weekly evaluation says the same")
    stage, override = _overridden(settled, file.override, seen.at, notes)
    earned = _earned(seen, notes)
    rung = Rung(min(stage, earned))
    if not _may_learn(signals):
        rung = Rung.CURATED
        notes.append("without product-market fit and active users nothing that learned ranks")
    return Standing(
        seen.at, signals, allowed, stage, earned, rung, seen.mature, override, tuple(notes)
    )


def settle(evaluations: Sequence[Past]) -> Stage:
    """Up at once; down when two evaluations a week or more apart, and all between, are below."""
    stage = Stage.GENERIC
    below: list[Past] = []
    for past in sorted(evaluations, key=lambda each: each.at):
        if past.allowed >= stage:
            stage, below = past.allowed, []
            continue
        below.append(past)
        if past.at - below[0].at >= APART:
            stage = max(each.allowed for each in below)
            below = [each for each in below if each.allowed < stage]
    return stage


def _allowed(
    signals: Sequence[Signal], seen: Observed, file: ReadinessFile
) -> tuple[Stage, list[str]]:
    count = sum(signal.holds for signal in signals)
    if count < SEGMENT_FROM:
        return Stage.GENERIC, []
    if count < INDIVIDUAL_FROM:
        return Stage.SEGMENT, []
    if seen.gain is None:
        return Stage.SEGMENT, ["what segments gain is not measured yet: run them against generic"]
    if seen.gain < file.thresholds.gain:
        return Stage.SEGMENT, [f"segments gain {seen.gain:.0%} retention: segments are enough"]
    if not seen.levelled_off:
        return Stage.SEGMENT, ["what segments gain still grows: let it level off first"]
    return Stage.INDIVIDUAL, []


def _overridden(
    settled: Stage, override: Override | None, now: datetime, notes: list[str]
) -> tuple[Stage, Override | None]:
    if override is None or override.to == settled:
        return settled, None
    if override.is_over(now):
        notes.append("the override is over")
        return settled, None
    if override.to > settled and override.lacks:
        notes.append(f"the override upwards counts with {', '.join(override.lacks)} alone")
        return settled, None
    return override.to, override


def _earned(seen: Observed, notes: list[str]) -> Rung:
    """A rung that did not beat the one before is not earned, nor are those above it."""
    by_count = next((rung for least, rung in RUNGS if seen.mature >= least), Rung.CURATED)
    earned = Rung.CURATED
    for rung in Rung:
        if Rung.CURATED < rung <= by_count and earned == rung - 1:
            if rung.title in seen.passed:
                earned = rung
            else:
                notes.append(f"{rung.title}: no candidate passed the gate; what ranks now stays")
    return earned


def _may_learn(signals: Sequence[Signal]) -> bool:
    needed = {SignalName.PRODUCT_MARKET_FIT, SignalName.ACTIVE_USERS}
    return needed <= {signal.name for signal in signals if signal.holds}
