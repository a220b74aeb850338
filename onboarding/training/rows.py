"""decisions + outcomes -> rows that are old enough to know how they ended.

A row is slot 1 of one decision, or the arm that showed nothing; its features are the snapshot that
was decided on, never anything later.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from onboarding.ranking import NOTHING, Rung
from onboarding.types import Candidate, Decision, FeatureValue, Outcome, OutcomeKind

FOLLOWED: Final = timedelta(days=14)
"""The label window: activation and completion count within it (design reference, 8)."""
Allowed = Callable[[str], bool]
Pseudonym = Callable[[str], str]


def everybody(user: str) -> bool:
    """Consent was asked for before."""
    return bool(user)


def unchanged(name: str) -> str:
    """The names are pseudonyms already."""
    return name


@dataclass(frozen=True, slots=True)
class Row:
    """`short` is the list that slot 1 was drawn from, with its chances; `action` is what was drawn,
    empty for nothing new. `user` and `account` are pseudonyms."""

    decision: str
    user: str
    account: str
    at: datetime
    short: tuple[Candidate, ...]
    chances: Mapping[str, float]
    action: str
    values: Mapping[str, FeatureValue]
    spec: str
    completed: bool
    activated: bool

    @property
    def propensity(self) -> float:
        return self.chances[self.action]

    def label(self, rung: Rung) -> bool:
        return self.completed if rung is Rung.COMPLETE else self.activated


@dataclass(frozen=True, slots=True)
class Asking:
    """What rows are made under. `allowed` says who agreed to training, today."""

    now: datetime
    followed: timedelta = FOLLOWED
    allowed: Allowed = everybody
    pseudonym: Pseudonym = unchanged


def rows_of(
    decisions: Iterable[Decision], outcomes: Iterable[Outcome], asking: Asking
) -> tuple[Row, ...]:
    """Oldest first. Of who had reached the goal before, nothing can be learned."""
    found = _Outcomes(outcomes)
    rows = [
        _row(decision, found, asking)
        for decision in decisions
        if decision.at + asking.followed <= asking.now
        and asking.allowed(decision.person.user)
        and not found.reached_before(decision)
    ]
    return tuple(sorted(rows, key=lambda row: (row.at, row.decision)))


class _Outcomes:
    """Times of goals by person, and of completions by person and action."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._goals: dict[str, list[datetime]] = defaultdict(list)
        self._completed: dict[tuple[str, str], list[datetime]] = defaultdict(list)
        for each in outcomes:
            if each.kind is OutcomeKind.ACTIVATED:
                self._goals[each.person.user].append(each.at)
            elif each.kind is OutcomeKind.COMPLETED:
                self._completed[each.person.user, each.action].append(each.at)
        for times in (*self._goals.values(), *self._completed.values()):
            times.sort()

    def reached_before(self, decision: Decision) -> bool:
        times = self._goals.get(decision.person.user)
        return bool(times) and times is not None and times[0] <= decision.at

    def reached(self, decision: Decision, within: timedelta) -> bool:
        return _between(self._goals.get(decision.person.user, []), decision.at, within)

    def completed(self, decision: Decision, action: str, within: timedelta) -> bool:
        times = self._completed.get((decision.person.user, action), [])
        return _between(times, decision.at, within)


def _between(times: list[datetime], at: datetime, within: timedelta) -> bool:
    place = bisect_left(times, at)
    return place < len(times) and times[place] < at + within


def _row(decision: Decision, found: _Outcomes, asking: Asking) -> Row:
    by_name = {each.action: each for each in decision.candidates}
    action = decision.cards[0].action if decision.cards else NOTHING
    person = decision.person
    return Row(
        decision=decision.id,
        user=asking.pseudonym(person.user),
        account=asking.pseudonym(person.account or person.user),
        at=decision.at,
        short=tuple(by_name[name] for name in decision.propensities if name != NOTHING),
        chances=decision.propensities,
        action=action,
        values=decision.snapshot.values,
        spec=decision.snapshot.spec,
        completed=action != NOTHING and found.completed(decision, action, asking.followed),
        activated=found.reached(decision, asking.followed),
    )
