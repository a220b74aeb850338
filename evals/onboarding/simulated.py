"""The product in a simulated world, as in a host: it decides, and learns from its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from evals.simulator import Happening, People, Result, Visit, run
from onboarding.actions import short_list
from onboarding.ranking import Asked, Policy, Ranker, RankingError, RuleRanker, decide
from onboarding.training.rows import Asking, Row, rows_of
from onboarding.types import Candidate, Decision, Outcome, OutcomeKind, Person, Snapshot

BEGINS: Final = datetime(2026, 1, 5, tzinfo=UTC)
TENANT: Final = "simulated"
SPEC: Final = "simulated-1"
AFTER: Final = BEGINS + timedelta(days=120)
"""Everybody's label window has passed."""
QUIET: Final = Policy(nothing=0.0, explore=0.0)
"""For measuring a policy's value: nothing is spent on learning."""


@dataclass
class Host:
    """Asks the product for every visit and keeps what it decided. `greedy` shows the order without
    a draw, to measure what the order is worth."""

    ranker: Ranker
    policy: Policy = field(default_factory=Policy)
    greedy: bool = False
    decisions: list[Decision] = field(default_factory=list)

    def __call__(self, visit: Visit, person: int) -> tuple[str, ...]:
        if self.greedy:
            return self._best(asked_of(visit, person))
        decision = decide(asked_of(visit, person), self.ranker, self.policy)
        self.decisions.append(decision)
        return tuple(card.action for card in decision.cards)

    def _best(self, asked: Asked) -> tuple[str, ...]:
        short = short_list(asked.candidates, self.policy.short)
        try:
            ranked = self.ranker.rank(asked, short, self.policy)
        except RankingError:
            ranked = RuleRanker().rank(asked, short, self.policy)
        return tuple(each.action for each in ranked.order[: self.policy.slots])


def asked_of(visit: Visit, person: int) -> Asked:
    at = BEGINS + timedelta(days=visit.day)
    return Asked(
        id=f"d{visit.number:021d}",
        person=Person(TENANT, visit.user, visit.account),
        at=at,
        candidates=tuple(
            Candidate(each.action, each.kind, each.effort, each.order, f"action.{each.action}")
            for each in visit.offers
        ),
        snapshot=Snapshot(at, visit.values, SPEC),
        seed=1_000_003 * person + visit.number,
    )


def lived(
    people: People, ranker: Ranker, policy: Policy | None = None, *, greedy: bool = False
) -> tuple[Result, Host]:
    host = Host(ranker, policy or Policy(), greedy)
    return run(people, host), host


def logged(people: People, ranker: Ranker | None = None) -> tuple[Row, ...]:
    """Rows that a host's first months leave behind, under the curated order where none is given."""
    result, host = lived(people, ranker or RuleRanker())
    return rows_of(host.decisions, outcomes_of(result.happenings), Asking(AFTER))


def outcomes_of(happenings: Sequence[Happening]) -> list[Outcome]:
    return [
        Outcome(
            decision="",
            person=Person(TENANT, each.user, each.account),
            action=each.action,
            kind=OutcomeKind.COMPLETED if each.action else OutcomeKind.ACTIVATED,
            at=BEGINS + timedelta(days=each.day),
        )
        for each in happenings
    ]
