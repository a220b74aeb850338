"""The facade: a user's message in, the events of its run out, and a conversation that remembers.

redact -> store the question -> graph -> store the answer with its decision -> last events

The question is committed before the graph runs, so a run that dies is run again from it; the
answer is committed once, however often it is run. A run is a task of its own: a client that goes
away does not leave it half done. What is told without being asked, such as the end of an action,
goes the same way, with an event in the question's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.action_types import RunPaused
from agent.checkpoints import memory_saver
from agent.conversations import (
    Conversation,
    Message,
    Question,
    UnknownThreadError,
)
from agent.deps import Deps
from agent.driving import Driver, Start, timed
from agent.events import load_event
from agent.graph import build_graph
from agent.guiding import Watch
from agent.language import language_of
from agent.live import LiveRun
from agent.passing import passing
from agent.pausing import PENDING, Objection, objection_to, open_pauses, pause_of
from agent.running import RunContext, ms
from agent.showing import Owner, Showing, ShownMessage
from agent.telling import AGAIN_S, news_of
from agent.types import (
    Answer,
    Ask,
    MessageFinished,
    Numbered,
    StandingShown,
    Turn,
)
from guardrails import Redacted, literal
from retrieval.types import FOR_ALL, Scope
from tools.journal import OutboxRow
from tools.types import Actor

MOST_CHARACTERS = 32 * 1024
"""Of one message; more is refused before any work is done."""


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


class Copilot:
    """Answers, acts, and keeps the conversation. One per process; `close` ends runs under way."""

    def __init__(self, deps: Deps, saver: BaseCheckpointSaver[str] | None = None) -> None:
        """`saver` holds what a paused run needs; where something can be acted on and there is
        none, it is memory. Raises UnsafeCheckpointsError."""
        self._deps = deps
        keeper = memory_saver() if saver is None and deps.acting is not None else saver
        self._driver = Driver(deps, keeper)
        self._bare = build_graph(deps, None)
        self._listeners: set[asyncio.Queue[Pushed]] = set()

    async def ask(self, request: Ask) -> AsyncGenerator[Numbered, None]:
        """Answer a message, or take the user's word on cards, and stream the events of the run.

        A message id that is being answered joins that run; one that was answered gets the stored
        answer. Closing the iterator does not stop the run. Raises BadAskError, UnknownThreadError
        when the thread is somebody else's, ConversationsUnavailableError when the question could
        not be stored, and JournalUnavailableError when it cannot be told which cards are open.
        """
        _check(request)
        live = self._driver.live((request.tenant, request.thread_id, request.message_id))
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
            live = self._driver.live((tenant, thread_id, question.message_id))
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
                    return timed(self._deps, event, started).answer
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

    async def standing(self, actor: Actor | None, scope: Scope) -> StandingShown | None:
        """Where this person stands, for a reader who joins; None when they are not guided."""
        locale = language_of((), scope.holds.get("locale", frozenset()) - {FOR_ALL}).locale
        async with aclosing(Watch(self._deps.guide, actor, locale)) as watch:
            return await watch.last()

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

    async def notify(self, row: OutboxRow) -> float | None:
        """Tell a conversation what became of an action, or what it left open. The seconds after
        which the row is to be looked at again: the conversation is busy, or a reminder has more to
        say later; None when all is told. What was told already is not told twice.

        Raises ConversationsUnavailableError, JournalUnavailableError.
        """
        acting, tenant, thread_id = self._deps.acting, row.tenant, row.thread_id
        if acting is None or thread_id is None:
            return None
        if self._driver.busy(tenant, thread_id):
            return AGAIN_S
        found = await self._deps.conversations.conversation(tenant, thread_id)
        if found is None:
            return None
        news = await news_of(acting, row, found, self._deps.clock())
        if news.remind_s is not None:
            await acting.journal.remind(tenant, row.action_id, news.remind_s)
        if news.event is not None:
            await self._push(news.event)
        return news.again_s

    async def _push(self, event: Question) -> None:
        """A run that nobody asked for; whoever listens hears of it."""
        opened = await self._deps.conversations.open(event)
        if opened.answer is not None:
            return
        begin = Start(event.run_id, self._deps.timer(), {}, subject=event.subject)
        live = self._driver.start(opened, begin)
        pushed = Pushed(event.tenant, event.thread_id, event.subject, event.message_id, live)
        for listener in self._listeners:
            listener.put_nowait(pushed)
        await live.over()

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

    def running(self, tenant: str, threads: Collection[str]) -> int:
        """How many runs these conversations have here."""
        return len(self._driver.running(tenant, threads))

    async def stop(self, tenant: str, threads: Collection[str]) -> int:
        """End runs of conversations that are being erased, for good. How many."""
        return await self._driver.stop(tenant, threads)

    async def close(self) -> None:
        """Stop runs under way; their questions are marked and `resume` answers them."""
        await self._driver.close()

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
            return await self._driver.refuse(request, objection)
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
        start = Start(request.run_id, started, timings, request.actor, request.resume)
        return self._driver.start(opened, start)

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
        return self._driver.start(opened, Start(question.run_id, started, {}, actor))

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
