"""Decisions to test on, a world to learn from, and a version learned there once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from evals.onboarding.simulated import asked_of, logged
from evals.simulator import WORLDS, People, Visit
from evals.simulator.running import run
from onboarding.ranking import (
    Asked,
    Explainer,
    ModelRanker,
    Policy,
    RuleRanker,
    Rung,
    Version,
    approved,
    decide,
    opened,
)
from onboarding.training import Recipe, Request, learn
from onboarding.training.rows import Row
from onboarding.types import Candidate, Decision, Fact, Person, Profile, Snapshot, Source

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ACTIONS = (
    ("connect", "integrate", 3),
    ("kit", "template", 1),
    ("invite", "invite", 1),
    ("mfa", "secure", 2),
    ("alert", "build", 2),
    ("digest", "share", 1),
    ("sso", "secure", 5),
    ("key", "develop", 2),
)
CANDIDATES = tuple(
    Candidate(name, kind, effort, order, f"action.{name}")
    for order, (name, kind, effort) in enumerate(ACTIONS)
)
ADMIN = Profile(
    facts={"role": Fact("t", "ana", "role", "admin", 1.0, Source.DECLARED, NOON)},
    odds={"role": {"admin": 0.8, "developer": 0.2}},
)
ASKED = Asked(
    id="A" * 22,
    person=Person("t", "ana", "acme"),
    at=NOON,
    candidates=CANDIDATES,
    snapshot=Snapshot(NOON, {"role": "admin", "sessions_7d": 2.0}, "spec-1"),
    seed=7,
    profile=ADMIN,
    journey="admin-first-value@4",
)
ALWAYS = Policy(nothing=0.0)


def decided(seed: int = 7, policy: Policy = ALWAYS) -> Decision:
    return decide(replace(ASKED, seed=seed), RuleRanker(), policy)


@cache
def log(world: str = "normal-1", people: int = 700, seed: int = 5) -> tuple[Row, ...]:
    """What a curated order's first months leave behind."""
    return logged(People.drawn(WORLDS[world], people, seed))


@cache
def version() -> Version:
    """Learned from `log()`."""
    request = Request("v1", Rung.ACTIVATE, recipe=Recipe(trees=100))
    return opened(learn(log(), request).files)


def ranker() -> ModelRanker:
    return ModelRanker(version(), Explainer(version(), approved()))


@cache
def questions(people: int = 130, seed: int = 77) -> tuple[Asked, ...]:
    """What is asked for people that the model has not seen."""
    found: list[Asked] = []

    def shows(visit: Visit, person: int) -> tuple[str, ...]:
        found.append(asked_of(visit, person))
        return tuple(each.action for each in visit.offers[:3])

    run(People.drawn(WORLDS["normal-1"], people, seed), shows)
    return tuple(found)
