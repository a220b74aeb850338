"""Drives runs: each a task of its own, its events told to whoever follows, its end stored once.

The answer is committed once, however often it is run; a client that goes away does not leave it
half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

import structlog
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.action_types import CardShown, RunPaused, ToolEnded
from agent.conversations import ConversationsUnavailableError, Message, Opened, Reply
from agent.deps import Deps
from agent.events import decision_of, stored_answer
from agent.graph import build_graph
from agent.guiding import Watch
from agent.live import LiveRun
from agent.passing import passing
from agent.pausing import Objection, pause_of
from agent.recording import record_turn
from agent.running import RunContext, language_for, ms
from agent.types import (
    Answer,
    Ask,
    CardAnswer,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    StandingShown,
    Turn,
    Utterance,
)
from tools.journal import JournalUnavailableError
from tools.types import Actor

_logger = structlog.get_logger(__name__)

LOG_EVERY_S = 0.25
"""How much of a run's event log a crash may lose; the answer itself is never half stored."""
Key = tuple[str, str, str]
"""Tenant, thread and message."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a run begins with, beside its stored question."""

    run_id: str
    started: float
    timings: Mapping[str, float]
    actor: Actor | None = None
    answers: tuple[CardAnswer, ...] = ()
    subject: str | None = None  # whose the conversation is, where nobody is signed in now


class Driver:
    """The runs of one process, by the message that they answer."""

    def __init__(self, deps: Deps, saver: BaseCheckpointSaver[str] | None) -> None:
        self._deps = deps
        self._graph = build_graph(deps, saver)
        self._live: dict[Key, LiveRun] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._erased: set[Key] = set()

    def live(self, key: Key) -> LiveRun | None:
        return self._live.get(key)

    def busy(self, tenant: str, thread_id: str) -> bool:
        return any(key[:2] == (tenant, thread_id) for key in self._live)

    async def refuse(self, request: Ask, objection: Objection) -> LiveRun:
        """A run that ends where it begins, and of which nothing is stored."""
        first = await self._deps.conversations.reserve(request.tenant, request.thread_id)
        live = LiveRun(request.run_id, first)
        live.publish(
            RunStarted(request.thread_id, request.run_id),
            RunFailed(objection.code, objection.message),
        )
        live.end()
        return live

    async def close(self) -> None:
        """Stop runs under way; their questions are marked."""
        await _cancelled(self._tasks.values())

    def running(self, tenant: str, threads: Collection[str]) -> tuple[Key, ...]:
        """Of these conversations."""
        return tuple(key for key in self._tasks if key[0] == tenant and key[1] in threads)

    async def stop(self, tenant: str, threads: Collection[str]) -> int:
        """Runs of conversations that are being erased end for good. How many."""
        found = self.running(tenant, threads)
        self._erased.update(found)
        await _cancelled([self._tasks[key] for key in found])
        return len(found)

    def start(self, opened: Opened, start: Start) -> LiveRun:
        asked = opened.question
        key = (asked.tenant, asked.thread_id, asked.message_id)
        running = self._live.get(key)
        if running is not None:  # another caller was first while we stored
            return running
        live = LiveRun(start.run_id, opened.first_event)
        if opened.answer is not None:
            live.publish(*_replay(opened.answer, start.run_id))
            live.end()
            return live
        self._live[key] = live
        context = RunContext(
            turn=_turn(opened, start.run_id),
            reply_id=self._deps.new_id(),
            started=start.started,
            actor=start.actor,
            subject=start.actor.subject if start.actor is not None else start.subject,
            answers={answer.action_id: answer for answer in start.answers},
        )
        run = self._drive(live, asked, context, start.timings)
        task = asyncio.create_task(run, name=f"run {start.run_id}")
        self._tasks[key] = task
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
        """What follows the finished message is told once that is stored, and it is stored once the
        graph has kept its checkpoint: a turn that dies between the two is simply run again."""
        live.publish(RunStarted(asked.thread_id, live.run_id))
        locale = language_for(context.turn).locale
        async with aclosing(Watch(self._deps.guide, context.actor, locale)) as watch:
            tail = await self._pass(live, asked, context, timings, watch)
            if not tail or not isinstance(tail[0], MessageFinished):
                raise RuntimeError("the graph ended without an answer: an edge is wrong")
            _tell(live, await watch.last())
        last = timed(self._deps, tail[0], context.started)
        await self._conclude(live, asked, context, (last, tail[1:]))

    async def _pass(
        self,
        live: LiveRun,
        asked: Message,
        context: RunContext,
        timings: Mapping[str, float],
        watch: Watch,
    ) -> list[RunEvent]:
        """Publishes what may be shown at once; what begins with the finished message is left."""
        logged_at = self._deps.timer()
        tail: list[RunEvent] = []
        async with aclosing(passing(self._graph, context, timings, asked.cause)) as events:
            async for event in events:
                watch.note(event)
                if tail or isinstance(event, MessageFinished):
                    tail.append(event)
                    continue
                live.publish(event)
                _tell(live, watch.ready())
                if self._deps.timer() - logged_at >= LOG_EVERY_S:
                    logged_at = self._deps.timer()
                    await self._log(live, asked)
        return tail

    async def _log(self, live: LiveRun, asked: Message) -> None:
        """Store what was streamed lately; what cannot be stored now goes with the answer."""
        entries = live.unlogged()
        try:
            await self._deps.conversations.append(asked.tenant, asked.thread_id, entries)
        except ConversationsUnavailableError as error:
            _logger.warning("run.log_delayed", run_id=live.run_id, reason=str(error))
        else:
            live.mark_logged(len(entries))

    async def _conclude(
        self,
        live: LiveRun,
        asked: Message,
        context: RunContext,
        end: tuple[MessageFinished, list[RunEvent]],
    ) -> None:
        """Commit the answer, then say that it is finished: in this order."""
        last, after = end
        tail = (last, *after, await self._end(live, asked, last.answer))
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
            tail = (MessageFinished(last.message_id, stored_answer(kept)), *tail[1:])
        live.publish(*tail)
        record_turn(self._deps.record, asked, reply, context.subject, facts)

    async def _end(self, live: LiveRun, asked: Message, answer: Answer) -> RunEvent:
        acting = self._deps.acting
        if not answer.paused or acting is None:
            return RunFinished(asked.thread_id, live.run_id)
        waiting = [mark.id for mark in answer.actions if mark.approver == "end_user"]
        actions = [await acting.journal.action(asked.tenant, name) for name in waiting]
        pauses = tuple(pause_of(acting, action) for action in actions)
        return RunPaused(asked.thread_id, live.run_id, pauses)

    def _ended(self, key: Key, live: LiveRun, task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        del self._live[key]
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            code = "erased" if key in self._erased else "cancelled"
            self._erased.discard(key)
            live.publish(RunFailed(code, _FAILURES[code]))
        elif error is not None:
            code = _code(error)
            live.publish(RunFailed(code, _FAILURES[code]))
        live.end(error)


def _tell(live: LiveRun, news: StandingShown | None) -> None:
    if news is not None:
        live.publish(news)


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    ending = tuple(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def timed(deps: Deps, event: MessageFinished, started: float) -> MessageFinished:
    """The finished message with the time since its run began."""
    timings = {**event.answer.timings_ms, "total": ms(deps.timer() - started)}
    return replace(event, answer=replace(event.answer, timings_ms=timings))


_FAILURES = {
    "erased": "This conversation was erased.",
    "cancelled": "The server is stopping. Your question is kept and will be answered.",
    "internal": "Something went wrong on our side. Your question is kept.",
    "upstream_unavailable": "The conversation could not be stored. Please try again.",
}


def _code(error: BaseException) -> str:
    stored_nothing = isinstance(error, ConversationsUnavailableError | JournalUnavailableError)
    return "upstream_unavailable" if stored_nothing else "internal"


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
        history=tuple(
            Utterance(said.role, said.text) for said in opened.history if said.role != "event"
        ),
    )


def _replay(answered: Message, run_id: str) -> tuple[RunEvent, ...]:
    """The events of a run that was answered before: the stored answer, in one piece, with its
    actions as they stand now."""
    message_id, answer = answered.message_id, stored_answer(answered)
    return (
        RunStarted(answered.thread_id, run_id),
        *(ToolEnded(mark.id) for mark in answer.actions if mark.told == "result"),
        MessageStarted(message_id),
        MessageDelta(message_id, answered.text),
        MessageFinished(message_id, answer),
        *(CardShown(mark.id) for mark in answer.actions if mark.told == "card"),
        RunFinished(answered.thread_id, run_id),
    )
