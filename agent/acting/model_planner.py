"""The planner over any LangChain chat model, by tool calling.

The model sees the user's own turns with tokens for values, and the tools; never documents, results,
choices or facts. It proposes a call, of which only what the user's words bear out is kept. Answers
to our own questions are understood without it, and so is everything when it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from pydantic import JsonValue
from typing_extensions import override

from agent.acting.asking import onward
from agent.acting.model_tools import NONE_DOES, Reading, read, told
from agent.acting.phrasing import phrasing
from agent.acting.typed import TypedPlanner
from agent.acting.types import (
    AskFor,
    CannotDo,
    NoAction,
    Plan,
    Planner,
    PlannerError,
    PlannerTurn,
    Ready,
    Slot,
    Wish,
)
from agent.answerers.generative import PROVIDER_ERRORS
from agent.prompts import prompt, prompt_version
from guardrails import Redacted
from tools.types import Manifest

PROMPT = "plan"
EARLIER = 3
"""Turns of the user's that the model sees beside the present one."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """`timeout_s` until the typed planner goes on. `offered` tools are told at most, the likeliest:
    more cost tokens, and models choose worse among many."""

    timeout_s: float = 8.0
    offered: int = 24


class ModelPlanner(Planner):
    """`typed` answers where the model is not needed or does not answer."""

    def __init__(
        self,
        model: BaseChatModel,
        name: str,
        typed: TypedPlanner,
        *,
        policy: ModelPolicy | None = None,
        errors: tuple[type[Exception], ...] = PROVIDER_ERRORS,
    ) -> None:
        """`name` goes into the decision record."""
        self._model = model
        self._name = name
        self._typed = typed
        self._policy = policy or ModelPolicy()
        self._errors = errors

    @property
    @override
    def name(self) -> str:
        return self._name

    @property
    def prompt_version(self) -> str:
        return prompt_version(PROMPT)

    @override
    async def plan(self, turn: PlannerTurn) -> Plan:
        if turn.wish is not None or turn.offered is not None:
            return await self._in_dialog(turn)
        try:
            return await self._asked(turn)
        except PlannerError as error:
            _log.warning("planner.typed_instead", planner=self._name, reason=str(error))
            return await self._typed.plan(turn)

    @override
    async def offer(self, question: Redacted, tools: tuple[Manifest, ...]) -> str | None:
        """Not worth a call of the model: the typed planner's."""
        return await self._typed.offer(question, tools)

    async def _in_dialog(self, turn: PlannerTurn) -> Plan:
        """Typed first; the model hears what did not fit, as an order of its own or a correction."""
        plan = await self._typed.plan(turn)
        if not isinstance(plan, AskFor) or not plan.problem or turn.wish is None:
            return plan
        try:
            again = await self._asked(turn)
        except PlannerError as error:
            _log.warning("planner.typed_instead", planner=self._name, reason=str(error))
            return plan
        return again if isinstance(again, AskFor | Ready) else plan

    async def _asked(self, turn: PlannerTurn) -> Plan:
        """Raises PlannerError."""
        tools = await self._typed.likeliest(turn, self._policy.offered)
        call = await self._call(turn, tools)
        if call is None:
            return NoAction()
        if call.tool == NONE_DOES:
            return CannotDo(tuple(tool.title for tool in tools[:2]))
        chosen = next((tool for tool in tools if tool.name == call.tool), None)
        if chosen is None:
            raise PlannerError(f"the model {self._name!r} called a tool that is not offered")
        return await self._planned(turn, chosen, call.arguments)

    async def _planned(
        self, turn: PlannerTurn, tool: Manifest, arguments: Mapping[str, JsonValue]
    ) -> Plan:
        words = phrasing(turn.locale)
        own = await self._typed.understood(turn, tool)
        spoken = " ".join([*_own_words(turn), turn.text]).lower()
        at = Reading(own.said, spoken, words, own.choices)
        slots: dict[str, Slot] = {**read(tool, arguments, at)}
        slots |= {name: slot for name, slot in own.slots.items() if _surer(slot, slots.get(name))}
        wish = turn.wish
        if wish is not None and wish.tool == tool.name:
            slots = {**wish.slots, **slots}
            return await onward(replace(wish, slots=slots, confirming=False), tool, turn, words)
        return await onward(Wish(tool.name, slots), tool, turn, words)

    async def _call(self, turn: PlannerTurn, tools: Sequence[Manifest]) -> _Call | None:
        """The first call of the reply; None when the model calls nothing."""
        bound = self._model.bind_tools(told(tools))
        whole: AIMessageChunk | None = None
        try:
            async with asyncio.timeout(self._policy.timeout_s):
                async for chunk in bound.astream(self._messages(turn)):
                    piece = chunk if isinstance(chunk, AIMessageChunk) else None
                    whole = piece if whole is None or piece is None else whole + piece
        except self._errors as error:
            raise PlannerError(
                f"the model {self._name!r} failed: {type(error).__name__}"
            ) from error
        if whole is None:
            raise PlannerError(f"the model {self._name!r} said nothing")
        if whole.invalid_tool_calls:
            raise PlannerError(f"the model {self._name!r} wrote a call that is no JSON")
        calls = whole.tool_calls
        return _Call(calls[0]["name"], calls[0]["args"]) if calls else None

    def _messages(self, turn: PlannerTurn) -> list[BaseMessage]:
        now = turn.now.isoformat(timespec="minutes")
        earlier = [HumanMessage(text) for text in _own_words(turn)[-EARLIER:]]
        system = SystemMessage(prompt(PROMPT).format(now=now))
        return [system, *earlier, HumanMessage(turn.text)]


@dataclass(frozen=True, slots=True)
class _Call:
    tool: str
    arguments: Mapping[str, JsonValue]


def _own_words(turn: PlannerTurn) -> list[str]:
    """Replies quote documents: they are not for a planner."""
    return [u.text for u in turn.history if u.role == "user"]


def _surer(typed: Slot, other: Slot | None) -> bool:
    """A value that an extractor read goes before one that the model only made out."""
    return other is None or (bool(other.origin) and not typed.origin)
