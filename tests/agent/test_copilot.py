from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent import (
    Ask,
    BadAskError,
    Budget,
    Copilot,
    Refusal,
    Status,
)
from agent.answerers.scripted import Pause
from agent.types import (
    AnswererError,
    Draft,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from guardrails import literal
from retrieval.index import IndexUnavailableError, NoIndexError, UnknownFieldError
from retrieval.types import Scope
from tests.agent.asking import (
    FIFTY,
    QUESTION,
    SEVEN,
    SHOWN,
    STEP,
    FailingRetriever,
    HeldRetriever,
    answer_in,
    drained,
    kinds,
    request,
    speaking,
    until,
)
from tests.agent.shelf import NOON, SCOPE, TENANT, VERSION, ShelfRetriever, deps

# --- a turn ------------------------------------------------------------------------------------


async def test_a_turn_is_streamed_in_order_and_stored() -> None:
    copilot = Copilot(deps(speaking(FIFTY, STEP)))
    events = await drained(copilot.ask(request()))
    assert kinds(events) == [
        RunStarted,
        *(StepStarted, StepFinished) * 2,
        StepStarted,
        MessageStarted,
        MessageDelta,
        MessageDelta,
        StepFinished,
        MessageFinished,
        RunFinished,
    ]
    steps = [e.event.step for e in events if isinstance(e.event, StepStarted)]
    assert steps == ["retrieve", "ground", "answer"]
    assert [e.number for e in events] == list(range(1, len(events) + 1))

    answer = answer_in(events)
    deltas = "".join(e.event.text for e in events if isinstance(e.event, MessageDelta))
    assert answer.text == deltas == f"{SHOWN}\n\n1. Click Invite people [1]."
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    asked, answered = kept.messages
    assert (asked.text, asked.status) == (QUESTION, Status.DONE)
    assert (answered.text, answered.citations) == (answer.text, answer.citations)
    assert answered.created == NOON


async def test_the_decision_says_how_the_answer_came_about() -> None:
    wrong = Draft(literal("Admins can invite up to 51 people at once."), (1,))
    copilot = Copilot(deps(speaking(FIFTY, wrong)))
    await drained(copilot.ask(request()))
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    decision = kept.messages[1].decision
    assert decision["prompt"] == "p1"
    assert decision["index_version"] == VERSION
    assert decision["answerer"] == "scripted"
    assert decision["threshold"] == 0.5
    assert decision["dropped"] == 1
    assert decision["confidence"] == 0.8
    assert decision["retrieved"]
    timings = decision["timings_ms"]
    assert isinstance(timings, dict)
    assert set(timings) == {"redact", "route", "retrieve", "ground", "answer", "first", "total"}


async def test_the_question_is_stored_before_anything_is_looked_up() -> None:
    retriever = HeldRetriever()
    copilot = Copilot(deps(speaking(), retriever=retriever))
    running = asyncio.create_task(drained(copilot.ask(request())))
    await until(retriever.reached)
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.OPEN]
    retriever.release.set()
    await running


async def test_a_follow_up_uses_the_conversation() -> None:
    retriever = ShelfRetriever()
    copilot = Copilot(deps(speaking(), retriever=retriever))
    await drained(copilot.ask(request("How do I set up SSO with Azure AD?")))
    await drained(copilot.ask(request("thanks!", "m2")))
    await drained(copilot.ask(request("and for Okta?", "m3")))
    assert retriever.asked[-1] == "How do I set up SSO for Okta?"
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.text for m in kept.messages if m.role == "user"][-1] == "and for Okta?"


async def test_numbers_rise_over_the_runs_of_a_thread() -> None:
    copilot = Copilot(deps(speaking()))
    first = await drained(copilot.ask(request()))
    second = await drained(copilot.ask(request(message_id="m2")))
    assert second[0].number > first[-1].number


async def test_the_log_holds_what_was_streamed() -> None:
    copilot = Copilot(deps(speaking(FIFTY, Pause(0.3), SEVEN)))
    events = await drained(copilot.ask(request()))
    assert await copilot.events(TENANT, "t1") == tuple(events)
    middle = events[5].number
    assert await copilot.events(TENANT, "t1", after=middle) == tuple(events[6:])


async def test_personal_data_gets_no_further_than_the_redactor() -> None:
    retriever = ShelfRetriever()
    copilot = Copilot(deps(speaking(), retriever=retriever))
    events = await drained(copilot.ask(request("How many people can bob@corp.io invite at once?")))
    kept = await copilot.conversation(TENANT, "t1")
    assert "bob" not in str((retriever.asked, events, kept))
    assert "<EMAIL" in str(kept)


# --- turns without an answer -------------------------------------------------------------------


async def test_a_weak_find_is_refused_with_what_was_looked_for_and_what_is_near() -> None:
    answer = await Copilot(deps(speaking())).answer("Can admins `paint` [the] moon green?", SCOPE)
    assert answer.reason is Refusal.LOW_CONFIDENCE
    assert answer.looked_for == "Can admins paint the moon green"
    assert f"“{answer.looked_for}”" in answer.text
    assert "Invite teammates" in answer.text
    assert "a person" in answer.text
    assert answer.citations == ()
    assert answer.retrieved
    assert 0 < answer.confidence < 0.5


async def test_nothing_found_is_refused() -> None:
    answer = await Copilot(deps(speaking())).answer("Xylophone zebras?", SCOPE)
    assert answer.reason is Refusal.NO_EVIDENCE
    assert "Xylophone zebras" in answer.text


async def test_nothing_proven_is_refused() -> None:
    wrong = Draft(literal("Admins can invite up to 51 people at once."), (1,))
    answer = await Copilot(deps(speaking(wrong))).answer(QUESTION, SCOPE)
    assert answer.reason is Refusal.NOT_SUPPORTED
    assert answer.dropped == 1
    assert answer.answerer == "scripted"


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("hi there", None, "Hello"),
        ("thank you!", None, "welcome"),
        ("invite bob@example.com please", Refusal.OUT_OF_SCOPE, "cannot do that for you yet"),
        ("what should I do next?", Refusal.OUT_OF_SCOPE, "cannot see your progress"),
        ("I want to talk to a human", Refusal.OUT_OF_SCOPE, "contact your support team"),
    ],
)
async def test_what_is_no_question_gets_an_honest_reply(
    text: str, reason: Refusal | None, words: str
) -> None:
    retriever = ShelfRetriever()
    answer = await Copilot(deps(speaking(), retriever=retriever)).answer(text, SCOPE)
    assert words in answer.text
    assert (answer.refused, answer.reason) == (reason is not None, reason)
    assert retriever.asked == []


@pytest.mark.parametrize("error", [IndexUnavailableError("down"), NoIndexError("none")])
async def test_an_index_that_is_away_is_said_plainly(error: Exception) -> None:
    copilot = Copilot(deps(speaking(), retriever=FailingRetriever(error)))
    answer = answer_in(await drained(copilot.ask(request())))
    assert answer.reason is Refusal.UPSTREAM
    assert "right now" in answer.text
    assert answer.index_version is None


async def test_model_and_fallback_down_is_said_plainly() -> None:
    broken = speaking(AnswererError("down"))
    answer = await Copilot(deps(broken, fallback=broken)).answer(QUESTION, SCOPE)
    assert answer.reason is Refusal.UPSTREAM


async def test_the_last_answerer_may_be_slow() -> None:
    slow = replace(deps(speaking(Pause(0.2), FIFTY)), budget=Budget(first_s=0.01, gap_s=0.01))
    assert not (await Copilot(slow).answer(QUESTION, SCOPE)).refused
    endless = replace(slow, budget=Budget(total_s=0.05))
    assert (await Copilot(endless).answer(QUESTION, SCOPE)).reason is Refusal.UPSTREAM


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (request("  \n"), "empty"),
        (request("x" * 40_000), "40000 characters"),
        (replace(request(), scope=Scope("other")), "must be the same"),
    ],
)
async def test_a_message_that_cannot_be_asked_is_explained(ask: Ask, words: str) -> None:
    copilot = Copilot(deps())
    with pytest.raises(BadAskError, match=words):
        await drained(copilot.ask(ask))
    assert await copilot.conversation(TENANT, "t1") is None


async def test_an_error_of_the_caller_is_raised_outside_a_conversation() -> None:
    copilot = Copilot(deps(retriever=FailingRetriever(UnknownFieldError("x", ["plan"]))))
    with pytest.raises(UnknownFieldError):
        await copilot.answer(QUESTION, SCOPE)
