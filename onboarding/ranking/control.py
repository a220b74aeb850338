"""Not now, never, another path, show all: what a person answers to a card, in effect at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from onboarding.types import Candidate, Decision, Outcome, OutcomeKind, Person


class Snooze(StrEnum):
    """For how long a card stays away."""

    DAY = "1d"
    WEEK = "7d"
    NEXT_VISIT = "next_visit"


LENGTHS: Final = {Snooze.DAY: timedelta(days=1), Snooze.WEEK: timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Mute:
    """An action that is not suggested to this person. `until` None: for good, or, where it waits
    for the next visit, until one begins."""

    person: Person
    action: str
    kind: OutcomeKind  # SNOOZED or NEVER
    since: datetime
    until: datetime | None = None
    next_visit: bool = False

    def holds(self, now: datetime, visit_began: datetime | None) -> bool:
        if self.kind is OutcomeKind.NEVER:
            return True
        if self.next_visit:
            return visit_began is None or visit_began <= self.since
        return self.until is not None and now < self.until


def snoozed(decision: Decision, action: str, how: Snooze, now: datetime) -> Outcome:
    """Raises KeyError for an action that the decision did not consider."""
    _considered(decision, action)
    length = LENGTHS.get(how)
    until = None if length is None else now + length
    return Outcome(decision.id, decision.person, action, OutcomeKind.SNOOZED, now, until)


def never(decision: Decision, action: str, now: datetime) -> Outcome:
    """Until it is undone in the profile. Raises KeyError."""
    _considered(decision, action)
    return Outcome(decision.id, decision.person, action, OutcomeKind.NEVER, now)


def another(decision: Decision, action: str, now: datetime) -> tuple[Candidate | None, Outcome]:
    """The best candidate of another kind than this card's, and what is kept of the wish. Raises
    KeyError for an action that is on no card."""
    card = next((each for each in decision.cards if each.action == action), None)
    if card is None:
        raise KeyError(action)
    outcome = Outcome(decision.id, decision.person, action, OutcomeKind.ANOTHER, now)
    best = card.alternatives[0] if card.alternatives else None
    return (_considered(decision, best) if best else None), outcome


def mute_of(outcome: Outcome) -> Mute | None:
    """What an outcome silences; a snooze without an end waits for the next visit."""
    if outcome.kind not in (OutcomeKind.SNOOZED, OutcomeKind.NEVER):
        return None
    waits = outcome.kind is OutcomeKind.SNOOZED and outcome.until is None
    return Mute(outcome.person, outcome.action, outcome.kind, outcome.at, outcome.until, waits)


def muted(
    mutes: Iterable[Mute], now: datetime, visit_began: datetime | None = None
) -> frozenset[str]:
    """Actions that are not candidates now."""
    return frozenset(mute.action for mute in mutes if mute.holds(now, visit_began))


def _considered(decision: Decision, action: str) -> Candidate:
    for candidate in decision.candidates:
        if candidate.action == action:
            return candidate
    raise KeyError(action)
