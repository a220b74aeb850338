"""Conversations that persist: messages with their citations, decisions, and the log of each run.

Every key starts with the tenant. A question is written before it is answered, and is answered at
most once: `finish` is a compare-and-set on its status. Event numbers rise within a thread and are
handed out in blocks, one a run, so that a run that died cannot make a later one reuse a number
that a client has already seen.

ConversationError
├── UnknownThreadError    no such conversation for this tenant and subject
└── ConversationsUnavailableError   the store does not answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from agent.types import Answer
from guardrails import Redacted, stored
from retrieval.types import Citation, Scope

EVENT_BLOCK = 4096
"""Event numbers per run; `agent.verification.MOST_UNITS` keeps a run far below."""


class ConversationError(Exception):
    """Base of everything that goes wrong between a turn and its conversation."""


class UnknownThreadError(ConversationError):
    """The tenant has no such conversation."""

    def __init__(self, tenant: str, thread_id: str) -> None:
        super().__init__(f"tenant {tenant!r} has no conversation {thread_id!r}")
        self.tenant = tenant
        self.thread_id = thread_id


class ConversationsUnavailableError(ConversationError):
    """The database does not answer; nothing was stored."""


class Status(StrEnum):
    """Of a question: what became of it. Of an answer: `done` or `refused`."""

    OPEN = "open"  # stored, not answered yet
    DONE = "done"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"  # its run ended without an answer; `resume` runs it again


HISTORY = 12
"""Earlier messages that a question is answered with."""
UNANSWERED = frozenset({Status.OPEN, Status.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Question:
    """A user's message as it is first stored. `message_id` is unique in its thread.

    `subject` is who asks, None for nobody in particular; a thread belongs to who began it. An
    `event` is no message but something that the conversation answers all the same: a decision on a
    card, the end of an action; `cause` says which.
    """

    tenant: str
    thread_id: str
    message_id: str
    run_id: str
    text: Redacted
    scope: Scope
    created: datetime
    subject: str | None = None
    role: Literal["user", "event"] = "user"
    cause: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message. `seq` rises within the thread, from 1."""

    tenant: str
    thread_id: str
    message_id: str
    seq: int
    role: str  # user | assistant | event
    text: Redacted
    status: Status
    run_id: str
    created: datetime
    reply_to: str | None = None  # of an answer: the question's message id
    citations: tuple[Citation, ...] = ()
    decision: Mapping[str, object] = field(default_factory=dict)  # of an answer
    scope: Scope | None = None  # of a question
    cause: Mapping[str, object] = field(default_factory=dict)  # of an event


@dataclass(frozen=True, slots=True)
class Conversation:
    """All messages of a thread, in order; `subject` is whose it is."""

    tenant: str
    thread_id: str
    created: datetime
    messages: tuple[Message, ...]
    subject: str | None = None

    def answer_to(self, message_id: str) -> Message | None:
        return next((m for m in self.messages if m.reply_to == message_id), None)

    def unanswered(self) -> Message | None:
        """The newest question or event, when nothing has answered it."""
        questions = [m for m in self.messages if m.role != "assistant"]
        newest = questions[-1] if questions else None
        return newest if newest is not None and newest.status in UNANSWERED else None


@dataclass(frozen=True, slots=True)
class Opened:
    """A stored question, what stands before it, and the event numbers that its run may use.

    `history` holds at most `HISTORY` messages, in order.
    `answer` is set when the question had been answered before: nothing is to be run then.
    `first_event` is the first of `EVENT_BLOCK` numbers that no other run gets.
    """

    question: Message
    history: tuple[Message, ...]
    answer: Message | None
    first_event: int


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of a run as stored: `payload` is JSON, see `agent.events`."""

    id: int
    run_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to be stored, with the last events of its run."""

    message_id: str
    run_id: str
    answer: Answer
    decision: Mapping[str, object]
    created: datetime
    events: Sequence[LoggedEvent] = ()


class Conversations(Protocol):
    """Durable once a call returns. Raises ConversationsUnavailableError when it cannot store."""

    async def open(self, question: Question) -> Opened:
        """Store a question, making its conversation when it is the first, and reserve events.

        A message id that the thread already has is not stored again: its first text, scope and
        answer come back, with a fresh block of event numbers. Raises UnknownThreadError when the
        thread is another subject's.
        """
        ...

    async def reserve(self, tenant: str, thread_id: str) -> int:
        """The first of a fresh block of event numbers, for a run that stores nothing.

        Raises UnknownThreadError.
        """
        ...

    async def finish(self, question: Message, reply: Reply) -> Message:
        """Store the answer and mark the question, in one transaction.

        Returns the stored answer: an earlier one when another run was first, in which case
        nothing is written, events included. Raises UnknownThreadError.
        """
        ...

    async def interrupt(self, question: Message, events: Sequence[LoggedEvent]) -> None:
        """Mark a question whose run ended without an answer; no effect once it has one."""
        ...

    async def append(self, tenant: str, thread_id: str, events: Sequence[LoggedEvent]) -> None:
        """Add events of a run under way; numbers that are stored already are ignored."""
        ...

    async def events(self, tenant: str, thread_id: str, after: int = 0) -> tuple[LoggedEvent, ...]:
        """Stored events with larger numbers, in order; none for an unknown thread."""
        ...

    async def conversation(self, tenant: str, thread_id: str) -> Conversation | None:
        """The whole conversation; None when the tenant has none of that id."""
        ...

    async def close(self) -> None: ...


class MemoryConversations:
    """Conversations in process memory: nothing outlives it."""

    def __init__(self) -> None:
        self._threads: dict[tuple[str, str], _Thread] = {}

    async def open(self, question: Question) -> Opened:
        key = (question.tenant, question.thread_id)
        thread = self._threads.setdefault(key, _Thread(question.created, question.subject))
        if thread.subject != question.subject:
            raise UnknownThreadError(*key)
        asked = thread.find(question.message_id)
        if asked is None:
            asked = question_message(question, len(thread.messages) + 1)
            thread.messages.append(asked)
        first = thread.reserve()
        return Opened(
            question=asked,
            history=tuple(m for m in thread.messages if m.seq < asked.seq)[-HISTORY:],
            answer=thread.answer_to(asked.message_id),
            first_event=first,
        )

    async def reserve(self, tenant: str, thread_id: str) -> int:
        thread = self._threads.get((tenant, thread_id))
        if thread is None:
            raise UnknownThreadError(tenant, thread_id)
        return thread.reserve()

    async def finish(self, question: Message, reply: Reply) -> Message:
        thread = self._thread(question)
        earlier = thread.answer_to(question.message_id)
        if earlier is not None:
            return earlier
        answer = answer_message(question, reply, len(thread.messages) + 1)
        thread.mark(question.message_id, answer.status)
        thread.messages.append(answer)
        thread.log(reply.events)
        return answer

    async def interrupt(self, question: Message, events: Sequence[LoggedEvent]) -> None:
        thread = self._thread(question)
        if thread.answer_to(question.message_id) is None:
            thread.mark(question.message_id, Status.INTERRUPTED)
            thread.log(events)

    async def append(self, tenant: str, thread_id: str, events: Sequence[LoggedEvent]) -> None:
        thread = self._threads.get((tenant, thread_id))
        if thread is None:
            raise UnknownThreadError(tenant, thread_id)
        thread.log(events)

    async def events(self, tenant: str, thread_id: str, after: int = 0) -> tuple[LoggedEvent, ...]:
        thread = self._threads.get((tenant, thread_id))
        if thread is None:
            return ()
        return tuple(thread.events[i] for i in sorted(thread.events) if i > after)

    async def conversation(self, tenant: str, thread_id: str) -> Conversation | None:
        thread = self._threads.get((tenant, thread_id))
        if thread is None:
            return None
        said = tuple(thread.messages)
        return Conversation(tenant, thread_id, thread.created, said, thread.subject)

    async def close(self) -> None:
        return None

    def _thread(self, question: Message) -> _Thread:
        thread = self._threads.get((question.tenant, question.thread_id))
        if thread is None:
            raise UnknownThreadError(question.tenant, question.thread_id)
        return thread


@dataclass(slots=True)
class _Thread:
    created: datetime
    subject: str | None = None
    messages: list[Message] = field(default_factory=list)
    events: dict[int, LoggedEvent] = field(default_factory=dict)
    next_event: int = 1

    def reserve(self) -> int:
        first, self.next_event = self.next_event, self.next_event + EVENT_BLOCK
        return first

    def find(self, message_id: str) -> Message | None:
        return next((m for m in self.messages if m.message_id == message_id), None)

    def answer_to(self, message_id: str) -> Message | None:
        return next((m for m in self.messages if m.reply_to == message_id), None)

    def mark(self, message_id: str, status: Status) -> None:
        self.messages = [
            replace(m, status=status) if m.message_id == message_id else m for m in self.messages
        ]

    def log(self, events: Sequence[LoggedEvent]) -> None:
        for event in events:
            self.events.setdefault(event.id, event)


def question_message(question: Question, seq: int) -> Message:
    """The question as an open message of its thread."""
    return Message(
        tenant=question.tenant,
        thread_id=question.thread_id,
        message_id=question.message_id,
        seq=seq,
        role=question.role,
        text=question.text,
        status=Status.OPEN,
        run_id=question.run_id,
        created=question.created,
        scope=question.scope,
        cause=question.cause,
    )


def answer_message(question: Message, reply: Reply, seq: int) -> Message:
    """The answer as a message of the question's thread."""
    return Message(
        tenant=question.tenant,
        thread_id=question.thread_id,
        message_id=reply.message_id,
        seq=seq,
        role="assistant",
        text=stored(reply.answer.text),
        status=Status.REFUSED if reply.answer.refused else Status.DONE,
        run_id=reply.run_id,
        created=reply.created,
        reply_to=question.message_id,
        citations=reply.answer.citations,
        decision=reply.decision,
    )
