"""The facade: a user's message in, the events of its run out, and a conversation that remembers.

redact -> store the question -> graph -> store the answer with its decision -> last events

The question is committed before the graph runs, so a run that dies is run again from it; the
answer is committed once, however often it is run. A run is a task of its own: a client that goes
away does not leave it half done. What is told without being asked, such as the end of an action,
goes the same way, with an event in the question's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

import structlog
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.action_types import CardShown, RunPaused, ToolEnded
from agent.checkpoints import memory_saver
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
from agent.graph import build_graph
from agent.live import LiveRun
from agent.passing import passing
from agent.pausing import PENDING, Objection, objection_to, open_pauses, pause_of
from agent.running import RunContext, ms
from agent.showing import Owner, Showing, ShownMessage
from agent.telling import outcome_of
from agent.types import (
    Answer,
    Ask,
    CardAnswer,
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
from guardrails import Redacted, literal
from retrieval.types import Scope
from tools.journal import JournalUnavailableError, OutboxRow
from tools.types import Actor

_logger = structlog.get_logger(__name__)

LOG_EVERY_S = 0.25
"""How much of a run's event log a crash may lose; the answer itself is never half stored."""
MOST_CHARACTERS = 32 * 1024
"""Of one message; more is refused before any work is done."""
_Key = tuple[str, str, str]


class BadAskError(ValueError):
    """The message cannot be asked as it is; says why."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A run that nobody asked for, on somebody's thread; `follow` reads it."""

    tenant: str
    thread_id: str
    subject: str | None
    message_id: str
    live: LiveRun

    @property
    def run_id(self) -> str:
        return self.live.run_id


@dataclass(frozen=True, slots=True)
class _Start:
    """What a run begins with, beside its stored question."""

    run_id: str
    started: float
    timings: Mapping[str, float]
    actor: Actor | None = None
    answers: tuple[CardAnswer, ...] = ()


class Copilot:
    """Answers, acts, and keeps the conversation. One per process; `close` ends runs under way."""

    def __init__(self, deps: Deps, saver: BaseCheckpointSaver[str] | None = None) -> None:
        """`saver` holds what a paused run needs; where something can be acted on and there is
        none, it is memory. Raises UnsafeCheckpointsError."""
        self._deps = deps
        keeper = memory_saver() if saver is None and deps.acting is not None else saver
        self._graph = build_graph(deps, keeper)
        self._bare = self._graph if keeper is None else build_graph(deps, None)
        self._live: dict[_Key, LiveRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: set[asyncio.Queue[Pushed]] = set()

    async def ask(self, request: Ask) -> AsyncGenerator[Numbered, None]:
        """Answer a message, or take the user's word on cards, and stream the events of the run.

        A message id that is being answered joins that run; one that was answered gets the stored
        answer. Closing the iterator does not stop the run. Raises BadAskError, UnknownThreadError
        when the thread is somebody else's, ConversationsUnavailableError when the question could
        not be stored, and JournalUnavailableError when it cannot be told which cards are open.
        """
        _check(request)
        live = self._live.get((request.tenant, request.thread_id, request.message_id))
        if live is None:
            live = await self._begin(request)
        elif _subject(request.actor) != await self._subject_of(request.tenant, request.thread_id):
            raise UnknownThreadError(request.tenant, request.thread_id)
        async for numbered in self._shown(live, request.tenant, request.thread_id, request.actor):
            yield numbered

    async def resume(
        self, tenant: str, thread_id: str, actor: Actor | None = None
    ) -> AsyncGenerator[Numbered, None]:
        """Run the newest question again when nothing answered it; else no events at all.

        Idempotent: a run under way is joined. Raises UnknownThreadError.
        """
        known = await self.conversation(tenant, thread_id, actor)
        if known is None:
            raise UnknownThreadError(tenant, thread_id)
        question = known.unanswered()
        if question is not None:
            live = self._live.get((tenant, thread_id, question.message_id))
            if live is None:
                live = await self._reopen(question, actor)
            async for numbered in self._shown(live, tenant, thread_id, actor):
                yield numbered

    async def answer(self, text: str, scope: Scope) -> Answer:
        """Answer one question outside any conversation; nothing is stored.

        Raises BadAskError, and what the retriever raises about the scope.
        """
        once = self._deps.new_id()
        asked = Ask(scope.tenant, once, once, once, text, scope)
        _check(asked)
        started = self._deps.timer()
        redacted, timings = await self._redact(asked)
        turn = Turn(scope.tenant, once, once, once, redacted, scope)
        context = RunContext(turn, self._deps.new_id(), started, converses=False)
        async with aclosing(passing(self._bare, context, timings, {})) as events:
            async for event in events:
                if isinstance(event, MessageFinished):
                    return self._timed(event, started).answer
        raise RuntimeError("the graph ended without an answer: an edge is wrong")

    async def conversation(
        self, tenant: str, thread_id: str, actor: Actor | None = None
    ) -> Conversation | None:
        """The stored conversation; None when there is none of that id, or it is another's."""
        found = await self._deps.conversations.conversation(tenant, thread_id)
        return found if found is not None and found.subject == _subject(actor) else None

    async def shown(self, conversation: Conversation) -> tuple[ShownMessage, ...]:
        """Its messages as their owner reads them; events are none."""
        said = [message for message in conversation.messages if message.role != "event"]
        showing = self._showing(conversation.tenant, conversation.thread_id, conversation.subject)
        if showing is None:
            return tuple(ShownMessage(message, message.text) for message in said)
        return tuple([await showing.message(message) for message in said])

    async def paused(self, conversation: Conversation, run_id: str) -> RunPaused | None:
        """What the thread waits for; None when the next run may be any."""
        acting = self._deps.acting
        if acting is None:
            return None
        pauses = [pause_of(acting, a) for a in await open_pauses(acting, conversation)]
        return RunPaused(conversation.thread_id, run_id, tuple(pauses)) if pauses else None

    async def events(
        self, tenant: str, thread_id: str, after: int = 0, actor: Actor | None = None
    ) -> tuple[Numbered, ...]:
        """The logged events of the thread with larger numbers, in order, as their owner sees
        them; none of a thread of somebody else."""
        if await self._subject_of(tenant, thread_id) != _subject(actor):
            return ()
        logged = await self._deps.conversations.events(tenant, thread_id, after)
        found = [Numbered(entry.id, load_event(entry.payload)) for entry in logged]
        showing = self._showing(tenant, thread_id, _subject(actor))
        if showing is None:
            return tuple(found)
        return tuple([Numbered(n, await showing.event(event)) for n, event in found])

    async def notify(self, row: OutboxRow) -> bool:
        """Tell a conversation what became of an action; False when it is to be asked again later,
        because the conversation is busy. What was told already is not told twice.

        Raises ConversationsUnavailableError, JournalUnavailableError.
        """
        acting, tenant, thread_id = self._deps.acting, row.tenant, row.thread_id
        if acting is None or thread_id is None:
            return True
        if any(key[:2] == (tenant, thread_id) for key in self._live):
            return False
        found = await self._deps.conversations.conversation(tenant, thread_id)
        if found is None:
            return True
        outcome = await outcome_of(acting, row, found, self._deps.clock())
        if not isinstance(outcome, Question):
            return outcome
        opened = await self._deps.conversations.open(outcome)
        if opened.answer is not None:
            return True
        live = self._start(opened, _Start(outcome.run_id, self._deps.timer(), {}))
        pushed = Pushed(tenant, thread_id, outcome.subject, outcome.message_id, live)
        for listener in self._listeners:
            listener.put_nowait(pushed)
        await live.over()
        return True

    async def pushed(self) -> AsyncGenerator[Pushed, None]:
        """Runs that `notify` begins from now on, as they begin."""
        queue: asyncio.Queue[Pushed] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def follow(self, pushed: Pushed) -> AsyncGenerator[Numbered, None]:
        """The events of such a run, as the owner of the thread sees them."""
        showing = self._showing(pushed.tenant, pushed.thread_id, pushed.subject)
        async for number, event in pushed.live.follow():
            yield Numbered(number, await showing.event(event) if showing else event)

    async def close(self) -> None:
        """Stop runs under way; their questions are marked and `resume` answers them."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- who sees what -------------------------------------------------------------------------

    async def _shown(
        self, live: LiveRun, tenant: str, thread_id: str, actor: Actor | None
    ) -> AsyncIterator[Numbered]:
        showing = self._showing(tenant, thread_id, _subject(actor))
        async for number, event in live.follow():
            yield Numbered(number, await showing.event(event) if showing else event)

    def _showing(self, tenant: str, thread_id: str, subject: str | None) -> Showing | None:
        acting = self._deps.acting
        if acting is None or subject is None:
            return None
        return Showing(acting, Owner(tenant, subject, thread_id))

    async def _subject_of(self, tenant: str, thread_id: str) -> str | None:
        found = await self._deps.conversations.conversation(tenant, thread_id)
        return found.subject if found is not None else None

    # --- a run ---------------------------------------------------------------------------------

    async def _begin(self, request: Ask) -> LiveRun:
        started = self._deps.timer()
        objection = await self._objection(request)
        if objection is not None:
            return await self._refused(request, objection)
        redacted, timings = await self._redact(request)
        question = Question(
            tenant=request.tenant,
            thread_id=request.thread_id,
            message_id=request.message_id,
            run_id=request.run_id,
            text=redacted,
            scope=request.scope,
            created=self._deps.clock(),
            subject=_subject(request.actor),
            role="event" if request.resume else "user",
            cause=_cause(request),
        )
        opened = await self._deps.conversations.open(question)
        start = _Start(request.run_id, started, timings, request.actor, request.resume)
        return self._start(opened, start)

    async def _objection(self, request: Ask) -> Objection | None:
        """Why this run cannot begin on its thread now."""
        acting = self._deps.acting
        if request.resume and acting is None:
            raise BadAskError("nothing can be acted on here: there are no cards to answer")
        if acting is None or request.actor is None:
            return None
        known = await self.conversation(request.tenant, request.thread_id, request.actor)
        if known is None:
            if request.resume:
                raise UnknownThreadError(request.tenant, request.thread_id)
            return None
        if any(message.message_id == request.message_id for message in known.messages):
            return None  # it was taken before: its run is joined or told again
        if request.resume:
            return await objection_to(acting, request, known)
        return PENDING if await open_pauses(acting, known) else None

    async def _refused(self, request: Ask, objection: Objection) -> LiveRun:
        """A run that ends where it begins, and of which nothing is stored."""
        first = await self._deps.conversations.reserve(request.tenant, request.thread_id)
        live = LiveRun(request.run_id, first)
        live.publish(
            RunStarted(request.thread_id, request.run_id),
            RunFailed(objection.code, objection.message),
        )
        live.end()
        return live

    async def _reopen(self, question: Message, actor: Actor | None) -> LiveRun:
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
            subject=_subject(actor),
            role="event" if question.role == "event" else "user",
            cause=question.cause,
        )
        started = self._deps.timer()
        opened = await self._deps.conversations.open(again)
        return self._start(opened, _Start(question.run_id, started, {}, actor))

    def _start(self, opened: Opened, start: _Start) -> LiveRun:
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
            answers={answer.action_id: answer for answer in start.answers},
        )
        run = self._drive(live, asked, context, start.timings)
        task = asyncio.create_task(run, name=f"run {start.run_id}")
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
        """What follows the finished message is told once that is stored, and it is stored once the
        graph has kept its checkpoint: a turn that dies between the two is simply run again."""
        live.publish(RunStarted(asked.thread_id, live.run_id))
        logged_at = self._deps.timer()
        tail: list[RunEvent] = []
        async with aclosing(passing(self._graph, context, timings, asked.cause)) as events:
            async for event in events:
                if tail or isinstance(event, MessageFinished):
                    tail.append(event)
                    continue
                live.publish(event)
                if self._deps.timer() - logged_at >= LOG_EVERY_S:
                    logged_at = self._deps.timer()
                    await self._log(live, asked)
        if not tail or not isinstance(tail[0], MessageFinished):
            raise RuntimeError("the graph ended without an answer: an edge is wrong")
        last = self._timed(tail[0], context.started)
        await self._conclude(live, asked, last, tail[1:])

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
        self, live: LiveRun, asked: Message, last: MessageFinished, after: list[RunEvent]
    ) -> None:
        """Commit the answer, then say that it is finished: in this order."""
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

    async def _end(self, live: LiveRun, asked: Message, answer: Answer) -> RunEvent:
        acting = self._deps.acting
        if not answer.paused or acting is None:
            return RunFinished(asked.thread_id, live.run_id)
        waiting = [mark.id for mark in answer.actions if mark.approver == "end_user"]
        actions = [await acting.journal.action(asked.tenant, name) for name in waiting]
        pauses = tuple(pause_of(acting, action) for action in actions)
        return RunPaused(asked.thread_id, live.run_id, pauses)

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

    async def _redact(self, request: Ask) -> tuple[Redacted, dict[str, float]]:
        """The words without personal data; of a signed-in person the values are held, and stand
        as numbered tokens."""
        if request.resume:
            return literal(""), {}
        start = self._deps.timer()
        redaction = await asyncio.to_thread(self._deps.redactor.redact, request.text)
        text, acting, actor = redaction.text, self._deps.acting, request.actor
        if acting is not None and actor is not None:
            text = await acting.held.hold(
                actor.tenant, actor.subject, request.thread_id, request.text, redaction
            )
        return text, {"redact": ms(self._deps.timer() - start)}

    def _timed(self, event: MessageFinished, started: float) -> MessageFinished:
        timings = {**event.answer.timings_ms, "total": ms(self._deps.timer() - started)}
        return replace(event, answer=replace(event.answer, timings_ms=timings))


_FAILURES = {
    "cancelled": "The server is stopping. Your question is kept and will be answered.",
    "internal": "Something went wrong on our side. Your question is kept.",
    "upstream_unavailable": "The conversation could not be stored. Please try again.",
}


def _code(error: BaseException) -> str:
    stored_nothing = isinstance(error, ConversationsUnavailableError | JournalUnavailableError)
    return "upstream_unavailable" if stored_nothing else "internal"


def _subject(actor: Actor | None) -> str | None:
    return actor.subject if actor is not None else None


def _cause(request: Ask) -> Mapping[str, object]:
    """What an event is about: actions by id, and never what was decided of them."""
    if not request.resume:
        return {}
    return {"kind": "decision", "actions": [answer.action_id for answer in request.resume]}


def _check(request: Ask) -> None:
    if request.actor is not None and request.actor.tenant != request.tenant:
        raise BadAskError("the signed-in person is of another tenant than the conversation")
    if not request.text.strip() and not request.resume:
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
