"""What the acting nodes share: their parts, one message in our own words, and the way onward."""

from __future__ import annotations

from collections.abc import Mapping

from langgraph.runtime import Runtime

from agent.deps import Acting, Deps
from agent.language import Language
from agent.running import Node, RunContext, spoken_answer
from agent.state import ConversationState, Memory
from agent.types import Answer
from tools.journal import Action, State
from tools.types import Actor


class ActingNode:
    """Reached only with acting parts; `person` only with somebody signed in."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._node = Node(deps.timer)

    @property
    def _acting(self) -> Acting:
        if self._deps.acting is None:
            raise RuntimeError("nothing can be acted on here: an edge is wrong")
        return self._deps.acting

    def _speak(self, state: ConversationState, runtime: Runtime[RunContext], text: str) -> Answer:
        """One message in our own words."""
        timings = self._node.message(runtime).whole(text, state["timings_ms"])
        return spoken_answer(text, None, None, timings)

    def _masked(self, words: Language, reply: str, values: Mapping[str, str]) -> str:
        """Messages about values may repeat them: they pass the redactor before they are stored."""
        return self._deps.redactor.redact(words.say(reply, **values)).text


def person(context: RunContext) -> Actor:
    if context.actor is None:
        raise RuntimeError("nobody is signed in: an edge is wrong")
    return context.actor


def said(answer: Answer, memory: Memory) -> ConversationState:
    """A turn that ends with this message."""
    return {
        "path": "finish",
        "answer": answer,
        "memory": memory,
        "timings_ms": dict(answer.timings_ms),
    }


def onward(actions: list[Action]) -> ConversationState:
    """Where actions go from how they stand: a card, doing them, or a report."""
    states = {action.state for action in actions}
    path = "report"
    if State.PENDING in states:
        path = "present"
    elif states & {State.APPROVED, State.STARTED}:
        path = "execute"
    return {
        "path": path,
        "actions": actions,
        "action_ids": [action.id for action in actions],
        "say": None,
        "say_values": {},
    }
