"""What every conversation store does, whatever it is made of."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent import Answer, Conversations, Message, Refusal, Status, UnknownThreadError
from agent.conversations import EVENT_BLOCK, HISTORY, LoggedEvent, Opened, Question, Reply
from agent.events import decision_of, stored_answer
from agent.types import Retrieved
from guardrails import literal, stored
from retrieval.types import ChunkId, Citation, Scope

NOON = datetime(2026, 1, 1, 12, 30, 15, 250, tzinfo=UTC)
CITATION = Citation(
    id="c1",
    marker=1,
    chunk_id=ChunkId("guides/a#1"),
    path="guides/a.md",
    title="A — ä 😀",
    anchor=None,
    quote="Verbatim `words`\n\nof the page.",
    doc_version="2026-01-01",
    index_version="docs__1_2",
)
ANSWER = Answer(
    text="Words [1].",
    refused=False,
    reason=None,
    confidence=0.75,
    citations=(CITATION,),
    retrieved=(Retrieved(ChunkId("guides/a#1"), "guides/a.md", 0.5),),
    index_version="docs__1_2",
    answerer="extractive",
    timings_ms={"total": 12.5},
    usage={"input_tokens": 3},
    dropped=2,
)
SCOPE = Scope("acme", {"plan": frozenset({"pro", "free"})}, narrow={"owner": frozenset({"x"})})


def question(
    message_id: str = "m1", thread_id: str = "t1", tenant: str = "acme", text: str = "How?"
) -> Question:
    scope = replace(SCOPE, tenant=tenant)
    return Question(tenant, thread_id, message_id, "r1", stored(text), scope, NOON)


def reply(message_id: str = "a1", answer: Answer = ANSWER, *events: LoggedEvent) -> Reply:
    decision = decision_of(answer, {"prompt": "p@1"})
    return Reply(message_id, "r1", answer, decision, NOON, events)


def logged(*ids: int) -> tuple[LoggedEvent, ...]:
    return tuple(LoggedEvent(i, "r1", f'{{"n":{i}}}') for i in ids)


class ConversationsContract:
    """Inherit, and give a fixture `store` that makes an empty one."""

    async def test_a_question_is_there_before_it_is_answered(self, store: Conversations) -> None:
        opened = await store.open(question())
        assert opened.answer is None
        assert opened.history == ()
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert kept.created == NOON
        assert kept.messages == (opened.question,)
        assert kept.unanswered() == opened.question
        asked = opened.question
        assert (asked.text, asked.role, asked.status) == ("How?", "user", Status.OPEN)
        assert asked.scope == SCOPE

    async def test_an_answer_comes_back_as_it_was_given(self, store: Conversations) -> None:
        opened = await store.open(question())
        finished = await store.finish(opened.question, reply())
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        asked, answered = kept.messages
        assert asked.status is answered.status is Status.DONE
        assert answered == finished == kept.answer_to("m1")
        assert answered.citations == (CITATION,)
        assert answered.created == NOON
        assert answered.decision["prompt"] == "p@1"
        assert stored_answer(answered) == ANSWER
        assert kept.unanswered() is None

    async def test_a_refusal_is_an_answer(self, store: Conversations) -> None:
        refusal = replace(ANSWER, refused=True, reason=Refusal.LOW_CONFIDENCE, citations=())
        opened = await store.open(question())
        answered = await store.finish(opened.question, reply(answer=refusal))
        assert answered.status is Status.REFUSED
        assert stored_answer(answered).reason is Refusal.LOW_CONFIDENCE
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert kept.messages[0].status is Status.REFUSED

    async def test_the_same_message_is_one_question(self, store: Conversations) -> None:
        first = await store.open(question())
        again = await store.open(question(text="Something else?"))
        assert again.question == first.question
        assert again.first_event >= first.first_event + EVENT_BLOCK
        await store.finish(first.question, reply())
        late = await store.open(question())
        assert late.answer is not None
        assert late.answer.message_id == "a1"
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert len(kept.messages) == 2

    async def test_a_question_is_answered_once(self, store: Conversations) -> None:
        opened = await store.open(question())
        replies = [reply(f"a{i}", ANSWER, *logged(100 + i)) for i in range(8)]
        answers = await asyncio.gather(*(store.finish(opened.question, r) for r in replies))
        assert len({answer.message_id for answer in answers}) == 1
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert [m.role for m in kept.messages] == ["user", "assistant"]
        assert len(await store.events("acme", "t1")) == 1

    async def test_concurrent_opens_of_one_message_store_one(self, store: Conversations) -> None:
        opened = await asyncio.gather(*(store.open(question()) for _ in range(8)))
        assert len({o.first_event for o in opened}) == 8
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert len(kept.messages) == 1

    async def test_history_is_what_stands_before_the_question(self, store: Conversations) -> None:
        for i in range(HISTORY):
            opened = await store.open(question(f"m{i}", text=f"Question {i}?"))
            await store.finish(opened.question, reply(f"a{i}"))
        last = await self._opened(store, "last")
        assert len(last.history) == HISTORY
        assert last.history[-2].text == f"Question {HISTORY - 1}?"
        assert [m.seq for m in last.history] == sorted(m.seq for m in last.history)
        again = await self._opened(store, "m1")
        assert [m.message_id for m in again.history] == ["m0", "a0"]

    async def _opened(self, store: Conversations, message_id: str) -> Opened:
        return await store.open(question(message_id))

    async def test_tenants_and_threads_are_apart(self, store: Conversations) -> None:
        await store.open(question())
        await store.open(question(tenant="other", text="Mine?"))
        await store.open(question(thread_id="t2", text="There?"))
        other = await store.conversation("other", "t1")
        assert other is not None
        assert [m.text for m in other.messages] == ["Mine?"]
        assert await store.conversation("third", "t1") is None
        await store.append("other", "t1", logged(5))
        assert await store.events("acme", "t1") == ()
        assert await store.events("acme", "t2") == ()

    async def test_events_come_back_in_order_after_a_number(self, store: Conversations) -> None:
        await store.open(question())
        await store.append("acme", "t1", logged(3, 1, 2))
        await store.append("acme", "t1", logged(2, 4))
        await store.append("acme", "t1", ())
        assert [e.id for e in await store.events("acme", "t1")] == [1, 2, 3, 4]
        assert await store.events("acme", "t1", after=3) == logged(4)
        assert await store.events("acme", "none") == ()

    async def test_the_last_events_are_stored_with_the_answer(self, store: Conversations) -> None:
        opened = await store.open(question())
        await store.finish(opened.question, reply("a1", ANSWER, *logged(1, 2)))
        assert await store.events("acme", "t1") == logged(1, 2)

    async def test_an_interrupted_question_can_still_be_answered(
        self, store: Conversations
    ) -> None:
        opened = await store.open(question())
        await store.interrupt(opened.question, logged(1))
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        unanswered = kept.unanswered()
        assert unanswered is not None
        assert unanswered.status is Status.INTERRUPTED
        await store.finish(opened.question, reply())
        await store.interrupt(opened.question, logged(2))
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert kept.messages[0].status is Status.DONE
        assert await store.events("acme", "t1") == logged(1)

    async def test_a_thread_is_its_first_subjects_alone(self, store: Conversations) -> None:
        await store.open(replace(question(), subject="ana"))
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert kept.subject == "ana"
        for stranger in ("eve", None):
            with pytest.raises(UnknownThreadError):
                await store.open(replace(question(message_id="m2"), subject=stranger))
        after = await store.conversation("acme", "t1")
        assert after == kept
        again = await store.open(replace(question(message_id="m2"), subject="ana"))
        assert again.first_event == 1 + EVENT_BLOCK  # the refused ones took no numbers

    async def test_a_run_that_stores_nothing_has_numbers_of_its_own(
        self, store: Conversations
    ) -> None:
        opened = await store.open(question())
        first = await store.reserve("acme", "t1")
        later = await store.open(question(message_id="m2"))
        assert opened.first_event < first < later.first_event
        assert later.first_event - first == EVENT_BLOCK
        with pytest.raises(UnknownThreadError):
            await store.reserve("acme", "nowhere")

    async def test_an_event_is_answered_like_a_question(self, store: Conversations) -> None:
        cause = {"kind": "outcome", "actions": ["a1"]}
        event = replace(question(message_id="~told.1"), role="event", cause=cause)
        opened = await store.open(event)
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        unanswered = kept.unanswered()
        assert unanswered is not None
        assert (unanswered.role, unanswered.cause) == ("event", cause)
        await store.finish(opened.question, reply())
        again = await store.open(event)
        assert again.answer is not None
        kept = await store.conversation("acme", "t1")
        assert kept is not None
        assert [message.role for message in kept.messages] == ["event", "assistant"]

    async def test_an_unknown_thread_is_named(self, store: Conversations) -> None:
        stranger = Message(
            "acme", "nowhere", "m1", 1, "user", literal("?"), Status.OPEN, "r1", NOON
        )
        with pytest.raises(UnknownThreadError, match="nowhere"):
            await store.finish(stranger, reply())
        with pytest.raises(UnknownThreadError, match="acme"):
            await store.append("acme", "nowhere", logged(1))
