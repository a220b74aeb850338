"""The product in worlds that it was not tuned on: does it learn more than the host's rules know,
does it keep still where there is nothing to learn, and does it say truly why?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from evals.onboarding.faithful import Shown, faithful
from evals.onboarding.figures import Contender, Part
from evals.onboarding.simulated import QUIET, lived, logged
from evals.simulator import WORLDS, People, References, World
from onboarding.ranking import (
    Explainer,
    ModelRanker,
    RuleRanker,
    Rung,
    approved,
    opened,
)
from onboarding.training import Learned, Request, learn
from onboarding.types import Decision

SEED: Final = 9001
"""Of worlds and people; 101 to 404, the named worlds, were looked at while it was built."""
LIVES: Final = 800
"""People that a policy's value is measured on."""
FAST_MS: Final = 1.0
"""Stands for the seventh check, which `benchmarks/ranking.py` measures."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is simulated."""

    users: tuple[int, ...] = (5000,)
    worlds: int = 2
    nulls: int = 2
    lives: int = LIVES


@dataclass(frozen=True, slots=True)
class Trial:
    """One learner in one world. `value` is as it serves, with what it tries out; `order` the share
    of its order alone."""

    learned: Learned
    value: float
    share: float
    order: float
    references: References
    decisions: Sequence[Decision]
    shown: Shown


def simulated(seed: int = SEED, sizes: Sizes | None = None) -> list[Part]:
    sizes = sizes or Sizes()
    parts = [
        _world(world, users, seed, sizes)
        for world in _unseen("normal-1", seed, sizes.worlds)
        for users in sizes.users
    ]
    parts.append(_world(replace(WORLDS["weak"], seed=seed), max(sizes.users), seed, sizes))
    return [*parts, _tiny(seed, sizes), _null(seed, sizes)]


def _unseen(like: str, seed: int, count: int) -> list[World]:
    return [replace(WORLDS[like], name=f"unseen-{n}", seed=seed + n) for n in range(1, count + 1)]


def trial(world: World, users: int, rung: Rung, seed: int, lives: int = LIVES) -> Trial:
    """Learns from the curated order's log; the value is that of other people's lives."""
    learned = learn(
        logged(People.drawn(world, users, seed)), Request("v1", rung), lambda _: FAST_MS
    )
    version = opened(learned.files)
    explainer = Explainer(version, approved())
    people = People.drawn(world, lives, seed + 1)
    ranker = ModelRanker(version, explainer)
    result, host = lived(people, ranker, QUIET)
    best, _ = lived(people, ranker, QUIET, greedy=True)
    references = References(people)
    shown = faithful(explainer, host.decisions)
    share = references.share(result.value)
    order = references.share(best.value)
    return Trial(learned, result.value, share, order, references, host.decisions, shown)


def _world(world: World, users: int, seed: int, sizes: Sizes) -> Part:
    rung = Rung.ACTIVATE if users >= 2000 else Rung.COMPLETE  # noqa: PLR2004  # section 5
    done = trial(world, users, rung, seed, sizes.lives)
    values = done.references.values
    contenders = [
        Contender("learned", {**_figures(done), "activated": done.value, "share": done.share}, True)
    ]
    contenders += [
        Contender(name, {"activated": value, "share": done.references.share(value)})
        for name, value in values.items()
    ]
    verdict = done.learned.verdict
    return Part(
        f"{world.name}, {users} users",
        f"learned from the curated order's log with P({rung.value}); scored on {sizes.lives} other"
        " people",
        tuple(contenders),
        (
            "gate: " + (verdict.refusal.value if verdict.refusal else "passed"),
            *(f"{c.code.value}: {'yes' if c.passed else 'no'}, {c.told}" for c in verdict.checks),
        ),
        (seed,),
        _facts(done),
    )


def _figures(done: Trial) -> dict[str, float]:
    quality = done.learned.calibration
    return {"Brier": quality.brier, "skill": quality.skill, "ECE": quality.ece}


def _facts(done: Trial) -> dict[str, Any]:
    refusal = done.learned.verdict.refusal
    served = [each.fallback is None for each in done.decisions]
    return {
        "refusal": refusal.value if refusal else None,
        "served by the model": float(np.mean(served)),
        "share of the order alone": done.order,
        "cards explained": done.shown.coverage,
        "explained by the model": done.shown.by_model,
        "score falls without the group": done.shown.falls,
        "place falls without the group": done.shown.place_falls,
        "lead falls, group out of all": done.shown.lead_falls,
        "fall beside a random group's": done.shown.ratio,
    }


def _tiny(seed: int, sizes: Sizes) -> Part:
    """Too few to learn from: the gate says so, and the curated order serves."""
    world = replace(WORLDS["tiny"], seed=seed)
    rows = logged(People.drawn(world, 300, seed))
    learned = learn(rows, Request("v1", Rung.COMPLETE), lambda _: FAST_MS)
    people = People.drawn(world, sizes.lives, seed + 1)
    result, _ = lived(people, RuleRanker(), QUIET)
    refusal = learned.verdict.refusal
    return Part(
        "tiny, 300 users",
        "learned with P(complete); what is refused does not serve",
        (Contender("served: curated", {"activated": result.value}, True),),
        (f"gate: {refusal.value if refusal else 'passed'}",),
        (seed,),
        {"refusal": refusal.value if refusal else None},
    )


def _null(seed: int, sizes: Sizes) -> Part:
    """No step changes anything: whatever passes here is chance."""
    refusals, gains = [], []
    for run in range(sizes.nulls):
        world = replace(WORLDS["null"], seed=seed + 100 + run)
        rows = logged(People.drawn(world, max(sizes.users), seed + run))
        learned = learn(rows, Request("v1", Rung.ACTIVATE), lambda _: FAST_MS)
        refusals.append(learned.verdict.refusal)
        gains.append(learned.compared.gain)
    promoted = sum(each is None for each in refusals)
    return Part(
        f"null, {max(sizes.users)} users",
        f"{sizes.nulls} worlds in which nothing helps",
        (
            Contender(
                "learned",
                {
                    "promoted": float(promoted),
                    "mean gain by DR, points": 100 * float(np.mean(gains)),
                    "largest, points": 100 * float(np.max(gains)),
                },
                True,
            ),
        ),
        ("gate: " + ", ".join(each.value if each else "passed" for each in refusals),),
        tuple(seed + run for run in range(sizes.nulls)),
        {"promoted": promoted},
    )
