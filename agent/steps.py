"""The steps of a turn. Each is one node of the graph: thin, and one call into the part it names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from langgraph.runtime import Runtime

from agent.answering import Brief, Written, write_answer
from agent.deps import Deps
from agent.followup import stand_alone
from agent.introduction import without_introduction
from agent.language import Language
from agent.memory import recalled
from agent.refusals import refusal_text, topic_of
from agent.router import rule
from agent.running import Node, RunContext, finish, language_for, looked_at, spoken_answer
from agent.seeing import still_seen
from agent.situating import may_be_trouble, with_trouble
from agent.state import ConversationState
from agent.steering import steer
from agent.types import Answer, Refusal, RouteKind, Turn
from guardrails import Redacted, stored
from retrieval.index import IndexUnavailableError, NoIndexError
from retrieval.types import Evidence

_UNABLE = frozenset({RouteKind.ACTION, RouteKind.PROGRESS, RouteKind.HANDOVER})


class Steps:
    """The nodes over one set of parts. State goes in and out as plain JSON values; evidence and
    answer travel beside it and are never stored."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._node = Node(deps.timer)

    async def route(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Which kind of turn, where it goes, and the question as it stands alone."""
        turn = runtime.context.turn
        words = language_for(turn)
        with self._node.timed(state, "route") as timings:
            ruling = rule(turn.text, words)
            question = turn.text
            if ruling.kind is RouteKind.QUESTION:
                asked = without_introduction(turn.text, words)
                question = stand_alone(asked, _asked(turn, words), words.followup)
                question = await self._situated(question, runtime.context, words)
            way = steer(self._deps, state, runtime.context, ruling)
        return {
            "kind": ruling.kind.value,
            "reply": way.reply,
            "path": way.path,
            "question": question,
            "timings_ms": timings,
            **recalled(state),
        }

    async def _situated(self, question: Redacted, context: RunContext, words: Language) -> Redacted:
        guide, actor = self._deps.guide, context.actor
        if guide is None or actor is None or not may_be_trouble(question, words):
            return question
        return with_trouble(question, await guide.situation(actor), self._deps.clock())

    async def reply(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """A turn that is no question gets a fixed, honest answer."""
        kind = RouteKind(state["kind"])
        text = language_for(runtime.context.turn).say(state["reply"] or "about_me")
        timings = self._node.message(runtime).whole(text, state["timings_ms"])
        reason = Refusal.OUT_OF_SCOPE if kind in _UNABLE else None
        answer = spoken_answer(text, reason, None, timings)
        return {"answer": replace(answer, escalated=kind is RouteKind.HANDOVER)}

    async def retrieve(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Question to evidence, in a worker thread."""
        scope, question = runtime.context.turn.scope, stored(state["question"])
        evidence: Evidence | None = None
        refusal: str | None = None
        with self._node.step(runtime, state, "retrieve") as timings:
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
        with self._node.step(runtime, state, "ground") as timings:
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
        words = language_for(turn)
        closing = words.say("cut_short")
        brief = Brief(stored(state["question"]), evidence, turn.history, closing, turn.scope)
        message = self._node.message(runtime)
        with self._node.step(runtime, state, "answer") as timings:
            written = await write_answer(self._deps, brief, message.say)
            left = await self._left(evidence, turn)
        if written.refusal is not None:
            return {
                "refusal": written.refusal.value,
                "written": written,
                "timings_ms": timings,
            }
        return {"answer": _written(written, left or evidence, message.timed(timings))}

    async def refuse(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """Say what was looked for and offer a person."""
        turn = runtime.context.turn
        evidence = await self._left(state.get("evidence"), turn)
        reason = Refusal(state["refusal"] or Refusal.NO_EVIDENCE)
        topic = topic_of(stored(state["question"]))
        text = refusal_text(reason, topic, evidence, language_for(turn))
        timings = self._node.message(runtime).whole(text, state["timings_ms"])
        answer = replace(spoken_answer(text, reason, evidence, timings), looked_for=topic)
        return {"answer": _with_draft(answer, state.get("written"))}

    async def _left(self, evidence: Evidence | None, turn: Turn) -> Evidence | None:
        """What of it may still be named."""
        return await asyncio.to_thread(still_seen, evidence, turn.scope, self._deps.sees)

    async def finish(
        self, state: ConversationState, runtime: Runtime[RunContext]
    ) -> ConversationState:
        """The last word of a run: the whole answer, with its citations."""
        answer = state.get("answer")
        if answer is None:
            raise RuntimeError("a turn reached its end without an answer: an edge is wrong")
        finish(runtime, answer)
        return {"timings_ms": dict(answer.timings_ms)}


def _found(state: ConversationState) -> Evidence:
    evidence = state.get("evidence")
    if evidence is None:
        raise RuntimeError("there is nothing to answer from: an edge is wrong")
    return evidence


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
        retrieved=looked_at(evidence),
        index_version=evidence.version,
        answerer=written.answerer,
        timings_ms=timings,
        usage=written.usage,
        dropped=written.dropped,
    )


def _with_draft(refusal: Answer, written: Written | None) -> Answer:
    """A refusal that remembers what was drafted in vain."""
    if written is None:
        return refusal
    return replace(refusal, answerer=written.answerer, usage=written.usage, dropped=written.dropped)
