"""events -> what the signals are computed from: cohorts, shares, complaints, activation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardrails.consent import Purpose
from onboarding.profile.readiness.definition import Reads
from onboarding.types import UNKNOWN, Event

DAY = timedelta(days=1)
WEEK = 7 * DAY
FOLLOWED = 63
"""Days after which weeks 5 to 8 and day 30 of somebody are known."""
LABEL_DAYS = 14
RECENT_DAYS = 28
_BACK = (30, 37)
COMPLAINTS = ("too_simple", "too_complex", "too_brief", "too_detailed")
Segment = Callable[[str], str]
"""User -> segment, such as their role; UNKNOWN is none."""


class Rate(NamedTuple):
    """So many of so many."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Cohort:
    """Users who signed up in the week from `start`, all followed to the end. `by_week` counts those
    with a core event in week 0, 1, ... since their own sign-up."""

    start: datetime
    users: int
    back: int
    by_week: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """`shares` has a row a user: what their first 14 days consisted of, in the order of `used`.
    `gain` is what segments brought in relative retention, and `levelled_off` whether it still
    grows; None where nobody has measured it. `passed` are the rungs that beat the one before."""

    at: datetime
    cohorts: tuple[Cohort, ...] = ()
    used: tuple[str, ...] = ()
    shares: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    complaints: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    activation: Mapping[str, Rate] = field(default_factory=dict)
    active: int = 0
    mature: int = 0
    gain: float | None = None
    levelled_off: bool = False
    passed: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Life:
    """One user so far."""

    began: datetime | None = None
    core: set[int] = field(default_factory=set)
    used: Counter[str] = field(default_factory=Counter)
    goal: datetime | None = None
    last: datetime | None = None


class Watching:
    """One pass over a tenant's events, oldest sign-up first or not: `see` each, then `observed`."""

    def __init__(
        self,
        reads: Reads,
        core: frozenset[str],
        segment: Segment,
        is_outsider: Callable[[str], bool] = lambda _user: False,
    ) -> None:
        """`core` names events that count as using the product. Outsiders, such as staff and bots,
        are left out."""
        self._reads = reads
        self._core = core
        self._segment = segment
        self._outside = is_outsider
        self._events: dict[str, list[tuple[datetime, str]]] = {}
        self._complaints: dict[str, Counter[str]] = {}

    def see(self, event: Event) -> None:
        if event.user is None or self._outside(event.user):
            return
        wanted = {*self._core, self._reads.signup, self._reads.goal}
        if event.name in wanted:
            self._events.setdefault(event.user, []).append((event.occurred_at, event.name))
        if event.name == self._reads.complaint:
            about = event.serving(Purpose.PRODUCT_ANALYTICS).get(self._reads.complaint_field)
            segment = self._segment(event.user)
            if about in COMPLAINTS and segment != UNKNOWN:
                self._complaints.setdefault(segment, Counter())[str(about)] += 1

    def see_all(self, events: Iterable[Event]) -> Watching:
        for event in events:
            self.see(event)
        return self

    def observed(self, now: datetime) -> Observed:
        lives = {user: self._life(seen, now) for user, seen in self._events.items()}
        begun = {user: life for user, life in lives.items() if life.began is not None}
        recent = now - RECENT_DAYS * DAY
        used, shares = _shares(begun.values())
        followed = {u: e for u, e in begun.items() if _age(e, now) >= LABEL_DAYS}
        return Observed(
            at=now,
            cohorts=_cohorts(begun.values(), now),
            used=used,
            shares=shares,
            complaints=self._complaints,
            activation=self._activation(followed),
            active=sum(e.last is not None and e.last >= recent for e in lives.values()),
            mature=len(followed),
        )

    def _life(self, seen: list[tuple[datetime, str]], now: datetime) -> _Life:
        life = _Life()
        begun = [at for at, name in seen if name == self._reads.signup and at <= now]
        life.began = min(begun, default=None)
        for at, name in seen:
            if at > now:
                continue
            if name in self._core:
                life.last = at if life.last is None else max(life.last, at)
            if life.began is not None and at >= life.began:
                self._count(life, life.began, at, name)
        return life

    def _count(self, life: _Life, began: datetime, at: datetime, name: str) -> None:
        day = (at - began) // DAY
        if name in self._core:
            life.core.add(day)
            if day < LABEL_DAYS:
                life.used[name] += 1
        if name == self._reads.goal and day < LABEL_DAYS:
            life.goal = at

    def _activation(self, followed: Mapping[str, _Life]) -> dict[str, Rate]:
        rates: dict[str, Rate] = {}
        for user, life in followed.items():
            segment = self._segment(user)
            if segment != UNKNOWN:
                old = rates.get(segment, Rate(0, 0))
                rates[segment] = Rate(old.hits + (life.goal is not None), old.n + 1)
        return rates


def _age(life: _Life, now: datetime) -> int:
    assert life.began is not None
    return (now - life.began) // DAY


def _cohorts(lives: Iterable[_Life], now: datetime) -> tuple[Cohort, ...]:
    """By week of sign-up, oldest first; those of whom everybody was followed."""
    weeks: dict[int, list[_Life]] = {}
    for life in lives:
        assert life.began is not None
        weeks.setdefault((now - life.began) // WEEK, []).append(life)
    return tuple(
        _cohort(now - (week + 1) * WEEK, weeks[week])
        for week in sorted(weeks, reverse=True)
        if week * WEEK // DAY >= FOLLOWED
    )


def _cohort(start: datetime, lives: list[_Life]) -> Cohort:
    back = sum(any(_BACK[0] <= day < _BACK[1] for day in life.core) for life in lives)
    weeks = FOLLOWED // 7
    by_week = tuple(sum(any(d // 7 == w for d in e.core) for e in lives) for w in range(weeks))
    return Cohort(start, len(lives), back, by_week)


def _shares(lives: Iterable[_Life]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Users who did something; each row sums to 1."""
    counts = [life.used for life in lives if life.used]
    names = tuple(sorted({name for used in counts for name in used}))
    rows = np.array([[used[name] for name in names] for used in counts], dtype=float)
    if not len(rows):
        return names, np.zeros((0, len(names)))
    return names, rows / rows.sum(axis=1, keepdims=True)
