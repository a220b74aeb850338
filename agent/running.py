"""What every step of a run shares: its context, its message on the wire, its timings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from langgraph.runtime import Runtime

from agent.language import Language, language_of
from agent.state import ConversationState
from agent.types import (
    Answer,
    CardAnswer,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    Refusal,
    Retrieved,
    RunEvent,
    StepFinished,
    StepStarted,
    Turn,
)
from retrieval.types import FOR_ALL, Evidence
from tools.types import Actor


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run knows beside its state, and no checkpoint ever holds: the turn with the viewer's
    scope, the id of the message to come, when the run began (monotonic seconds), who is signed in,
    that person's word on cards by action id, and whether somebody can answer an offer."""

    turn: Turn
    reply_id: str
    started: float
    actor: Actor | None = None
    subject: str | None = None
    answers: Mapping[str, CardAnswer] = field(default_factory=dict)
    converses: bool = True


class Node:
    """What a node of the graph tells its reader, and how long it took."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer

    def message(self, runtime: Runtime[RunContext]) -> Message:
        return Message(runtime.context, runtime.stream_writer, self._timer)

    @contextmanager
    def step(
        self, runtime: Runtime[RunContext], state: ConversationState, step: str
    ) -> Iterator[dict[str, float]]:
        """Tells the reader that the step runs, and measures it under the step's name."""
        runtime.stream_writer(StepStarted(step))
        with self.timed(state, step) as timings:
            yield timings
        runtime.stream_writer(StepFinished(step))

    @contextmanager
    def timed(self, state: ConversationState, name: str) -> Iterator[dict[str, float]]:
        timings = dict(state["timings_ms"])
        start = self._timer()
        yield timings
        timings[name] = ms(self._timer() - start)


class Message:
    """The assistant's message on the wire: it begins with its first words."""

    def __init__(
        self, context: RunContext, emit: Callable[[RunEvent], None], timer: Callable[[], float]
    ) -> None:
        self._context = context
        self._emit = emit
        self._timer = timer
        self._first_ms: float | None = None

    def say(self, text: str) -> None:
        if self._first_ms is None:
            self._first_ms = ms(self._timer() - self._context.started)
            self._emit(MessageStarted(self._context.reply_id))
        self._emit(MessageDelta(self._context.reply_id, text))

    def whole(self, text: str, timings: Mapping[str, float]) -> dict[str, float]:
        """Say all of it at once; the timings with that of the first words."""
        self.say(text)
        return self.timed(timings)

    def timed(self, timings: Mapping[str, float]) -> dict[str, float]:
        return {**timings, **({} if self._first_ms is None else {"first": self._first_ms})}


def finish(runtime: Runtime[RunContext], answer: Answer) -> None:
    """The last word of a message: the whole answer, with its citations."""
    runtime.stream_writer(MessageFinished(runtime.context.reply_id, answer))


def ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def language_for(turn: Turn) -> Language:
    earlier = [said.text for said in reversed(turn.history) if said.role == "user"]
    return language_of(
        [turn.text, *earlier], turn.scope.holds.get("locale", frozenset()) - {FOR_ALL}
    )


def spoken_answer(
    text: str, reason: Refusal | None, evidence: Evidence | None, timings: Mapping[str, float]
) -> Answer:
    """A reply in our own words: nothing in it is claimed about the product."""
    return Answer(
        text=text,
        refused=reason is not None,
        reason=reason,
        confidence=evidence.confidence if evidence is not None else 0.0,
        citations=(),
        retrieved=looked_at(evidence),
        index_version=evidence.version if evidence is not None else None,
        answerer="none",
        timings_ms=timings,
    )


def looked_at(evidence: Evidence | None) -> tuple[Retrieved, ...]:
    found = evidence.retrieved if evidence is not None else ()
    return tuple(Retrieved(p.chunk.id, p.chunk.path, p.score) for p in found)
