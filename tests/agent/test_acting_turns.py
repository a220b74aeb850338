"""From a wish to a receipt in one conversation, and back again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.acting import CannotDo, Dropped, PlannerError
from agent.action_types import CardShown, Progressed, ToolCalled, ToolEnded
from agent.types import CardAnswer, Refusal, RunFailed
from tests.agent.acting_floor import QUESTION, TENANT, Stage, Told, sets_items
from tests.tools.acting.floor import ANA, Floor, of_class, person
from tests.tools.twins import ShopTool
from tools.acting import Decision
from tools.journal import State
from tools.types import EffectClass, Tier


def view(told: Told, kind: type) -> dict[str, Any]:
    (event,) = told.of(kind)
    return dict(event.view)  # type: ignore[attr-defined]


async def test_a_complete_wish_becomes_a_card_and_waits() -> None:
    stage = Stage()
    told = await stage.says("set lamp to red")
    assert told.kinds[-4:] == ["MessageFinished", "ToolCalled", "CardShown", "RunPaused"]
    assert "Nothing happens before you approve" in told.text
    (action,) = await stage.actions()
    assert (action.state, told.pauses) == (State.PENDING, (action.id,))
    assert view(told, ToolCalled) == {"name": "lamp", "value": "red"}
    card = view(told, CardShown)
    assert [(f["name"], f["value"]) for f in card["fields"]] == [
        ("name", "lamp"),
        ("value", '"red"'),
    ]
    assert (card["digest"], card["approver"]) == (action.digest, "end_user")
    assert stage.floor.shop.items == {}


async def test_approved_done_with_receipt_and_taken_back() -> None:
    stage = Stage()
    stage.floor.shop.write("", "lamp", "blue")
    done = await stage.approves(await stage.says("set lamp to red"))
    assert stage.floor.shop.items == {"lamp": "red"}
    assert done.kinds.index("ToolEnded") < done.kinds.index("MessageStarted")
    ended = view(done, ToolEnded)
    assert (ended["state"], ended["receipt"]["id"]) == ("succeeded", "rcpt_1")
    assert ended["receipt"]["jws"]
    assert "Done: **Set an item**. Receipt rcpt_1. Say “undo that”" in done.text
    assert done.kinds[-1] == "RunFinished"

    card = await stage.says("undo that")
    assert stage.floor.shop.items == {"lamp": "red"}
    back = await stage.approves(card)
    assert stage.floor.shop.items == {"lamp": "blue"}
    assert "Taken back: **Set an item**. Receipt rcpt_2." in back.text
    assert (await stage.says("please undo it")).text.startswith("There is nothing")


async def test_one_thing_is_asked_at_a_time_and_the_wish_is_kept() -> None:
    stage = Stage()
    asked = await stage.says("set lamp")
    assert asked.text == "Which value?"
    assert [c.label for c in asked.finished.answer.choices] == ["Red", "Blue"]
    aside = await stage.says(QUESTION)
    assert "50 people at once [1]" in aside.text
    card = await stage.says("red")
    assert view(card, ToolCalled) == {"name": "lamp", "value": "red"}


async def test_choices_are_on_screen_only() -> None:
    stage = Stage()
    await stage.says("set lamp")
    kept = await stage.copilot.conversation(TENANT, "t1", ANA)
    assert kept is not None
    logged = await stage.conversations.events(TENANT, "t1")
    assert "Blue" not in str(kept) + str(logged)


async def test_a_denied_card_does_nothing_and_is_not_proposed_again_at_once() -> None:
    stage = Stage()
    paused = await stage.says("set lamp to red")
    denied = await stage.answers(CardAnswer(paused.pauses[0], "deny"))
    assert "I have not done it" in denied.text
    assert view(denied, ToolEnded)["status"] == "denied"
    again = await stage.says("set lamp to red")
    assert "within the last hour" in again.text
    assert not again.pauses
    assert stage.floor.shop.items == {}


async def test_a_dismissed_card_is_cancelled() -> None:
    stage = Stage()
    paused = await stage.says("set lamp to red")
    dropped = await stage.answers(CardAnswer(paused.pauses[0], "drop"))
    assert view(dropped, ToolEnded)["status"] == "cancelled"
    assert not (await stage.says(QUESTION)).pauses


async def test_an_edit_is_a_new_card_that_is_approved_by_itself() -> None:
    stage = Stage()
    paused = await stage.says("set lamp to red")
    edited = await stage.approves(paused, edited={"value": "green"})
    assert stage.floor.shop.items == {}
    assert "Changed as you said" in edited.text
    assert edited.pauses and edited.pauses != paused.pauses
    assert view(edited, ToolCalled)["value"] == "green"
    assert view(edited, ToolEnded)["status"] == "edited"
    await stage.approves(edited)
    assert stage.floor.shop.items == {"lamp": "green"}


async def test_an_edit_that_does_not_fit_leaves_the_card_as_it_was() -> None:
    stage = Stage()
    paused = await stage.says("set lamp to red")
    wrong = await stage.approves(paused, edited={"value": 7})
    assert "does not fit" in wrong.text
    assert wrong.pauses == paused.pauses
    await stage.approves(wrong)
    assert stage.floor.shop.items == {"lamp": "red"}


async def test_a_changed_target_voids_the_card() -> None:
    stage = Stage()
    stage.floor.shop.write("", "lamp", "blue")
    paused = await stage.says("set lamp to red")
    stage.floor.shop.write("", "lamp", "black")
    void = await stage.approves(paused)
    assert "has changed meanwhile" in void.text
    assert stage.floor.shop.items == {"lamp": "black"}


async def test_a_stale_sign_in_keeps_the_card_open() -> None:
    stage = Stage(floor=Floor(told=of_class(EffectClass.KEYED, Tier.R3)))
    paused = await stage.says("set lamp to red")
    (pause,) = paused.pauses
    old = replace(ANA, auth_time=None)
    refused = await stage.answers(CardAnswer(pause, "approve"), actor=old)
    assert "fresh sign-in" in refused.text
    assert refused.pauses == (pause,)
    assert "Done" in (await stage.approves(refused)).text


async def test_what_needs_two_people_waits_for_the_other_and_tells_the_end() -> None:
    stage = Stage(floor=Floor(told=of_class(EffectClass.KEYED, Tier.R4)))
    told = await stage.approves(await stage.says("set lamp to red"))
    assert "Somebody else with the right has to approve" in told.text
    assert told.kinds[-1] == "RunFinished"
    card = view(told, CardShown)
    assert (card["status"], card["approver"]) == ("pending", "other")
    assert not (await stage.says(QUESTION)).pauses  # the user goes on meanwhile

    (action,) = await stage.actions()
    word = replace(
        _yes(action.id, action.digest), approver=replace(ANA, principal=person("bo").principal)
    )
    await stage.floor.desk.decide(TENANT, word)
    await stage.floor.desk.perform(TENANT, action.id, 5)
    assert await stage.deliver() == []
    shown = await _last(stage)
    assert "Done: **Set an item**" in shown


def _yes(action_id: str, digest: str) -> Decision:
    return Decision(action_id, digest, "approve", ANA)


async def _last(stage: Stage) -> str:
    kept = await stage.copilot.conversation(TENANT, "t1", ANA)
    assert kept is not None
    return kept.messages[-1].text


async def test_a_tool_that_only_reads_asks_nobody() -> None:
    floor = Floor(told=of_class(EffectClass.READ_BACK, Tier.R0))
    stage = Stage(floor=floor)
    told = await stage.says("set lamp to red")
    assert not told.pauses
    assert [k for k in told.kinds if k.startswith("Tool")] == ["ToolCalled", "ToolEnded"]
    assert "Done" in told.text


async def test_always_allow_is_not_asked_again() -> None:
    stage = Stage()
    await stage.approves(await stage.says("set lamp to red"), always=True)
    again = await stage.says("set lamp to blue")
    assert not again.pauses
    assert stage.floor.shop.items == {"lamp": "blue"}


# --- honest about what came of it ----------------------------------------------------------------


async def test_an_unknown_outcome_is_said_so() -> None:
    stage = Stage(floor=Floor(told=of_class(EffectClass.ONCE), faults=["lost"]))
    told = await stage.approves(await stage.says("set lamp to red"))
    assert "I do not know whether **Set an item** happened" in told.text
    assert view(told, ToolEnded)["state"] == "unknown"
    assert "I do not know" in (await stage.says("did it work?")).text


async def test_a_refusal_of_the_product_is_told_with_its_reason() -> None:
    stage = Stage(floor=Floor(faults=["rejected"]))
    told = await stage.approves(await stage.says("set lamp to red"))
    assert "did not work (not allowed). Nothing was changed." in told.text
    assert view(told, ToolEnded)["detail"] == "no such plan"


async def test_a_failure_offers_its_remedy() -> None:
    told_of = replace(of_class(EffectClass.KEYED), remedies={"not_allowed": "other"})
    floor = Floor(told=told_of, faults=["rejected"])
    floor.shelf.put(ShopTool(floor.shop, replace(told_of, name="other", title="Try otherwise")))
    stage = Stage(floor=floor)
    told = await stage.approves(await stage.says("set lamp to red"))
    assert "I can try this instead: **Try otherwise**. Shall I?" in told.text
    assert told.finished.answer.offer == "other"
    assert (await stage.says("yes")).text == "Which item?"


async def test_a_scheduled_retry_is_told_with_its_time() -> None:
    floor = Floor(told=replace(of_class(EffectClass.KEYED), retry_for_s=600), faults=["busy_long"])
    stage = Stage(floor=floor)
    told = await stage.approves(await stage.says("set lamp to red"))
    assert "could not be done yet (rate limited)" in told.text
    (progress,) = told.of(Progressed)[-1:]
    assert progress.next_try  # type: ignore[attr-defined]
    assert "I try again at" in (await stage.says("what's the status?")).text
    assert "can no longer be cancelled" in (await stage.says("cancel it")).text


async def test_what_i_did_and_what_i_can_do_come_from_journal_and_registry() -> None:
    stage = Stage()
    assert "nothing in this conversation" in (await stage.says("what did you do?")).text
    await stage.approves(await stage.says("set lamp to red"))
    assert "**Set an item**: done (rcpt_1)" in (await stage.says("What have you done?")).text
    assert "**Set an item**: Gives an item a value." in (await stage.says("what can you do?")).text
    nobody = replace(ANA, rights=frozenset())
    assert "nothing here that I may do" in (await stage.says("what can you do", actor=nobody)).text


# --- what is not done ----------------------------------------------------------------------------


async def test_what_no_tool_does_is_not_claimed() -> None:
    stage = Stage(lines=[lambda turn: CannotDo(("Set an item",))])
    told = await stage.says("invite bob@example.com please")
    assert "nothing that I can do here. What comes closest: Set an item." in told.text
    assert told.finished.answer.reason is Refusal.OUT_OF_SCOPE


async def test_an_order_that_the_planner_does_not_see_is_not_claimed() -> None:
    stage = Stage(lines=[])
    assert "nothing that I can do here" in (await stage.says("delete my workspace now")).text


async def test_a_planner_that_fails_leaves_the_turn_to_the_documentation() -> None:
    stage = Stage(lines=[lambda turn: PlannerError("down")])
    assert "50 people" in (await stage.says("tell admins invite how many people at once")).text


async def test_a_wish_that_is_called_off() -> None:
    def drops(turn: Any) -> Any:
        return Dropped(turn.wish) if turn.wish and turn.text == "never mind" else None

    stage = Stage(lines=[drops, sets_items])
    await stage.says("set lamp")
    assert (await stage.says("never mind")).text == "All right, I leave it."
    assert "nothing that I can do" in (await stage.says("turn on the lamp now")).text


async def test_nobody_signed_in_gets_answers_and_is_told_to_sign_in() -> None:
    stage = Stage(offers={"invite": "set_item"})
    order = await stage.says("invite bob@example.com please", actor=None)
    assert "Nobody is signed in" in order.text
    answer = await stage.says(QUESTION, actor=None)
    assert answer.text.endswith("Sign in, and I can do this for you: **Set an item**.")
    assert answer.finished.answer.offer is None
    assert stage.planner.turns == []


async def test_a_how_to_answer_offers_to_do_it_and_yes_begins() -> None:
    stage = Stage(offers={"invite": "set_item"})
    answer = await stage.says(QUESTION)
    assert answer.text.endswith("I can do this for you: **Set an item**. Shall I?")
    assert answer.finished.answer.citations
    assert (await stage.says("yes")).text == "Which item?"
    assert stage.planner.turns[-1].offered == "set_item"
    later = await stage.says("thanks!")
    assert "welcome" in later.text


# --- interrupts ----------------------------------------------------------------------------------


async def test_an_open_card_must_be_answered_first() -> None:
    stage = Stage()
    paused = await stage.says("set lamp to red")
    blocked = await stage.says(QUESTION)
    assert blocked.kinds == ["RunStarted", "RunFailed"]
    assert blocked.events[-1].event.code == "pending_interrupt"  # type: ignore[union-attr]
    kept = await stage.copilot.conversation(TENANT, "t1", ANA)
    assert kept is not None
    assert len(kept.messages) == 2  # the blocked message was not taken
    assert "Done" in (await stage.approves(paused)).text
    assert "50 people" in (await stage.says(QUESTION)).text


async def test_the_same_resume_twice_acts_once_and_tells_the_same() -> None:
    stage = Stage()
    (pause,) = (await stage.says("set lamp to red")).pauses
    word = CardAnswer(pause, "approve")
    first = await stage.answers(word, run="r9")
    again = await stage.answers(word, run="r9")
    other = await stage.answers(word, run="r10")
    assert first.text == again.text == other.text
    assert view(again, ToolEnded)["receipt"] == view(first, ToolEnded)["receipt"]
    assert len(stage.floor.shop.ledger) == 1


@pytest.mark.parametrize("late", [True, False])
async def test_an_expired_card_is_refused_on_the_wire(late: bool) -> None:
    stage = Stage()
    (pause,) = (await stage.says("set lamp to red")).pauses
    stage.floor.clock.pass_s(16 * 60)
    if late:
        await stage.journal.expire()
    told = await stage.answers(CardAnswer(pause, "approve"))
    assert isinstance(told.events[-1].event, RunFailed)
    assert told.events[-1].event.code == "approval_expired"
    assert stage.floor.shop.items == {}
    assert "50 people" in (await stage.says(QUESTION)).text


async def test_a_card_of_nowhere_is_invalid() -> None:
    stage = Stage()
    await stage.says(QUESTION)
    told = await stage.answers(CardAnswer("nothing", "approve"))
    assert told.events[-1].event.code == "approval_invalid"  # type: ignore[union-attr]
    action = await stage.floor.pending()  # pending, of this person, but not of this conversation
    told = await stage.answers(CardAnswer(action.id, "approve"))
    assert told.events[-1].event.code == "approval_invalid"  # type: ignore[union-attr]
    assert (await stage.floor.state(action)).state is State.PENDING


async def test_a_card_decided_elsewhere_no_longer_holds_the_conversation_up() -> None:
    stage = Stage()
    await stage.says("set lamp to red")
    (action,) = await stage.actions()
    await stage.floor.desk.decide(TENANT, _yes(action.id, action.digest))
    assert "50 people" in (await stage.says(QUESTION)).text
    await stage.floor.desk.perform(TENANT, action.id, 5)
    await stage.deliver()
    assert "Done: **Set an item**" in await _last(stage)
    before = await stage.copilot.conversation(TENANT, "t1", ANA)
    await stage.deliver()
    assert before == await stage.copilot.conversation(TENANT, "t1", ANA)
