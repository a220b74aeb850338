"""Why a curated card is where it is: a card that says its journey's reason falls without the step.

The reason of an action tells what it is good for, and nothing of places.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from onboarding.actions import Catalogue, Standing, candidates
from onboarding.rules import Moment
from onboarding.types import (
    Candidate,
    Fact,
    History,
    Profile,
    Progress,
    Seen,
    Source,
    StepProgress,
    StepState,
)
from tests.onboarding.actions.test_catalogue import NOW, harbor

ROLES = ("admin", "end_user", "executive", "developer", "unknown")
HAPPENED = (
    "Signed In", "Import Finished", "Import Failed", "Connection Created", "Dashboard Created",
    "Member Joined", "MFA Enabled", "Alert Created", "Data Exported",
)  # fmt: skip
CARDS = 3


def somebody(rng: Random, catalogue: Catalogue) -> Standing:
    """With a role, a history, and up to four open steps of a journey in its order."""
    fact = Fact("t", "ana", "role", rng.choice(ROLES), 1.0, Source.DECLARED, NOW)
    seen = {n: Seen(1, NOW, NOW) for n in HAPPENED if rng.random() < 0.3}
    view = Moment(NOW, own=History(seen=seen), profile=Profile(facts={"role": fact}))
    asked = rng.sample([each.id for each in catalogue.actions], rng.randint(0, 4))
    steps = tuple(StepProgress(f"s-{a}", a, StepState.OPEN, 1) for a in asked)
    return Standing(view, Progress("way", 1, steps, NOW))


def without_step(standing: Standing, card: Candidate) -> Standing:
    assert standing.progress is not None
    left = tuple(s for s in standing.progress.steps if s.action != card.action)
    return replace(standing, progress=replace(standing.progress, steps=left))


def test_a_card_falls_without_the_step_that_its_reason_names() -> None:
    rng, catalogue = Random(11), harbor()
    fell = {True: 0, False: 0}
    for _ in range(300):
        standing = somebody(rng, catalogue)
        for card in candidates(catalogue, standing)[:CARDS]:
            if card.step is None:
                assert card.reason == f"action.{card.action}"
            elif card.reason == f"step.{card.step}":
                left = candidates(catalogue, without_step(standing, card))
                places = [each.order for each in left if each.action == card.action]
                fell[not places or places[0] > card.order] += 1
    assert fell[True] > 150
    assert fell[False] == 0


def test_a_step_that_holds_no_place_is_not_the_reason() -> None:
    """The first of the catalogue stands first without the journey, too."""
    catalogue = harbor()
    first = candidates(catalogue, Standing(Moment(NOW)))[0].action
    step = StepProgress("s", first, StepState.OPEN, 1)
    standing = Standing(Moment(NOW), Progress("way", 1, (step,), NOW))
    card = candidates(catalogue, standing)[0]
    assert (card.action, card.step, card.reason) == (first, "s", f"action.{first}")
