"""ScriptedAssistant: the smallest honest twin of the composed product, for the HTTP surface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.action_types import RunPaused
from agent.conversations import (
    Conversation,
    LoggedEvent,
    MemoryConversations,
    Message,
    Opened,
    Question,
    Reply,
)
from agent.copilot import Pushed
from agent.events import dump_event, load_event
from agent.live import LiveRun
from agent.showing import ShownMessage
from agent.types import (
    Answer,
    Ask,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    Numbered,
    Refusal,
    Retrieved,
    RunEvent,
    RunFinished,
    RunStarted,
    StandingShown,
    StepFinished,
    StepStarted,
)
from guardrails import stored
from retrieval.types import ChunkId, Citation, Scope
from tools.types import Actor

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
SENTENCES = ("Admins can invite up to 50 people at once [1].", " Owners see the list [2].")


def citation(marker: int, quote: str) -> Citation:
    return Citation(
        id=f"c{marker}",
        marker=marker,
        chunk_id=ChunkId(f"guides/invite#{marker}"),
        path="guides/invite.md",
        title="Invite teammates",
        anchor="invite",
        quote=quote,
        doc_version="2026-11-02",
        index_version="docs__twin_1",
    )


def answer(text: str, *, refused: bool = False) -> Answer:
    return Answer(
        text=text,
        refused=refused,
        reason=Refusal.LOW_CONFIDENCE if refused else None,
        confidence=0.1 if refused else 0.93,
        citations=() if refused else (citation(1, "up to 50 people"), citation(2, "see the list")),
        retrieved=(Retrieved(ChunkId("guides/invite#1"), "guides/invite.md", 0.9),),
        index_version="docs__twin_1",
        answerer="scripted",
        usage={"input_tokens": 7, "output_tokens": 3},
    )


@dataclass
class ScriptedAssistant:
    """Says `sentences`, waiting for `gate` before each but the first; refuses `refuse` texts.

    `failure` is raised before the first event, `crash` after the first sentence.
    """

    sentences: Sequence[str] = SENTENCES
    gate: asyncio.Semaphore | None = None
    refuse: frozenset[str] = frozenset()
    failure: Exception | None = None
    crash: Exception | None = None
    conversations: MemoryConversations = field(default_factory=MemoryConversations)
    asked: list[Ask] = field(default_factory=list)

    async def ask(self, ask: Ask) -> AsyncIterator[Numbered]:
        self.asked.append(ask)
        if self.failure is not None:
            raise self.failure
        opened = await self.conversations.open(
            Question(
                tenant=ask.tenant,
                thread_id=ask.thread_id,
                message_id=ask.message_id,
                run_id=ask.run_id,
                text=stored(ask.text),
                scope=ask.scope,
                created=NOON,
            )
        )
        async for numbered in self._numbered(opened):
            yield numbered

    async def resume(
        self, tenant: str, thread_id: str, actor: Actor | None = None
    ) -> AsyncIterator[Numbered]:
        found = await self.conversations.conversation(tenant, thread_id)
        question = found.unanswered() if found else None
        assert question is not None
        opened = await self.conversations.open(
            Question(
                tenant,
                thread_id,
                question.message_id,
                question.run_id,
                question.text,
                question.scope or Scope(tenant),
                NOON,
            )
        )
        async for numbered in self._numbered(opened):
            yield numbered

    async def conversation(
        self, tenant: str, thread_id: str, actor: Actor | None = None
    ) -> Conversation | None:
        return await self.conversations.conversation(tenant, thread_id)

    async def shown(self, conversation: Conversation) -> tuple[ShownMessage, ...]:
        return tuple(ShownMessage(said, said.text) for said in conversation.messages)

    async def standing(self, actor: Actor | None, scope: Scope) -> StandingShown | None:
        return None

    async def paused(self, conversation: Conversation, run_id: str) -> RunPaused | None:
        return None

    async def events(
        self, tenant: str, thread_id: str, after: int = 0, actor: Actor | None = None
    ) -> tuple[Numbered, ...]:
        logged = await self.conversations.events(tenant, thread_id, after)
        return tuple(Numbered(entry.id, load_event(entry.payload)) for entry in logged)

    async def pushed(self) -> AsyncIterator[Pushed]:
        await asyncio.Event().wait()
        yield Pushed("", "", None, "", LiveRun("", 1))

    async def follow(self, pushed: Pushed) -> AsyncIterator[Numbered]:
        async for numbered in pushed.live.follow():
            yield numbered

    async def _numbered(self, opened: Opened) -> AsyncIterator[Numbered]:
        asked, number = opened.question, opened.first_event
        async for event in self._events(asked):
            entry = LoggedEvent(number, asked.run_id, dump_event(event))
            await self.conversations.append(asked.tenant, asked.thread_id, [entry])
            yield Numbered(number, event)
            number += 1

    async def _events(self, question: Message) -> AsyncIterator[RunEvent]:
        yield RunStarted(question.thread_id, question.run_id)
        yield StepStarted("retrieve")
        yield StepFinished("retrieve")
        refused = question.text in self.refuse
        said = ["I found nothing on that."] if refused else list(self.sentences)
        message_id = f"{question.message_id}-answer"
        yield MessageStarted(message_id)
        for place, sentence in enumerate(said):
            if self.gate is not None and place:
                await self.gate.acquire()
            if self.crash is not None and place:
                raise self.crash
            yield MessageDelta(message_id, sentence)
        given = answer("".join(said), refused=refused)
        reply = Reply(message_id, question.run_id, given, _decision(given), NOON)
        await self.conversations.finish(question, reply)
        yield MessageFinished(message_id, given)
        yield RunFinished(question.thread_id, question.run_id)


def _decision(given: Answer) -> dict[str, object]:
    return {
        "refused": given.refused,
        "reason": given.reason,
        "confidence": given.confidence,
        "retrieved": [],
        "index_version": given.index_version,
        "answerer": given.answerer,
    }
