"""Finished and unfinished ways through a journey -> how long the rest takes, how likely it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from types import MappingProxyType
from typing import Final, Protocol

from onboarding.journeys.format import Step
from onboarding.types import Progress, StepState, View

ENOUGH: Final = 10
"""People below which no figure of theirs is shown (reference, sections 7 and 13)."""
PAUSE: Final = timedelta(minutes=30)
"""A gap above this is a break and no work: the session gap of the features (section 3)."""
MATURE: Final = timedelta(days=14)
"""A way younger than this may still be finished; it says nothing of those who were not."""
UNKNOWN_MINUTES: Final = 5
"""Of a step whose file names no minutes and that too few have done."""


@dataclass(frozen=True, slots=True)
class Way:
    """One person's: when each action was done, by them or for their account; `own` are theirs."""

    started_at: datetime
    done: Mapping[str, datetime]
    finished: bool
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cohort:
    """`minutes` an action takes, the median of those who were measured; `finished` share of those
    who had done so many. What fewer than ten stand behind is left out."""

    minutes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    finished: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is shown beside a checklist. `measured` is the share of the minutes that come from a
    cohort and not from the file."""

    minutes_left: float
    measured: float
    probability: float | None


class Completion(Protocol):
    """Whoever can say how likely a person finishes: a cohort, or a model."""

    def probability(self, progress: Progress, view: View) -> float | None:
        """0 to 1; None where it is not known."""
        ...


class OfCohort:
    """The share of those with as many steps done who finished."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort

    def probability(self, progress: Progress, view: View) -> float | None:
        if progress.reached_at is not None and progress.reached_at <= view.now:
            return 1.0
        done = sum(step.state is StepState.DONE for step in progress.steps)
        return self._cohort.finished.get(done)


def cohort_of(ways: Iterable[Way], now: datetime) -> Cohort:
    """An action's time is that since the one before it, unless a break lay between them or somebody
    else took it."""
    known = list(ways)
    times: dict[str, list[float]] = {}
    for way in known:
        for action, took in _times(way):
            times.setdefault(action, []).append(took.total_seconds() / 60)
    minutes = {name: median(took) for name, took in sorted(times.items()) if len(took) >= ENOUGH}
    mature = [way for way in known if way.finished or now - way.started_at >= MATURE]
    return Cohort(minutes, _shares(mature))


def outlook(
    progress: Progress,
    steps: Sequence[Step],
    cohort: Cohort,
    completion: Completion,
    view: View,
) -> Outlook:
    """Time left is the sum over steps that are not done, each its cohort's median or its file's."""
    left = {s.id for s in progress.steps if s.state in (StepState.OPEN, StepState.BLOCKED)}
    waiting = [step for step in steps if step.id in left]
    total = sum(_minutes(step, cohort) for step in waiting)
    measured = sum(cohort.minutes.get(step.action or "", 0.0) for step in waiting)
    share = measured / total if total else 1.0
    return Outlook(total, share, completion.probability(progress, view))


def _minutes(step: Step, cohort: Cohort) -> float:
    return cohort.minutes.get(step.action or "", float(step.minutes or UNKNOWN_MINUTES))


def _times(way: Way) -> Iterable[tuple[str, timedelta]]:
    before = way.started_at
    for action, at in sorted(way.done.items(), key=lambda pair: (pair[1], pair[0])):
        if action in way.own and timedelta(0) < at - before <= PAUSE:
            yield action, at - before
        before = max(before, at)


def _shares(ways: Sequence[Way]) -> dict[int, float]:
    """Whoever did five steps had also done four."""
    most = max((len(way.done) for way in ways), default=0)
    shares: dict[int, float] = {}
    for number in range(most + 1):
        reached = [way for way in ways if len(way.done) >= number]
        if len(reached) >= ENOUGH:
            shares[number] = sum(way.finished for way in reached) / len(reached)
    return shares
