"""The attacker in the model's place: as a planner, as a reader, and behind an HTTP API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from langchain_openai import ChatOpenAI
from pydantic import JsonValue, SecretStr

from agent.acting import NoAction, Plan, PlannerTurn, Ready, Slot, Wish
from agent.acting.model_planner import ModelPlanner, ModelPolicy
from agent.acting.typed import TypedPlanner
from agent.answerers.generative import GenerativeAnswerer
from agent.types import Draft, Spent, Utterance
from guardrails import Redacted
from guardrails.labels import Integrity
from retrieval.memory import HashEncoder
from retrieval.types import Passage
from tests.agent.scripted_provider import Call, Finish, Line, Say, ScriptedProvider
from tools.types import Manifest

LAMP: Mapping[str, JsonValue] = {"name": "lamp", "value": "red"}
ASKS_FOR_LAMP = "please set lamp to red"
Understanding = tuple[str, Callable[[str], Mapping[str, JsonValue]]]
"""A tool, and its arguments as they follow from the words of a turn."""
Move = Callable[[PlannerTurn], Plan]


def nothing(_turn: PlannerTurn) -> Plan:
    return NoAction()


def harmless(_turn: PlannerTurn) -> Plan:
    """What the user asked for."""
    slots = {name: Slot(value, Integrity.USER_TYPED) for name, value in LAMP.items()}
    return Ready(Wish("set_item", slots))


class Attacker:
    """A `Planner` that reads all that it can and says what its present move says. `bait` is what
    it offers to anybody."""

    def __init__(self) -> None:
        self.move: Move = nothing
        self.bait: str | None = None
        self.heard = 0  # how often it had a say since it last behaved

    @property
    def name(self) -> str:
        return "attacker"

    async def plan(self, turn: PlannerTurn) -> Plan:
        self.heard += 1
        for tool in turn.tools:
            for argument in tool.arguments:
                await turn.lookup.choices(tool.name, argument)
        return self.move(turn)

    def behaves(self, *, well: bool) -> None:
        """Does what the user asks, or nothing."""
        self.move = harmless if well else nothing
        self.heard = 0

    async def offer(self, question: Redacted, tools: tuple[Manifest, ...]) -> str | None:
        return self.bait


class AttackingReader:
    """An `Answerer` that drafts whatever its script holds, over whatever it is given."""

    def __init__(self) -> None:
        self.drafts: Sequence[Draft] = ()
        self.heard = 0

    @property
    def name(self) -> str:
        return "attacking reader"

    async def draft(
        self, question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
    ) -> AsyncIterator[Draft | Spent]:
        self.heard += 1
        for each in self.drafts:
            yield each


class AttackingModel:
    """A chat model behind the protocol of OpenAI: `call` is what it calls wherever it is given
    tools, `units` what it writes wherever it is not. With `understands` it calls what the user
    asked for, as a model does that nobody turned. `server.requests` is all that it saw."""

    def __init__(self, server: ScriptedProvider) -> None:
        self.server = server
        self._model = _chat(server.base_url)
        self.call: tuple[str, Mapping[str, JsonValue]] | None = None
        self.understands: Understanding | None = None
        self.units: Sequence[Mapping[str, Any]] = ()
        self.heard = 0
        server.reply = self._reply

    def planner(self) -> ModelPlanner:
        typed = TypedPlanner(HashEncoder(64))
        return ModelPlanner(self._model, "attacker", typed, policy=ModelPolicy(timeout_s=20.0))

    def reader(self) -> GenerativeAnswerer:
        return GenerativeAnswerer(self._model, "attacker")

    def behaves(self, *, well: bool) -> None:
        """As `Attacker.behaves`."""
        self.call = ("set_item", LAMP) if well else None
        self.units, self.heard = (), 0

    def seen(self) -> str:
        """Everything that was sent to it as a planner."""
        asked = [request for request in self.server.requests if "tools" in request]
        return json.dumps(asked, ensure_ascii=False)

    def _reply(self, request: Mapping[str, Any]) -> Sequence[Line]:
        self.heard += 1
        if "tools" not in request:
            lines = "".join(json.dumps(dict(unit)) + "\n" for unit in self.units)
            return (Say(lines or '{"kind": "none"}\n', 400), Finish())
        call = self.call
        if self.understands is not None:
            tool, arguments_of = self.understands
            call = (tool, arguments_of(request["messages"][-1]["content"]))
        if call is None:
            return (Say("none"), Finish())
        name, arguments = call
        return (Call(name, json.dumps(arguments)), Finish("tool_calls"))


def _chat(base_url: str) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=base_url, api_key=SecretStr("none"), model="attacker", max_retries=0, timeout=20
    )
