"""What was done and reached -> outcomes of what was suggested before: what a ranker learns from.

A completion goes to the newest decision by then whose cards held its action, a goal to the newest
by then; each once. What nobody was shown is no outcome of anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from onboarding.store.ranking.store import NextSteps
from onboarding.types import Decision, Outcome, OutcomeKind, Person, Progress, StepState

LATELY: Final = timedelta(days=1)
"""What ended before was looked at when it ended: a look comes with its event."""
GOAL: Final = ""
"""The action of what no single action did."""
_ENDS: Final = frozenset({OutcomeKind.COMPLETED, OutcomeKind.ACTIVATED})


class _End(NamedTuple):
    kind: OutcomeKind
    action: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Raises StoreUnavailableError; noting again changes nothing."""

    steps: NextSteps

    async def note(self, person: Person, progress: Progress, now: datetime) -> int:
        """Of one person's way; how many were new."""
        ended = [each for each in _ended(person, progress) if now - each.at <= LATELY]
        if not ended:
            return 0
        noted = await self.steps.outcomes_of(person.tenant, person.user)
        known = {(each.kind, each.action) for each in noted if each.kind in _ENDS}
        new = [each for each in ended if (each.kind, each.action) not in known]
        if not new:
            return 0
        decisions = await self.steps.decisions_of(person.tenant, person.user)
        found = [_outcome(each, person, decisions) for each in new]
        return sum([await self.steps.note(each) for each in found if each is not None])


def _ended(person: Person, progress: Progress) -> Iterator[_End]:
    """A step that a colleague did is nothing that this person was brought to do."""
    for step in progress.steps:
        is_theirs = step.by in (None, person.user)
        if step.state is StepState.DONE and step.done_at is not None and is_theirs:
            yield _End(OutcomeKind.COMPLETED, step.action, step.done_at)
    if progress.reached_at is not None:
        yield _End(OutcomeKind.ACTIVATED, GOAL, progress.reached_at)


def _outcome(end: _End, person: Person, decisions: Sequence[Decision]) -> Outcome | None:
    before = [each for each in decisions if each.at <= end.at]
    if end.kind is OutcomeKind.COMPLETED:
        before = [d for d in before if end.action in {card.action for card in d.cards}]
    if not before:
        return None
    newest = max(before, key=lambda each: each.at)
    return Outcome(newest.id, person, end.action, end.kind, end.at)
