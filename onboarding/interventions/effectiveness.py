"""What each intervention did: those who got it against those who were drawn to get nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

Z95: Final = 1.959963984540054
ENOUGH: Final = 1000
"""Exposures before an intervention may be called useless (onboarding reference, section 11)."""
WORTH: Final = 0.005
"""Half a point: what stays below it even at the upper end is to be retired."""
SMALLEST: Final = 10
"""No rate is shown of fewer people (onboarding reference, section 13)."""


@dataclass(frozen=True, slots=True)
class Group:
    """People, and how many of them did what the message is for within a day."""

    people: int
    succeeded: int


@dataclass(frozen=True, slots=True)
class Effect:
    """Of one intervention, `journey/step`."""

    intervention: str
    reached: Group
    nothing: Group


class Interval(NamedTuple):
    low: float
    high: float


class Uplift(NamedTuple):
    """Difference of the two rates with its interval of 95 %."""

    estimate: float
    interval: Interval


def wilson(group: Group, z: float = Z95) -> Interval:
    """Of a rate (Wilson, JASA 1927)."""
    n, p = group.people, group.succeeded / group.people
    middle = p + z * z / (2 * n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    return Interval(max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole))


def uplift(effect: Effect, z: float = Z95) -> Uplift | None:
    """Newcombe's hybrid score interval (Statistics in Medicine 1998, method 10). None where a group
    is too small to be shown."""
    one, two = effect.reached, effect.nothing
    if min(one.people, two.people) < SMALLEST:
        return None
    p1, p2 = one.succeeded / one.people, two.succeeded / two.people
    first, second = wilson(one, z), wilson(two, z)
    below = sqrt((p1 - first.low) ** 2 + (second.high - p2) ** 2)
    above = sqrt((first.high - p1) ** 2 + (p2 - second.low) ** 2)
    return Uplift(p1 - p2, Interval(p1 - p2 - below, p1 - p2 + above))


def to_retire(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """Those that reached enough people and help too little at best, the least helpful first."""
    found: list[tuple[float, Effect]] = []
    for effect in effects:
        shown = uplift(effect)
        if shown is None or effect.reached.people < ENOUGH:
            continue
        if shown.interval.high < WORTH:
            found.append((shown.interval.high, effect))
    return tuple(effect for _, effect in sorted(found, key=lambda one: one[0]))
