"""What was done and reached is noted of what was suggested before, once, as rows are made of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onboarding.training import Asking, rows_of
from onboarding.types import Outcome, OutcomeKind
from tests.onboarding.engine.floor import NOON, TENANT, Floor
from tests.onboarding.engine.test_advising import ANA, actions, imports

ENDS = (OutcomeKind.COMPLETED, OutcomeKind.ACTIVATED)


@pytest.fixture
async def floor() -> Floor:
    floor = await Floor.open()
    await floor.agrees("ana")
    await floor.identifies("ana", role="owner", plan="team")
    await floor.tells("ana", "Signed Up", plan="team")
    return floor


async def ended(floor: Floor, user: str = "ana") -> list[Outcome]:
    found = await floor.stores.steps.outcomes_of(TENANT, user)
    return [each for each in found if each.kind in ENDS]


async def test_a_completion_goes_to_the_newest_decision_that_showed_it(floor: Floor) -> None:
    await floor.advice()
    floor.later(hours=1)
    shown = (await floor.advice()).decision
    floor.later(minutes=5)
    await imports(floor)
    (done,) = await ended(floor)
    assert (done.kind, done.action) == (OutcomeKind.COMPLETED, "connect_data")
    assert (done.decision, done.at) == (shown.id, floor.clock())


async def test_a_goal_is_noted_once_however_often_it_is_looked_at(floor: Floor) -> None:
    await floor.advice()
    floor.later(minutes=5)
    await imports(floor)
    second = (await floor.advice()).decision
    await floor.tells("ana", "Dashboard Created")
    for _ in range(3):
        floor.later(minutes=40)
        await floor.advice()
        assert await floor.engine.hearing.look(ANA) >= 0
    goals = [each for each in await ended(floor) if each.kind is OutcomeKind.ACTIVATED]
    assert [(each.decision, each.action) for each in goals] == [(second.id, "")]
    assert len(await ended(floor)) == len({(e.kind, e.action) for e in await ended(floor)})


async def test_what_a_colleague_did_nobody_else_was_brought_to(floor: Floor) -> None:
    await floor.agrees("bo")
    assert "connect_data" in actions(await floor.advice())
    await imports(floor, "bo")
    await floor.engine.hearing.look(ANA)
    assert await ended(floor) == []


async def test_what_was_done_unasked_is_no_outcome(floor: Floor) -> None:
    await imports(floor)
    await floor.engine.hearing.look(ANA)
    assert await ended(floor) == []


async def test_rows_are_made_of_it(floor: Floor) -> None:
    await floor.advice()
    floor.later(minutes=5)
    await imports(floor)
    await floor.advice()
    floor.later(minutes=5)
    await floor.tells("ana", "Dashboard Created")
    steps, after = floor.stores.steps, NOON + timedelta(days=20)
    decisions = await steps.decisions(TENANT, NOON - timedelta(days=1), after)
    outcomes = await steps.outcomes(TENANT, NOON - timedelta(days=1), after)
    rows = rows_of(decisions, outcomes, Asking(after))
    assert [row.action for row in rows] == ["connect_data", "day_one_dashboard"]
    assert all(row.completed for row in rows)
