"""The facade: a user's message in, the events of its run out, and a conversation that remembers.

redact -> store the question -> graph -> store the answer with its decision -> last events

The question is committed before the graph runs, so a run that dies is run again from it; the
answer is committed once, however often it is run. A run is a task of its own: a client that goes
away does not leave it half done.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Durability

from agent.conversations import (
    Conversation,
    ConversationsUnavailableError,
    Message,
    Opened,
    Question,
    Reply,
    UnknownThreadError,
)
from agent.deps import Deps
from agent.events import decision_of, load_event, stored_answer
from agent.graph import ConversationGraph, build_graph
from agent.live import LiveRun
from agent.state import ConversationState
from agent.steps import RunContext
from agent.types import (
    Answer,
    Ask,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    Numbered,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    Turn,
    Utterance,
)
from guardrails import Redacted
from retrieval.types import Scope

_logger = structlog.get_logger(__name__)

LOG_EVERY_S = 0.25
"""How much of a run's event log a crash may lose; the answer itself is never half stored."""
MOST_CHARACTERS = 32 * 1024
"""Of one message; more is refused before any work is done."""
_Key = tuple[str, str, str]


class BadAskError(ValueError):
    """The message cannot be asked as it is; says why."""


class Copilot:
    """Answers, and keeps the conversation. One per process; `close` ends runs under way."""

    def __init__(self, deps: Deps, saver: BaseCheckpointSaver[str] | None = None) -> None:
        """`saver` holds what a paused run needs. Raises UnsafeCheckpointsError."""
        self._deps = deps
        self._graph = build_graph(deps, saver)
        self._bare = self._graph if saver is None else build_graph(deps, None)
        self._live: dict[_Key, LiveRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, request: Ask) -> AsyncGenerator[Numbered, None]:
        """Answer a message and stream the events of its run.

        A message id that is being answered joins that run; one that was answered gets the stored
        answer. Closing the iterator does not stop the run. Raises BadAskError, and
        ConversationsUnavailableError when the question could not be stored.
        """
        _check(request)
        live = self._live.get((request.tenant, request.thread_id, request.message_id))
        if live is None:
            live = await self._begin(request)
        async for numbered in live.follow():
            yield numbered

    async def resume(self, tenant: str, thread_id: str) -> AsyncGenerator[Numbered, None]:
        """Run the newest question again when nothing answered it; else no events at all.

        Idempotent: a run under way is joined. Raises UnknownThreadError.
        """
        known = await self._deps.conversations.conversation(tenant, thread_id)
        if known is None:
            raise UnknownThreadError(tenant, thread_id)
        question = known.unanswered()
        if question is not None:
            live = self._live.get((tenant, thread_id, question.message_id))
            if live is None:
                live = await self._reopen(question)
            async for numbered in live.follow():
                yield numbered

    async def answer(self, text: str, scope: Scope) -> Answer:
        """Answer one question outside any conversation; nothing is stored.

        Raises BadAskError, and what the retriever raises about the scope.
        """
        once = self._deps.new_id()
        _check(Ask(scope.tenant, once, once, once, text, scope))
        started = self._deps.timer()
        redacted, timings = await self._redact(text)
        turn = Turn(scope.tenant, once, once, once, redacted, scope)
        context = RunContext(turn, self._deps.new_id(), started)
        async with aclosing(_run(self._bare, context, timings)) as events:
            async for event in events:
                if isinstance(event, MessageFinished):
                    return self._timed(event, started).answer
        raise RuntimeError("the graph ended without an answer: an edge is wrong")

    async def conversation(self, tenant: str, thread_id: str) -> Conversation | None:
        """The stored conversation; None when the tenant has none of that id."""
        return await self._deps.conversations.conversation(tenant, thread_id)

    async def events(self, tenant: str, thread_id: str, after: int = 0) -> tuple[Numbered, ...]:
        """The logged events of the thread with larger numbers, in order."""
        logged = await self._deps.conversations.events(tenant, thread_id, after)
        return tuple(Numbered(entry.id, load_event(entry.payload)) for entry in logged)

    async def close(self) -> None:
        """Stop runs under way; their questions are marked and `resume` answers them."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- a run ---------------------------------------------------------------------------------

    async def _begin(self, request: Ask) -> LiveRun:
        started = self._deps.timer()
        redacted, timings = await self._redact(request.text)
        question = Question(
            tenant=request.tenant,
            thread_id=request.thread_id,
            message_id=request.message_id,
            run_id=request.run_id,
            text=redacted,
            scope=request.scope,
            created=self._deps.clock(),
        )
        opened = await self._deps.conversations.open(question)
        return self._start(opened, request.run_id, started, timings)

    async def _reopen(self, question: Message) -> LiveRun:
        """As `_begin`, from the stored words and through the eyes that asked them."""
        if question.scope is None:
            raise RuntimeError(f"message {question.message_id!r} was stored without its scope")
        again = Question(
            tenant=question.tenant,
            thread_id=question.thread_id,
            message_id=question.message_id,
            run_id=question.run_id,
            text=question.text,
            scope=question.scope,
            created=question.created,
        )
        started = self._deps.timer()
        opened = await self._deps.conversations.open(again)
        return self._start(opened, question.run_id, started, {})

    def _start(
        self, opened: Opened, run_id: str, started: float, timings: Mapping[str, float]
    ) -> LiveRun:
        asked = opened.question
        key = (asked.tenant, asked.thread_id, asked.message_id)
        running = self._live.get(key)
        if running is not None:  # another caller was first while we stored
            return running
        live = LiveRun(run_id, opened.first_event)
        if opened.answer is not None:
            live.publish(*_replay(opened.answer, run_id))
            live.end()
            return live
        self._live[key] = live
        context = RunContext(_turn(opened, run_id), self._deps.new_id(), started)
        task = asyncio.create_task(self._drive(live, asked, context, timings), name=f"run {run_id}")
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(key, live, ended))
        return live

    async def _drive(
        self, live: LiveRun, asked: Message, context: RunContext, timings: Mapping[str, float]
    ) -> None:
        concluded = False
        try:
            await self._stream(live, asked, context, timings)
            concluded = True
        finally:  # cancelled or failed: the question is marked, never left half done
            if not concluded:
                await self._deps.conversations.interrupt(asked, live.unlogged())

    async def _stream(
        self, live: LiveRun, asked: Message, context: RunContext, timings: Mapping[str, float]
    ) -> None:
        live.publish(RunStarted(asked.thread_id, live.run_id))
        logged_at = self._deps.timer()
        async with aclosing(_run(self._graph, context, timings)) as events:
            async for event in events:
                if isinstance(event, MessageFinished):
                    await self._conclude(live, asked, self._timed(event, context.started))
                    continue
                live.publish(event)
                if self._deps.timer() - logged_at >= LOG_EVERY_S:
                    logged_at = self._deps.timer()
                    await self._log(live, asked)

    async def _log(self, live: LiveRun, asked: Message) -> None:
        """Store what was streamed lately; what cannot be stored now goes with the answer."""
        entries = live.unlogged()
        try:
            await self._deps.conversations.append(asked.tenant, asked.thread_id, entries)
        except ConversationsUnavailableError as error:
            _logger.warning("run.log_delayed", run_id=live.run_id, reason=str(error))
        else:
            live.mark_logged(len(entries))

    async def _conclude(self, live: LiveRun, asked: Message, last: MessageFinished) -> None:
        """Commit the answer, then say that it is finished: in this order."""
        tail = (last, RunFinished(asked.thread_id, live.run_id))
        facts: dict[str, object] = {**self._deps.facts, "threshold": self._deps.threshold}
        reply = Reply(
            message_id=last.message_id,
            run_id=live.run_id,
            answer=last.answer,
            decision=decision_of(last.answer, facts),
            created=self._deps.clock(),
            events=live.unlogged(tail),
        )
        kept = await self._deps.conversations.finish(asked, reply)
        if kept.message_id != last.message_id:  # another process answered it first
            tail = (MessageFinished(last.message_id, stored_answer(kept)), tail[1])
        live.publish(*tail)

    def _ended(self, key: _Key, live: LiveRun, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        del self._live[key]
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            live.publish(RunFailed("cancelled", _FAILURES["cancelled"]))
        elif error is not None:
            code = _code(error)
            live.publish(RunFailed(code, _FAILURES[code]))
        live.end(error)

    async def _redact(self, text: str) -> tuple[Redacted, dict[str, float]]:
        start = self._deps.timer()
        redaction = await asyncio.to_thread(self._deps.redactor.redact, text)
        return redaction.text, {"redact": _ms(self._deps.timer() - start)}

    def _timed(self, event: MessageFinished, started: float) -> MessageFinished:
        timings = {**event.answer.timings_ms, "total": _ms(self._deps.timer() - started)}
        return replace(event, answer=replace(event.answer, timings_ms=timings))


_FAILURES = {
    "cancelled": "The server is stopping. Your question is kept and will be answered.",
    "internal": "Something went wrong on our side. Your question is kept.",
    "upstream_unavailable": "The conversation could not be stored. Please try again.",
}


def _code(error: BaseException) -> str:
    stored_nothing = isinstance(error, ConversationsUnavailableError)
    return "upstream_unavailable" if stored_nothing else "internal"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _check(request: Ask) -> None:
    if not request.text.strip():
        raise BadAskError("the message is empty: send the words of a question")
    if len(request.text) > MOST_CHARACTERS:
        raise BadAskError(
            f"the message has {len(request.text)} characters, more than {MOST_CHARACTERS}: "
            "ask about one thing, and leave logs and files out"
        )
    if request.scope.tenant != request.tenant:
        raise BadAskError(
            f"the scope is of tenant {request.scope.tenant!r}, the conversation of "
            f"{request.tenant!r}: they must be the same"
        )


def _turn(opened: Opened, run_id: str) -> Turn:
    asked = opened.question
    if asked.scope is None:
        raise RuntimeError(f"message {asked.message_id!r} was stored without its scope")
    return Turn(
        tenant=asked.tenant,
        thread_id=asked.thread_id,
        run_id=run_id,
        message_id=asked.message_id,
        text=asked.text,
        scope=asked.scope,
        history=tuple(Utterance(said.role, said.text) for said in opened.history),
    )


def _replay(answered: Message, run_id: str) -> tuple[RunEvent, ...]:
    """The events of a run that was answered before: the stored answer, in one piece."""
    message_id = answered.message_id
    return (
        RunStarted(answered.thread_id, run_id),
        MessageStarted(message_id),
        MessageDelta(message_id, answered.text),
        MessageFinished(message_id, stored_answer(answered)),
        RunFinished(answered.thread_id, run_id),
    )


async def _run(
    graph: ConversationGraph, context: RunContext, timings: Mapping[str, float]
) -> AsyncGenerator[RunEvent, None]:
    """One pass through the graph. Its thread id names the tenant first, unambiguously."""
    turn = context.turn
    fresh: ConversationState = {
        "message_id": turn.message_id,
        "text": turn.text,
        "timings_ms": dict(timings),
    }
    thread = json.dumps([turn.tenant, turn.thread_id])
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    keep: Durability | None = "exit" if graph.checkpointer else None
    stream = graph.astream(
        fresh, config, context=context, stream_mode=["custom"], durability=keep, version="v2"
    )
    async for part in stream:
        if part["type"] == "custom":
            yield part["data"]
