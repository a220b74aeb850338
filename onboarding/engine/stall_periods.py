"""The tenant's own log -> person-periods: what the model of stalling is fitted on.

Everything of a row is as it was known at its time: features are worked out again from events that
were received by then, progress from what was on record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from guardrails.consent import Purpose
from onboarding.engine.risks import columns, ways_of
from onboarding.events import EventLog
from onboarding.features import FeatureSet
from onboarding.features.offline import Asked
from onboarding.store.journeys.store import ProgressStore
from onboarding.training import STEPS, Periods, periods_of
from onboarding.training.hazard import IDLE
from onboarding.types import Event, FeatureValue, Person, Snapshot

GROUP: Final = "stalls"
"""Reads all of the log, and acknowledges nothing."""
MOST: Final = 40_000
"""Rows; of more, each has the same chance to be among them."""


class Replay(Protocol):
    """Features as they were known at many times. Raises StoreUnavailableError."""

    async def snapshots(
        self, tenant: str, features: FeatureSet, asked: Sequence[Asked]
    ) -> tuple[Snapshot, ...]: ...


@dataclass(frozen=True, slots=True)
class PeriodParts:
    """`core` are the events that count as using the product, `allowed` says who agrees to training
    today."""

    tenant: str
    log: EventLog
    replay: Replay
    progress: ProgressStore
    features: FeatureSet
    core: frozenset[str]
    allowed: Callable[[str], Awaitable[bool]]
    most: int = MOST
    seed: int = 7


@dataclass(slots=True)
class _Life:
    """What one person did, in the order in which it came."""

    uses: list[datetime] = field(default_factory=list)
    accounts: list[tuple[datetime, str]] = field(default_factory=list)

    def account(self, at: datetime) -> str | None:
        """The one they were seen in last by then."""
        return max((each for each in self.accounts if each[0] <= at), default=(at, None))[1]


@dataclass(frozen=True, slots=True)
class _Row:
    person: Person
    at: datetime
    gone: bool


async def periods_in(parts: PeriodParts, now: datetime) -> Periods:
    """Those whose end is known by now. Raises StoreUnavailableError, ValueError without any."""
    lives = await _lives(parts)
    rows = _rows(parts, lives, now)
    if not rows:
        raise ValueError("nobody who agrees to training was followed for two weeks")
    told = await _told(parts, rows)
    names = tuple(sorted({STEPS, IDLE} | _numbers(told)))
    table = [[_number(values.get(name)) for name in names] for values in told]
    return Periods(
        names,
        np.array(table, dtype=float),
        np.array([row.gone for row in rows], dtype=float),
        tuple(row.person.user for row in rows),
        tuple(row.person.account or row.person.user for row in rows),
    )


async def _lives(parts: PeriodParts) -> dict[str, _Life]:
    """Of those who agree to training."""
    lives: dict[str, _Life] = defaultdict(_Life)
    after = 0
    while page := await parts.log.read(parts.tenant, GROUP, after):
        for number, event in page:
            after = number
            if event.user is not None and Purpose.PRODUCT_ANALYTICS in event.purposes:
                _add(lives[event.user], event, parts.core)
    return {user: life for user, life in lives.items() if await parts.allowed(user)}


def _add(life: _Life, event: Event, core: frozenset[str]) -> None:
    if event.name in core:
        life.uses.append(event.occurred_at)
    if event.account is not None:
        life.accounts.append((event.received_at, event.account))


def _rows(parts: PeriodParts, lives: dict[str, _Life], now: datetime) -> list[_Row]:
    """All of them, or so many as are wanted: each with the same chance."""
    found = [
        (user, life, period)
        for user, life in lives.items()
        for period in periods_of(sorted(life.uses), now)
    ]
    kept = np.random.default_rng(parts.seed).random(len(found)) < parts.most / max(len(found), 1)
    return [
        _Row(Person(parts.tenant, user, life.account(period.at)), period.at, period.gone)
        for (user, life, period), stays in zip(found, kept, strict=True)
        if stays
    ]


async def _told(parts: PeriodParts, rows: Sequence[_Row]) -> list[dict[str, FeatureValue]]:
    ways = {
        person.user: await ways_of(parts.progress, person)
        for person in {row.person.user: row.person for row in rows}.values()
    }
    asked = [Asked(row.person, row.at, {}) for row in rows]
    snapshots = await parts.replay.snapshots(parts.tenant, parts.features, asked)
    return [
        columns(snapshot, ways[row.person.user])
        for snapshot, row in zip(snapshots, rows, strict=True)
    ]


def _numbers(told: Sequence[dict[str, FeatureValue]]) -> set[str]:
    return {name for name, value in told[0].items() if not isinstance(value, str)}


def _number(value: FeatureValue | None) -> float:
    return float("nan") if value is None or isinstance(value, str) else float(value)
