"""The figure behind a card: similar teams that did this, and only when they are enough.

A ratio of two shares, adjusted by stratum (Mantel and Haenszel, JNCI 1959) with the variance of
Greenland and Robins (Biometrics 1985), is said when its 95 % lower bound lies above 1. It says what
went together, never what caused what.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from onboarding.types import Why

MIN_ACCOUNTS: Final = 10
MIN_USERS: Final = 50
"""Each side needs both (design reference, 7)."""
Z: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Stratum:
    """Users alike in role, size, source and start week: with the action, and without it."""

    did: int
    did_reached: int
    others: int
    others_reached: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """What a matched query counted. `query` is the hash of its text and parameters."""

    action: str
    strata: tuple[Stratum, ...]
    accounts_did: int
    accounts_others: int
    since: date
    until: date
    query: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of the shares that reached the goal, with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def adjusted(strata: Iterable[Stratum]) -> Ratio | None:
    """None where nobody on a side reached the goal or a side is empty."""
    top = bottom = spread = 0.0
    for each in strata:
        n = each.did + each.others
        if not each.did or not each.others:
            continue
        top += each.did_reached * each.others / n
        bottom += each.others_reached * each.did / n
        reached = each.did_reached + each.others_reached
        both = each.did_reached * each.others_reached
        spread += (each.did * each.others * reached - both * n) / n**2
    if top <= 0 or bottom <= 0:
        return None
    value, error = top / bottom, math.sqrt(max(spread, 0.0) / (top * bottom))
    return Ratio(value, value * math.exp(-Z * error), value * math.exp(Z * error))


def cohort_why(cohort: Cohort) -> Why | None:
    """None unless each side is large enough and the ratio surely above 1; it is rounded down."""
    did = sum(each.did for each in cohort.strata)
    others = sum(each.others for each in cohort.strata)
    few = min(cohort.accounts_did, cohort.accounts_others) < MIN_ACCOUNTS
    ratio = adjusted(cohort.strata)
    if few or min(did, others) < MIN_USERS or ratio is None or ratio.low <= 1:
        return None
    times = math.floor(ratio.value * 10) / 10
    if times <= 1:
        return None
    return Why(
        key="why.cohort",
        values={
            "times": f"{times:.1f}",
            "accounts": str(cohort.accounts_did),
            "since": cohort.since.isoformat(),
            "until": cohort.until.isoformat(),
        },
        evidence=(cohort.query,),
    )
