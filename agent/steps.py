"""The steps of a turn. Each is one node of the graph: thin, and one call into the part it names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from langgraph.runtime import Runtime

from agent.answering import Brief, Written, write_answer
from agent.deps import Deps
from agent.followup import stand_alone
from agent.language import Language, language_of
from agent.refusals import refusal_text, topic_of
from agent.router import rule
from agent.state import ConversationState
from agent.types import (
    Answer,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    Refusal,
    Retrieved,
    RouteKind,
    RunEvent,
    StepFinished,
    StepStarted,
    Turn,
)
from guardrails import Redacted, stored
from retrieval.index import IndexUnavailableError, NoIndexError
from retrieval.types import FOR_ALL, Evidence

_UNABLE = frozenset({RouteKind.ACTION, RouteKind.PROGRESS, RouteKind.HANDOVER})


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run knows beside its state, and no checkpoint ever holds: the turn with the viewer's
    scope, the id of the message to come, and when the run began (monotonic seconds)."""

    turn: Turn
    reply_id: str
    started: float


class Steps:
    """The nodes over one set of parts. State goes in and out as plain JSON values; evidence and
    answer travel beside it and are never stored."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def route(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Which kind of turn, and the question as it stands alone."""
        turn = runtime.context.turn
        words = _language(turn)
        with self._timed(state, "route") as timings:
            ruling = rule(turn.text, words)
            question = turn.text
            if ruling.kind is RouteKind.QUESTION:
                question = stand_alone(turn.text, _asked(turn, words), words.followup)
        return {
            "kind": ruling.kind.value,
            "reply": ruling.reply,
            "question": question,
            "timings_ms": timings,
        }

    async def reply(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """A turn that is no question gets a fixed, honest answer."""
        kind = RouteKind(state["kind"])
        text = _language(runtime.context.turn).say(state["reply"] or "about_me")
        timings = self._message(runtime).whole(text, state["timings_ms"])
        reason = Refusal.OUT_OF_SCOPE if kind in _UNABLE else None
        return {"answer": _spoken(text, reason, None, timings)}

    async def retrieve(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Question to evidence, in a worker thread."""
        scope, question = runtime.context.turn.scope, stored(state["question"])
        evidence: Evidence | None = None
        refusal: str | None = None
        with self._step(runtime, state, "retrieve") as timings:
            try:
                evidence = await asyncio.to_thread(self._deps.retriever.retrieve, question, scope)
            except (NoIndexError, IndexUnavailableError):
                refusal = Refusal.UPSTREAM.value
        return {"evidence": evidence, "refusal": refusal, "timings_ms": timings}

    async def assess(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Whether what was found is enough to answer at all."""
        evidence = state.get("evidence")
        refusal: str | None = None
        with self._step(runtime, state, "ground") as timings:
            if evidence is None or not evidence.passages:
                refusal = Refusal.NO_EVIDENCE.value
            elif evidence.confidence < self._deps.threshold:
                refusal = Refusal.LOW_CONFIDENCE.value
        return {"refusal": refusal, "timings_ms": timings}

    async def answer(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Draft, verify and stream, unit by unit."""
        turn, evidence = runtime.context.turn, _found(state)
        words = _language(turn)
        brief = Brief(stored(state["question"]), evidence, turn.history, words.say("cut_short"))
        message = self._message(runtime)
        with self._step(runtime, state, "answer") as timings:
            written = await write_answer(self._deps, brief, message.say)
        if written.refusal is not None:
            return {
                "refusal": written.refusal.value,
                "written": written,
                "timings_ms": timings,
            }
        return {"answer": _written(written, evidence, message.timed(timings))}

    async def refuse(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Say what was looked for and offer a person."""
        turn, evidence = runtime.context.turn, state.get("evidence")
        reason = Refusal(state["refusal"] or Refusal.NO_EVIDENCE)
        topic = topic_of(stored(state["question"]))
        text = refusal_text(reason, topic, evidence, _language(turn))
        timings = self._message(runtime).whole(text, state["timings_ms"])
        answer = replace(_spoken(text, reason, evidence, timings), looked_for=topic)
        return {"answer": _with_draft(answer, state.get("written"))}

    async def finish(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """The last word of a run: the whole answer, with its citations."""
        answer = state.get("answer")
        if answer is None:
            raise RuntimeError("a turn reached its end without an answer: an edge is wrong")
        runtime.stream_writer(MessageFinished(runtime.context.reply_id, answer))
        return {"timings_ms": dict(answer.timings_ms)}

    def _message(self, runtime: Runtime[RunContext]) -> _Message:
        return _Message(runtime.context, runtime.stream_writer, self._deps.timer)

    @contextmanager
    def _step(
        self, runtime: Runtime[RunContext], state: ConversationState, step: str
    ) -> Iterator[dict[str, float]]:
        """Tells the reader that the step runs, and measures it under the step's name."""
        runtime.stream_writer(StepStarted(step))
        with self._timed(state, step) as timings:
            yield timings
        runtime.stream_writer(StepFinished(step))

    @contextmanager
    def _timed(self, state: ConversationState, name: str) -> Iterator[dict[str, float]]:
        timings = dict(state["timings_ms"])
        start = self._deps.timer()
        yield timings
        timings[name] = _ms(self._deps.timer() - start)


class _Message:
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
            self._first_ms = _ms(self._timer() - self._context.started)
            self._emit(MessageStarted(self._context.reply_id))
        self._emit(MessageDelta(self._context.reply_id, text))

    def whole(self, text: str, timings: Mapping[str, float]) -> dict[str, float]:
        """Say all of it at once; the timings with that of the first words."""
        self.say(text)
        return self.timed(timings)

    def timed(self, timings: Mapping[str, float]) -> dict[str, float]:
        return {**timings, **({} if self._first_ms is None else {"first": self._first_ms})}


def _found(state: ConversationState) -> Evidence:
    evidence = state.get("evidence")
    if evidence is None:
        raise RuntimeError("there is nothing to answer from: an edge is wrong")
    return evidence


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _language(turn: Turn) -> Language:
    earlier = [said.text for said in reversed(turn.history) if said.role == "user"]
    return language_of(
        [turn.text, *earlier], turn.scope.holds.get("locale", frozenset()) - {FOR_ALL}
    )


def _asked(turn: Turn, words: Language) -> list[Redacted]:
    """The user's earlier questions; thanks and greetings are no topic."""
    said = [utterance.text for utterance in turn.history if utterance.role == "user"]
    return [text for text in said if rule(text, words).kind is RouteKind.QUESTION]


def _written(written: Written, evidence: Evidence, timings: Mapping[str, float]) -> Answer:
    return Answer(
        text=written.text,
        refused=False,
        reason=None,
        confidence=evidence.confidence,
        citations=written.citations,
        retrieved=_looked_at(evidence),
        index_version=evidence.version,
        answerer=written.answerer,
        timings_ms=timings,
        usage=written.usage,
        dropped=written.dropped,
    )


def _spoken(
    text: str, reason: Refusal | None, evidence: Evidence | None, timings: Mapping[str, float]
) -> Answer:
    """A reply in our own words: nothing in it is claimed about the product."""
    return Answer(
        text=text,
        refused=reason is not None,
        reason=reason,
        confidence=evidence.confidence if evidence is not None else 0.0,
        citations=(),
        retrieved=_looked_at(evidence),
        index_version=evidence.version if evidence is not None else None,
        answerer="none",
        timings_ms=timings,
    )


def _with_draft(refusal: Answer, written: Written | None) -> Answer:
    """A refusal that remembers what was drafted in vain."""
    if written is None:
        return refusal
    return replace(refusal, answerer=written.answerer, usage=written.usage, dropped=written.dropped)


def _looked_at(evidence: Evidence | None) -> tuple[Retrieved, ...]:
    found = evidence.retrieved if evidence is not None else ()
    return tuple(Retrieved(p.chunk.id, p.chunk.path, p.score) for p in found)
