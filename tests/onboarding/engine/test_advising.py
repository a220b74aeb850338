"""From the first event to the first value, on Harbor's own files."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from guardrails.consent import Purpose
from onboarding.engine.advising import Advice, passed_over, visit_began
from onboarding.interventions import State
from onboarding.store.interventions.store import Wanted
from onboarding.types import (
    Candidate,
    Card,
    History,
    Mode,
    OutcomeKind,
    Person,
    StepState,
    Why,
)
from tests.onboarding.engine.floor import NOON, TENANT, Floor

ANA = Person(TENANT, "ana", "acme")
TEAM: dict[str, JsonValue] = {"plan": "team", "trial": False}


@pytest.fixture
async def floor() -> Floor:
    """Ana has signed up, and agreed."""
    floor = await Floor.open()
    await floor.agrees("ana")
    await floor.identifies("ana", role="owner", plan="team")
    await floor.tells("ana", "Signed Up", plan="team")
    return floor


def states(advice: Advice) -> dict[str, str]:
    assert advice.way is not None
    return {step.id: step.state.value for step in advice.way.progress.steps}


def actions(advice: Advice) -> list[str]:
    return [card.action for card in advice.decision.cards]


async def imports(floor: Floor, user: str = "ana") -> None:
    await floor.tells(user, "Connection Created", connector="stripe")
    await floor.tells(user, "Import Finished", mode="full", rows=100, state="succeeded")


async def test_from_sign_up_to_first_value(floor: Floor) -> None:
    first = await floor.advice()
    assert first.way is not None
    assert first.way.enrolment.ref == "admin-first-value@1"
    assert actions(first)[0] == "connect_data"
    await imports(floor)
    second = await floor.advice()
    assert (states(second)["connect"], states(second)["dashboard"]) == ("done", "open")
    assert actions(second)[0] == "day_one_dashboard"
    assert second.way is not None
    assert second.way.progress.reached_at is None
    await floor.tells("ana", "Dashboard Created")
    third = await floor.advice()
    assert third.way is not None
    assert third.way.progress.reached_at == floor.clock()
    assert third.way.progress.share > second.way.progress.share > 0


async def test_the_same_question_has_the_same_answer_for_a_session(floor: Floor) -> None:
    first, again = await floor.advice(), await floor.advice()
    assert (first.is_new, again.is_new) == (True, False)
    assert again.decision == first.decision
    floor.later(minutes=31)
    assert (await floor.advice()).decision.id != first.decision.id


async def test_two_devices_agree(floor: Floor) -> None:
    here, there = await floor.advice(), await floor.advice(engine=floor.another())
    assert (here.decision.id, states(here)) == (there.decision.id, states(there))
    await floor.engine.journeys.choose(ANA, Mode.ADVANCED, floor.clock())
    other = await floor.advice(engine=floor.another())
    assert other.way is not None
    assert other.way.progress.mode is Mode.ADVANCED
    assert states(other)["schedule"] == "blocked"  # simple mode leaves it out


async def test_what_failed_comes_first(floor: Floor) -> None:
    await floor.tells("ana", "Import Failed", mode="full", error_code="HBR-204")
    assert actions(await floor.advice())[0] == "fix_import"


async def test_a_colleague_does_the_accounts_steps_and_nobody_elses(floor: Floor) -> None:
    await floor.agrees("bo")
    await imports(floor, "bo")
    await floor.tells("bo", "MFA Enabled")
    advice = await floor.advice()
    assert (states(advice)["connect"], states(advice)["mfa"]) == ("done", "open")
    assert advice.way is not None
    assert advice.way.progress.steps[0].by == "bo"
    assert "enable_mfa" in actions(advice)


async def test_without_consent_nobody_is_advised(floor: Floor) -> None:
    await floor.agrees("ana", given=False)
    with pytest.raises(AssertionError):
        await floor.advice()
    assert await floor.engine.hearing.look(ANA) == 0


async def test_switched_off_nobody_is_advised_until_it_is_on(floor: Floor) -> None:
    await floor.engine.profiles.personalise(ANA, on=False)
    with pytest.raises(AssertionError):
        await floor.advice()
    floor.later(seconds=1)
    await floor.engine.profiles.personalise(ANA, on=True)
    assert actions(await floor.advice())


@pytest.mark.parametrize(
    ("kind", "hours", "comes_back"),
    [
        (OutcomeKind.SNOOZED, 23, False),
        (OutcomeKind.SNOOZED, 25, True),
        (OutcomeKind.NEVER, 24 * 90, False),
    ],
)
async def test_not_now_and_never(
    floor: Floor, kind: OutcomeKind, hours: int, comes_back: bool
) -> None:
    advice = await floor.advice()
    until = floor.clock().replace(day=floor.clock().day + 1) if comes_back or hours < 24 else None
    said = await floor.engine.advisor.respond(
        ANA, (advice.decision.id, "connect_data"), kind, floor.clock(), until
    )
    assert said is not None
    assert "connect_data" not in actions(await floor.advice())
    floor.later(hours=hours)
    assert ("connect_data" in actions(await floor.advice())) is comes_back


async def test_never_can_be_undone(floor: Floor) -> None:
    advice = await floor.advice()
    card = (advice.decision.id, "connect_data")
    await floor.engine.advisor.respond(ANA, card, OutcomeKind.NEVER, floor.clock())
    assert await floor.stores.steps.undo(TENANT, "ana", "connect_data")
    assert actions(await floor.advice())[0] == "connect_data"


async def test_another_path_shows_the_best_of_another_kind_and_stays_so(floor: Floor) -> None:
    first = await floor.advice()
    card = first.decision.cards[0]
    floor.later(seconds=5)
    await floor.engine.advisor.respond(
        ANA, (first.decision.id, card.action), OutcomeKind.ANOTHER, floor.clock()
    )
    then, again = await floor.advice(), await floor.advice()
    assert actions(then)[0] == card.alternatives[0]
    assert card.action not in actions(then)
    assert again.decision.id == then.decision.id


async def test_a_card_of_somebody_else_cannot_be_answered(floor: Floor) -> None:
    advice = await floor.advice()
    bo, card = Person(TENANT, "bo", "acme"), (advice.decision.id, "connect_data")
    respond = floor.engine.advisor.respond
    assert await respond(bo, card, OutcomeKind.NEVER, NOON) is None
    assert await respond(ANA, ("x" * 22, card[1]), OutcomeKind.NEVER, NOON) is None
    assert await respond(ANA, (card[0], "create_webhook"), OutcomeKind.NEVER, NOON) is None
    assert await floor.stores.steps.mutes(TENANT, "ana") == ()


async def test_rights_decide_what_is_suggested(floor: Floor) -> None:
    advice = await floor.advice()
    assert "connect_data" in [each.action for each in advice.decision.candidates]
    from onboarding.engine.advising import Asking  # noqa: PLC0415

    bare = await floor.engine.advisor.advise(Asking(ANA, floor.clock(), frozenset()))
    assert bare is not None
    assert "connect_data" not in [each.action for each in bare.decision.candidates]


async def test_a_finished_list_is_not_opened_by_an_edited_journey(floor: Floor) -> None:
    await imports(floor)
    await floor.tells("ana", "Dashboard Created")
    await floor.tells("bo", "Member Joined", role="editor")
    await floor.tells("ana", "MFA Enabled")
    floor.engine.states.take(ANA, {"get_billing": TEAM}, floor.clock())
    done = await floor.advice()
    assert done.way is not None
    assert done.way.enrolment.finished_at is not None
    await floor.publish_edited("admin-first-value", "  - id: extra\n    action: create_alert\n")
    after = await floor.advice()
    assert after.way is not None
    assert after.way.enrolment.ref == "admin-first-value@1"
    assert "extra" not in states(after)
    assert StepState.OPEN.value not in states(after).values()


async def test_while_the_product_has_not_said_its_plan_a_list_is_not_finished(floor: Floor) -> None:
    await imports(floor)
    await floor.tells("ana", "Dashboard Created")
    await floor.tells("bo", "Member Joined", role="editor")
    await floor.tells("ana", "MFA Enabled")
    advice = await floor.advice()
    assert advice.way is not None
    assert advice.way.enrolment.finished_at is None
    floor.engine.states.take(ANA, {"get_billing": {**TEAM, "plan": "enterprise"}}, floor.clock())
    assert states(await floor.advice())["sso"] == StepState.OPEN.value


async def test_a_friction_becomes_a_message_and_the_goal_ends_what_waits(floor: Floor) -> None:
    await floor.tells("ana", "Import Failed", mode="full", error_code="HBR-204")
    (planned,) = await floor.stores.deliveries.deliveries(TENANT, Wanted(user="ana"))
    assert (planned.message.journey, planned.state) == (
        "friction.import_failed@1",
        State.PLANNED,
    )
    (standing,) = await floor.engine.standings.of_all([planned.message], floor.clock())
    assert standing is not None
    assert standing.consented
    await floor.agrees("ana", given=False)
    (standing,) = await floor.engine.standings.of_all([planned.message], floor.clock())
    assert standing is not None
    assert standing.consented
    assert Purpose.SUPPORT is planned.message.purpose


async def test_messages_of_a_play_are_planned_when_they_are_due_and_stop_at_its_goal(
    floor: Floor,
) -> None:
    await floor.tells("ana", "Signed In", role="owner", plan="team")
    await floor.tells("ana", "Connection Created", connector="stripe")
    await floor.engine.hearing.look(ANA)
    floor.later(hours=2)
    assert await floor.engine.hearing.look(ANA) >= 1
    planned = await floor.stores.deliveries.deliveries(TENANT, Wanted(user="ana"))
    (tip,) = [each for each in planned if each.message.step == "tip"]
    (before,) = await floor.engine.standings.of_all([tip.message], floor.clock())
    assert before is not None
    assert not (before.goal_reached or before.journey_left or before.step_done)
    floor.later(minutes=1)
    await floor.tells("ana", "Import Finished", mode="full", rows=1, state="succeeded")
    (after,) = await floor.engine.standings.of_all([tip.message], floor.clock())
    assert after is not None
    assert after.goal_reached or after.journey_left or after.step_done


def candidate(name: str, order: int) -> Candidate:
    return Candidate(name, "k", 1, order, "r")


def test_passed_over() -> None:
    given = tuple(candidate(name, at) for at, name in enumerate("abcd"))
    card = Card("a", 1, Why("w"), None, alternatives=("c", "b"))
    found = passed_over(given, [card])
    assert [(each.action, each.order) for each in found] == [("c", 0), ("b", 1), ("d", 2)]
    assert passed_over(given[:1], [card]) == given[:1]
    assert passed_over(given, [Card("gone", 1, Why("w"), None)]) == given


async def test_when_a_visit_began(floor: Floor) -> None:
    assert visit_began(History(), NOON) is None
    floor.later(hours=2)
    await floor.tells("ana", "Signed In", role="owner", plan="team")
    began = floor.clock()
    floor.later(minutes=20)
    await imports(floor)
    own = await floor.log.history(Person(TENANT, "ana"), floor.clock())
    assert visit_began(own, floor.clock()) == began
