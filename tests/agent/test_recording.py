"""What goes into the decision record: every answer, refusal, suggestion, reminder and action."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent import Copilot
from agent.conversations import Message, Reply
from agent.recording import record_turn, rows_of
from agent.types import Answer
from guardrails.decisions import Decision, Kind, Outcome, OutcomeUpdate, Row
from guardrails.decisions.memory import MemoryDecisions
from tests.agent.acting_floor import QUESTION, TENANT, Stage
from tests.agent.test_reminding import evening
from tools.flows.definition import DAY_S
from tools.journal import State

CANARY = "Wilhelmina.Zeppelin@example.org"


class Recorded:
    """A stage whose Copilot records into memory."""

    def __init__(self, **more: object) -> None:
        self.rows: list[Row] = []
        self.stage = Stage(**more)  # type: ignore[arg-type]
        self.stage.copilot = Copilot(replace(self.stage.parts(), record=self.rows.append))

    def of(self, kind: Kind) -> list[Decision]:
        return [row for row in self.rows if isinstance(row, Decision) and row.kind is kind]

    async def told(self) -> None:
        """As a worker does with the outbox."""
        for row in await self.stage.journal.outbox(1000):
            action = await self.stage.journal.action(row.tenant, row.action_id)
            self.rows += rows_of(row, action)


async def test_an_answer_is_recorded_with_what_it_rests_on() -> None:
    seen = Recorded()
    await seen.stage.says(QUESTION)
    (answer,) = seen.of(Kind.ANSWER)
    assert answer.evidence == ("guides/invite#0",)
    assert (answer.subject, answer.outcome, answer.tenant) == ("ana", Outcome.SHOWN, TENANT)
    assert answer.place.thread_id == "t1"
    assert answer.versions.model == "scripted"
    assert len(answer.id) == 22


async def test_a_refusal_is_recorded_with_its_reason_and_what_was_looked_at() -> None:
    seen = Recorded()
    await seen.stage.says("What is the airspeed of a swallow?")
    (refusal,) = seen.of(Kind.REFUSAL)
    assert refusal.reason is not None
    assert not seen.of(Kind.ANSWER)


async def test_who_asks_for_a_person_is_recorded_as_an_escalation() -> None:
    seen = Recorded()
    await seen.stage.says("I want to talk to a human")
    (escalation,) = seen.of(Kind.ESCALATION)
    assert escalation.subject == "ana"
    assert not seen.of(Kind.REFUSAL)


async def test_an_offer_is_a_suggestion_beside_its_answer() -> None:
    seen = Recorded(offers={"invite": "set_item"})
    await seen.stage.says(QUESTION)
    (answer,), (suggestion,) = seen.of(Kind.ANSWER), seen.of(Kind.SUGGESTION)
    assert suggestion.versions.tool == "set_item"
    assert suggestion.id != answer.id


async def test_a_turn_told_again_has_the_same_id() -> None:
    seen = Recorded()
    for _ in range(2):
        await seen.stage.says(QUESTION, "m1")
    store = MemoryDecisions()
    await store.add(TENANT, seen.rows)
    await store.add(TENANT, seen.rows)
    assert len((await store.query(TENANT)).rows) == 1


async def test_an_action_is_recorded_from_its_card_to_its_end_and_back() -> None:
    seen = Recorded()
    await seen.stage.approves(await seen.stage.says("set lamp to red"))
    await seen.stage.approves(await seen.stage.says("undo that"))
    await seen.told()
    await seen.told()
    store = MemoryDecisions()
    await store.add(TENANT, seen.rows)
    done, undo = (await store.query(TENANT)).rows
    if len(done.updates) < len(undo.updates):  # both of one instant here
        done, undo = undo, done
    assert done.decision.versions.tool == undo.decision.versions.tool == "set_item#1"
    there = {Outcome.SHOWN, Outcome.APPROVED, Outcome.SUCCEEDED}
    assert {update.outcome for update in undo.updates} == there
    assert {update.outcome for update in done.updates} == {*there, Outcome.UNDONE}


async def test_a_denial_names_its_reason() -> None:
    seen = Recorded()
    paused = await seen.stage.says("set lamp to red")
    (action,) = await seen.stage.actions()
    await seen.stage.journal.refuse(action, "denied", "ana")
    await seen.told()
    update = [row for row in seen.rows if isinstance(row, OutcomeUpdate)][-1]
    assert paused.pauses
    assert (update.outcome, update.reason) == (Outcome.DENIED, "denied")


async def test_no_word_of_a_person_is_recorded() -> None:
    seen = Recorded()
    await seen.stage.approves(await seen.stage.says(f"set lamp to {CANARY}"))
    await seen.stage.says(f"Who is {CANARY}?")
    await seen.told()
    assert seen.rows
    assert "zeppelin" not in repr(seen.rows).lower()


async def test_a_reminder_is_a_nudge_of_whose_the_conversation_is() -> None:
    made = await evening()
    rows: list[Row] = []
    made.stage.copilot = Copilot(replace(made.stage.parts(), record=rows.append))
    await made.later(DAY_S + 1)
    (nudge,) = [row for row in rows if isinstance(row, Decision) and row.kind is Kind.NUDGE]
    assert nudge.subject == "ana"


@pytest.mark.parametrize("state", list(State))
async def test_every_state_of_an_action_has_its_rows(state: State) -> None:
    seen = Recorded()
    await seen.stage.says("set lamp to red")
    (action,) = await seen.stage.actions()
    row = (await seen.stage.journal.outbox())[0]
    rows = rows_of(replace(row, kind=f"action.{state.value}"), replace(action, state=state))
    assert all(isinstance(each, Decision | OutcomeUpdate) for each in rows)
    assert not rows_of(row, replace(action, parent="a" * 22))


def test_what_is_no_code_is_left_out_and_the_answer_is_not_lost(
    reply: Reply, question: Message
) -> None:
    rows: list[Row] = []
    record_turn(rows.append, question, reply, "has a blank", {})
    assert rows == []
    record_turn(rows.append, question, reply, "ana", {"prompt_version": "v 1 §"})
    assert isinstance(rows[0], Decision)
    assert rows[0].versions.prompt == "v_201_20_C2_A7"


@pytest.fixture
async def question() -> Message:
    stage = Stage()
    await stage.says(QUESTION)
    found = await stage.conversations.conversation(TENANT, "t1")
    assert found is not None
    return found.messages[0]


@pytest.fixture
async def reply(question: Message) -> Reply:
    answer = Answer("Yes [1].", False, None, 0.9, (), (), "v1", "scripted")
    return Reply("r1", "run1", answer, {}, question.created, ())
