from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from agent import (
    Answer,
    Ask,
    BadAskError,
    Budget,
    ConversationsUnavailableError,
    Copilot,
    MemoryConversations,
    Message,
    Numbered,
    Refusal,
    Status,
    UnknownThreadError,
)
from agent.answerers.scripted import Pause, ScriptedAnswerer
from agent.conversations import LoggedEvent, Reply
from agent.conversations_sql import SqlConversations, open_engine, upgrade
from agent.types import (
    AnswererError,
    Block,
    Draft,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from guardrails import Redacted, literal
from retrieval.index import IndexUnavailableError, NoIndexError, UnknownFieldError
from retrieval.types import Evidence, Scope
from tests.agent.shelf import NOON, SCOPE, TENANT, VERSION, ShelfRetriever, counter, deps

QUESTION = "How many people can admins invite at once?"
FIFTY = Draft(literal("Admins can invite up to 50 people at once."), (1,))
SEVEN = Draft(literal("The link works for seven days."), (1,))
STEP = Draft(literal("Click Invite people."), (1,), Block.STEP)
SHOWN = "Admins can invite up to 50 people at once [1]."


def request(text: str = QUESTION, message_id: str = "m1", thread_id: str = "t1") -> Ask:
    return Ask(TENANT, thread_id, f"run-{message_id}", message_id, text, SCOPE)


def speaking(*lines: Draft | Pause | AnswererError) -> ScriptedAnswerer:
    return ScriptedAnswerer(lines or (FIFTY,))


async def drained(events: AsyncIterator[Numbered]) -> list[Numbered]:
    return [numbered async for numbered in events]


def answer_in(events: list[Numbered]) -> Answer:
    (finished,) = [e.event for e in events if isinstance(e.event, MessageFinished)]
    return finished.answer


def kinds(events: list[Numbered]) -> list[type]:
    return [type(numbered.event) for numbered in events]


class HeldRetriever(ShelfRetriever):
    """Finds nothing before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.release = threading.Event()

    @override
    def retrieve(self, question: Redacted, scope: Scope) -> Evidence:
        self.reached.set()
        if not self.release.wait(10):
            raise TimeoutError
        return super().retrieve(question, scope)


class FailingRetriever(ShelfRetriever):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    @override
    def retrieve(self, question: Redacted, scope: Scope) -> Evidence:
        raise self._error


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


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


# --- once, whatever happens --------------------------------------------------------------------


async def test_the_same_message_twice_is_answered_once() -> None:
    retriever = ShelfRetriever()
    copilot = Copilot(deps(speaking(FIFTY, STEP), retriever=retriever))
    first = answer_in(await drained(copilot.ask(request())))
    again = await drained(copilot.ask(request("Another text?")))
    assert answer_in(again) == first
    assert "".join(e.event.text for e in again if isinstance(e.event, MessageDelta)) == first.text
    assert kinds(again)[-1] is RunFinished
    assert len(retriever.asked) == 1


async def test_the_same_message_at_once_is_one_run() -> None:
    retriever = ShelfRetriever()
    copilot = Copilot(deps(speaking(FIFTY, Pause(0.05), SEVEN), retriever=retriever))
    runs = await asyncio.gather(*(drained(copilot.ask(request())) for _ in range(5)))
    assert all(run == runs[0] for run in runs)
    assert len(retriever.asked) == 1


async def test_a_client_that_goes_away_does_not_stop_the_run() -> None:
    copilot = Copilot(deps(speaking(FIFTY, Pause(0.1), SEVEN)))
    async with aclosing(copilot.ask(request())) as events:
        async for numbered in events:
            if isinstance(numbered.event, MessageDelta):
                break
    joined = await drained(copilot.ask(request()))
    assert answer_in(joined).text.endswith("The link works for seven days [1].")
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert len(kept.messages) == 2


async def test_closing_marks_the_turn_and_resume_answers_it_once() -> None:
    store = MemoryConversations()
    copilot = Copilot(deps(speaking(FIFTY, Pause(30)), conversations=store))
    events: list[Numbered] = []

    async def watch() -> None:
        async for numbered in copilot.ask(request()):
            events.append(numbered)
            if isinstance(numbered.event, MessageDelta):
                reached.set()

    reached = asyncio.Event()
    watching = asyncio.create_task(watch())
    await reached.wait()
    await copilot.close()
    await watching
    assert isinstance(events[-1].event, RunFailed)
    assert events[-1].event.code == "cancelled"
    kept = await store.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.INTERRUPTED]
    assert len(await copilot.events(TENANT, "t1")) == len(events) - 1

    later = Copilot(deps(speaking(FIFTY), conversations=store))
    resumed = await drained(later.resume(TENANT, "t1"))
    assert answer_in(resumed).text == SHOWN
    assert resumed[0].number > events[-1].number
    assert resumed[0].event == RunStarted("t1", "run-m1")
    assert await drained(later.resume(TENANT, "t1")) == []
    kept = await store.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.DONE, Status.DONE]


async def test_resuming_a_run_under_way_joins_it() -> None:
    retriever = HeldRetriever()
    copilot = Copilot(deps(speaking(), retriever=retriever))
    running = asyncio.create_task(drained(copilot.ask(request())))
    await until(retriever.reached)
    joined = asyncio.create_task(drained(copilot.resume(TENANT, "t1")))
    await asyncio.sleep(0.01)
    retriever.release.set()
    assert await joined == await running
    assert len(retriever.asked) == 1


async def test_resuming_what_is_not_there_is_an_error() -> None:
    with pytest.raises(UnknownThreadError, match="t9"):
        await drained(Copilot(deps()).resume(TENANT, "t9"))


async def test_two_servers_answering_one_question_store_one_answer() -> None:
    store = MemoryConversations()
    held = HeldRetriever()
    slow = Copilot(
        replace(deps(speaking(SEVEN), conversations=store, retriever=held), new_id=counter("slow"))
    )
    quick = Copilot(replace(deps(speaking(FIFTY), conversations=store), new_id=counter("quick")))
    running = asyncio.create_task(drained(slow.ask(request())))
    await until(held.reached)
    first = answer_in(await drained(quick.ask(request())))
    held.release.set()
    assert answer_in(await running) == first
    kept = await store.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.message_id for m in kept.messages] == ["m1", "quick1"]


async def test_a_bug_ends_the_run_and_keeps_the_question() -> None:
    copilot = Copilot(deps(retriever=FailingRetriever(ZeroDivisionError("bug"))))
    events: list[Numbered] = []
    with pytest.raises(ZeroDivisionError):
        async for numbered in copilot.ask(request()):
            events.append(numbered)
    assert isinstance(events[-1].event, RunFailed)
    assert events[-1].event.code == "internal"
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert kept.unanswered() is not None


class FullConversations(MemoryConversations):
    """Takes questions, but has no room for answers."""

    @override
    async def finish(self, question: Message, reply: Reply) -> Message:
        raise ConversationsUnavailableError("disk full")


async def test_an_answer_that_cannot_be_stored_is_not_called_finished() -> None:
    copilot = Copilot(deps(speaking(), conversations=FullConversations()))
    events: list[Numbered] = []
    with pytest.raises(ConversationsUnavailableError):
        async for numbered in copilot.ask(request()):
            events.append(numbered)
    assert MessageFinished not in kinds(events)
    assert isinstance(events[-1].event, RunFailed)
    assert events[-1].event.code == "upstream_unavailable"


class HiccupingConversations(MemoryConversations):
    """Cannot append for a while."""

    @override
    async def append(self, tenant: str, thread_id: str, events: Sequence[LoggedEvent]) -> None:
        raise ConversationsUnavailableError("database is locked")


async def test_a_hiccup_of_the_log_costs_neither_answer_nor_log() -> None:
    copilot = Copilot(
        deps(speaking(FIFTY, Pause(0.3), SEVEN), conversations=HiccupingConversations())
    )
    events = await drained(copilot.ask(request()))
    assert answer_in(events).text.endswith("seven days [1].")
    assert await copilot.events(TENANT, "t1") == tuple(events)


# --- killed ------------------------------------------------------------------------------------

_SERVER = """
import asyncio, sys
from agent import Copilot
from agent.conversations_sql import SqlConversations, open_engine
from agent.types import MessageDelta
from tests.agent.test_copilot import FIFTY, Pause, request, speaking
from tests.agent.shelf import deps

async def main():
    store = SqlConversations(open_engine(sys.argv[1]))
    copilot = Copilot(deps(speaking(FIFTY, Pause(60)), conversations=store))
    async for numbered in copilot.ask(request()):
        if isinstance(numbered.event, MessageDelta):
            print(numbered.number, flush=True)

asyncio.run(main())
"""


async def test_a_killed_server_leaves_a_question_that_is_answered_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/conversations.db"
    upgrade(open_engine(url))
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, url, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    seen = int(await server.stdout.readline())
    server.kill()
    await server.wait()

    store = SqlConversations(open_engine(url))
    copilot = Copilot(deps(speaking(FIFTY), conversations=store))
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.OPEN]
    resumed, again = await asyncio.gather(
        drained(copilot.resume(TENANT, "t1")), drained(copilot.resume(TENANT, "t1"))
    )
    assert resumed == again
    assert answer_in(resumed).text == SHOWN
    assert resumed[0].number > seen
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.role for m in kept.messages] == ["user", "assistant"]
    await store.close()
