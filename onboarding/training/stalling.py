"""When somebody used the product -> the person-periods of the hazard model, and the two plain
answers that it has to beat: a rule of recency and progress, and a logistic regression.

A period counts while the last use is less than `AHEAD` old: who was silent for longer is gone, and
teaches nothing new until they come back. Its label is that no use follows within `AHEAD`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, isnan
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from onboarding.ranking.calibration import sigmoid
from onboarding.training.hazard import FIRST_DAY_H
from onboarding.types import FeatureValue

AHEAD: Final = timedelta(days=14)
"""What the risk looks ahead over (design reference, 10)."""
DAYS: Final = 60
"""Periods of a person end this long after their first use: onboarding is over."""
STEPS: Final = "steps_done"
"""Steps of their ways that are on record as done."""
NEWCOMER: Final = 0.25
"""Rule: share of newcomers without a step done that never comes back. Initial."""
FADES_D: Final = 7.0
"""Rule: days of silence in which the others' share falls to 1/e. Initial."""
MOST: Final = 0.95
"""Rule: the most that it is ever sure of."""
RIDGE: Final = 1.0
Numbers = NDArray[np.float64]


class Period(NamedTuple):
    """One person at one time; `gone` says that nothing came within `AHEAD` of it."""

    at: datetime
    gone: bool


def periods_of(uses: Sequence[datetime], until: datetime) -> Iterator[Period]:
    """Of one person's uses in their order: hours of the first day, then days; those alone whose end
    is known by `until`."""
    if not uses:
        return
    hours = (timedelta(hours=hour) for hour in range(1, FIRST_DAY_H))
    days = (timedelta(days=day) for day in range(1, DAYS + 1))
    for after in (*hours, *days):
        at = uses[0] + after
        if at + AHEAD > until:
            return
        past = bisect_right(uses, at)
        if at - uses[past - 1] < AHEAD:
            yield Period(at, past == len(uses) or uses[past] > at + AHEAD)


class RuleStalls:
    """The risk where no model serves. Of newcomers `NEWCOMER` never come back, fewer with every
    step that is done; the others' share fades with each day of silence."""

    name: Final = "rule"

    def stalled(self, values: Mapping[str, FeatureValue]) -> float:
        """By `days_idle`, at most the days since they were first seen, and the steps done."""
        idle = min(_number(values, "days_idle"), _number(values, "days_since_first"))
        lost = NEWCOMER / (1 + _number(values, STEPS))
        return min(MOST, 1 - (1 - lost) * exp(-idle / FADES_D))

    def risks(self, names: Sequence[str], table: Numbers) -> Numbers:
        """Of rows whose columns are `names`."""
        rows = (dict(zip(names, row, strict=True)) for row in table.tolist())
        return np.array([self.stalled(row) for row in rows])


def _number(values: Mapping[str, FeatureValue], name: str) -> float:
    value = values.get(name, 0.0)
    return 0.0 if isinstance(value, str) or isnan(value) else max(0.0, value)


class LogisticStalls:
    """Standardised columns with a mark for what is missing, by maximum likelihood with a ridge."""

    def __init__(self, table: Numbers, labels: Numbers) -> None:
        middle = np.nanmedian(np.where(np.isnan(table).all(axis=0), 0.0, table), axis=0)
        self._middle = middle
        plain = self._filled(table)
        self._centre, self._spread = plain.mean(axis=0), plain.std(axis=0)
        self._spread[self._spread == 0] = 1.0
        told = self._told(table)

        def loss(at: Numbers) -> tuple[float, Numbers]:
            odds = told @ at
            cost = np.logaddexp(0, odds) - labels * odds
            slope = told.T @ (sigmoid(odds) - labels) + RIDGE * at
            return float(cost.sum() + 0.5 * RIDGE * at @ at), slope

        begin = np.zeros(told.shape[1])
        self._slopes = minimize(loss, begin, jac=True, method="L-BFGS-B").x

    def risks(self, table: Numbers) -> Numbers:
        return np.asarray(sigmoid(self._told(table) @ self._slopes))

    def _told(self, table: Numbers) -> Numbers:
        plain = (self._filled(table) - self._centre) / self._spread
        return np.column_stack([np.ones(len(plain)), plain])

    def _filled(self, table: Numbers) -> Numbers:
        missing = np.isnan(table)
        return np.hstack([np.where(missing, self._middle, table), missing.astype(float)])
