"""The tenant's own decisions and what became of them -> rows that a ranker is learned from."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from onboarding.ranking import (
    Asked,
    Explainer,
    ModelRanker,
    Policy,
    Rung,
    Sentences,
    Version,
    decide,
)
from onboarding.store.ranking.store import NextSteps
from onboarding.training import Asking, Row, rows_of
from onboarding.training.rows import Pseudonym
from onboarding.types import Person, Snapshot

BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
ACTIVATES_FROM: Final = 2_000
"""People followed for the whole window, from whom on activation is ranked by; completion is before
(onboarding reference, 5)."""
TIMED: Final = 200
"""The newest decisions, which are made again for their time."""


@dataclass(frozen=True, slots=True)
class RowParts:
    """`allowed` says who of these people agrees to training today; rows hold `pseudonym`s."""

    tenant: str
    steps: NextSteps
    allowed: Callable[[frozenset[str]], Awaitable[frozenset[str]]]
    pseudonym: Pseudonym


async def rows_in(parts: RowParts, now: datetime) -> tuple[Row, ...]:
    """Those old enough to know how they ended. Raises StoreUnavailableError."""
    decisions = await parts.steps.decisions(parts.tenant, BEGINNING, now)
    outcomes = await parts.steps.outcomes(parts.tenant, BEGINNING, now)
    agreed = await parts.allowed(frozenset(each.person.user for each in decisions))
    asking = Asking(now, allowed=agreed.__contains__, pseudonym=parts.pseudonym)
    return rows_of(decisions, outcomes, asking)


def rung_of(rows: Sequence[Row]) -> Rung:
    """What there are enough people to learn."""
    people = len({row.user for row in rows})
    return Rung.ACTIVATE if people >= ACTIVATES_FROM else Rung.COMPLETE


def timed(rows: Sequence[Row], sentences: Sentences) -> Callable[[Version], float]:
    """p99 of whole decisions with their reasons, in milliseconds, over the newest rows."""

    def p99(version: Version) -> float:
        ranker = ModelRanker(version, Explainer(version, sentences))
        took: list[float] = []
        for number, row in enumerate(rows[-TIMED:]):
            asked = _asked(row, number)
            began = time.perf_counter()
            decide(asked, ranker, Policy())
            took.append(time.perf_counter() - began)
        return float(np.quantile(took, 0.99)) * 1000

    return p99


def _asked(row: Row, seed: int) -> Asked:
    return Asked(
        id=row.decision,
        person=Person("", row.user, row.account),
        at=row.at,
        candidates=row.short,
        snapshot=Snapshot(row.at, row.values, row.spec),
        seed=seed,
    )
