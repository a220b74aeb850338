"""observed + declared -> the five signals, each with its figures and what it lacks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from numpy.random import Generator

from onboarding.profile.readiness.clusters import Clusters, clusters_of
from onboarding.profile.readiness.definition import ReadinessFile, SignalName, Thresholds
from onboarding.profile.readiness.observing import Cohort, Observed, Rate

Z = 1.959964
"""Of a two-sided 95 % interval."""
WEEKS = (5, 8)
AXES = (("too_simple", "too_complex"), ("too_brief", "too_detailed"))


@dataclass(frozen=True, slots=True)
class Signal:
    """`computed` from data, or `declared` by this owner. `figures` are what it was judged by;
    `lacks` says what is missing and how to get it."""

    name: SignalName
    computed: bool
    declared: str | None
    figures: Mapping[str, float]
    lacks: str = ""

    @property
    def holds(self) -> bool:
        return self.computed or self.declared is not None


class Judged(NamedTuple):
    """What data alone say."""

    holds: bool
    figures: Mapping[str, float]
    lacks: str


def signals_of(seen: Observed, file: ReadinessFile, rng: Generator) -> tuple[Signal, ...]:
    """In their order."""
    bounds = file.thresholds
    judged = {
        SignalName.PRODUCT_MARKET_FIT: market_fit(seen.cohorts, bounds),
        SignalName.DIVERSITY: diversity(clusters_of(seen.shares, rng), bounds),
        SignalName.GENERIC_FAILS: generic_fails(seen, bounds),
        SignalName.ACTIVE_USERS: active_users(seen, bounds),
        SignalName.RETENTION_FIRST: Judged(
            False, {}, "declare it in readiness.yaml, with an owner and a date; it lasts 90 days"
        ),
    }
    return tuple(_signal(name, judged[name], file, seen) for name in SignalName)


def market_fit(cohorts: Sequence[Cohort], bounds: Thresholds) -> Judged:
    """Of the last complete cohorts together."""
    last = list(cohorts)[-bounds.cohorts :]
    users = sum(each.users for each in last)
    if len(last) < bounds.cohorts or not users:
        return Judged(
            False,
            {"cohorts": len(last)},
            f"{bounds.cohorts} weekly cohorts that were followed for nine weeks are needed",
        )
    low = wilson_low(Rate(sum(each.back for each in last), users))
    early, late = (sum(each.by_week[week] for each in last) for week in WEEKS)
    loss = 1 - late / early if early else 1.0
    figures = {"d30_low": low, "week_loss": loss, "users": users}
    holds = low >= bounds.retention and loss <= bounds.week_loss
    lacks = (
        f"day-30 retention must be {bounds.retention:.0%} by its lower bound, and weeks 5 to 8 lose"
        f" at most {bounds.week_loss:.0%}: work on the first value before personalising it"
    )
    return Judged(holds, figures, "" if holds else lacks)


def diversity(found: Clusters, bounds: Thresholds) -> Judged:
    figures = {
        "users": found.users,
        "profiles": found.k,
        "smallest": found.smallest,
        "distance": found.distance,
        "strength": found.strength,
    }
    holds = (
        found.users >= bounds.sampled
        and found.k >= bounds.profiles
        and found.smallest >= bounds.smallest
        and found.distance >= bounds.distance
        and found.strength >= bounds.strength
    )
    lacks = (
        f"{bounds.profiles} kinds of need that show in the first two weeks of"
        f" {bounds.sampled} users or more; or write down the profiles of 20 sampled users, and"
        " declare it"
    )
    return Judged(holds, figures, "" if holds else lacks)


def generic_fails(seen: Observed, bounds: Thresholds) -> Judged:
    """Holm over all pairs of segments and both kinds of evidence (Holm, 1979)."""
    tests = [*_opposed(seen.complaints, bounds), *_activated(seen.activation, bounds)]
    adjusted = holm([test.p for test in tests])
    fits = [p for test, p in zip(tests, adjusted, strict=True) if test.is_large]
    best = min(fits, default=1.0)
    gaps = [abs(a.value - b.value) for a, b in combinations(seen.activation.values(), 2)]
    figures = {"tests": len(tests), "p": best, "widest_gap": max(gaps, default=0.0)}
    holds = best < bounds.p
    lacks = (
        "two segments that complain in opposite directions, or whose activation under one journey"
        f" differs by {100 * bounds.points:g} points: collect feedback by role"
    )
    return Judged(holds, figures, "" if holds else lacks)


def active_users(seen: Observed, bounds: Thresholds) -> Judged:
    holds = seen.active >= bounds.active
    lacks = f"{bounds.active} users with a core event in 28 days; there are {seen.active}"
    return Judged(holds, {"active": seen.active}, "" if holds else lacks)


def wilson_low(rate: Rate, z: float = Z) -> float:
    """Lower bound of the 95 % score interval (Wilson, 1927)."""
    if not rate.n:
        return 0.0
    p, n = rate.value, rate.n
    middle = p + z * z / (2 * n)
    return (middle - z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def holm(values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [1.0] * len(values), 0.0
    for place, at in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - place) * values[at]))
        adjusted[at] = highest
    return adjusted


class _Test(NamedTuple):
    p: float
    is_large: bool


def _opposed(complaints: Mapping[str, Mapping[str, int]], bounds: Thresholds) -> Iterator[_Test]:
    """Pairs of segments of which one says mostly too much, the other mostly too little."""
    for one, other in combinations(complaints.values(), 2):
        for less, more in AXES:
            a = Rate(one.get(less, 0), one.get(less, 0) + one.get(more, 0))
            b = Rate(other.get(less, 0), other.get(less, 0) + other.get(more, 0))
            if not a.n or not b.n:
                continue
            up, down = (a, b) if a.value >= b.value else (b, a)
            opposite = up.hits > up.n - up.hits and down.n - down.hits > down.hits
            enough = min(up.hits, down.n - down.hits) >= bounds.complaints
            yield _Test(_p_of(a, b), opposite and enough)


def _activated(rates: Mapping[str, Rate], bounds: Thresholds) -> Iterator[_Test]:
    for a, b in combinations(rates.values(), 2):
        if a.n and b.n:
            yield _Test(_p_of(a, b), abs(a.value - b.value) >= bounds.points)


def _p_of(a: Rate, b: Rate) -> float:
    """Two-sided test of two proportions, pooled."""
    pooled = (a.hits + b.hits) / (a.n + b.n)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / a.n + 1 / b.n))
    return math.erfc(abs(a.value - b.value) / spread / math.sqrt(2)) if spread else 1.0


def _signal(name: SignalName, judged: Judged, file: ReadinessFile, seen: Observed) -> Signal:
    said = file.declaration(name, seen.at)
    owner = None if said is None else said.owner
    lacks = "" if judged.holds or owner is not None else judged.lacks
    return Signal(name, judged.holds, owner, judged.figures, lacks)
