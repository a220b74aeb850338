"""The planner's vocabulary: what it may read, and the few things that it may say.

A planner proposes and never acts. It reads the user's own turn (redacted, values as tokens), the
catalogue, and labelled facts; never documents, tool results or names that others wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from agent.types import Utterance
from guardrails import Redacted
from guardrails.labels import Integrity, Labelled
from tools.held import Held
from tools.types import Manifest


@dataclass(frozen=True, slots=True)
class Slot:
    """A value for one argument. `origin` says where an inferred one was taken from, in words;
    empty when the user gave it. Inferred values are confirmed before anything is proposed."""

    value: JsonValue
    integrity: Integrity
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """An action in the making: what is known of it so far, and what was asked last."""

    tool: str
    slots: Mapping[str, Slot] = field(default_factory=dict)
    asked: str | None = None  # the argument that the last question was about
    confirming: bool = False  # the last question was whether the inferred values are right


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that an argument may be. `label` is what people call it, UNTRUSTED text.

    `tokens` name held values that the label equals, as when the user typed the address of a member,
    or names that are a part of it, as when they wrote "Tom": see `KnownLookup`.
    """

    value: JsonValue
    label: str
    tokens: tuple[str, ...] = ()


class Lookup(Protocol):
    """Present choices of an argument, read from the product with the user's own rights."""

    async def choices(self, tool: str, argument: str) -> tuple[Choice, ...]:
        """Empty when there are none or they cannot be read now."""
        ...


@dataclass(frozen=True, slots=True)
class PlannerTurn:
    """All that a planner is given. `tools` are those that this person may use.

    `offered` names the tool that the last answer offered to run, for a plain "yes".
    """

    text: Redacted
    history: tuple[Utterance, ...]
    tools: tuple[Manifest, ...]
    held: tuple[Held, ...]
    facts: Mapping[str, Labelled[JsonValue]]
    now: datetime
    lookup: Lookup
    wish: Wish | None = None
    offered: str | None = None
    locale: str = "en"
    may_ask: bool = True  # False: one shot, as in an evaluation of single turns


@dataclass(frozen=True, slots=True)
class NoAction:
    """The turn asks for nothing that a tool does."""


@dataclass(frozen=True, slots=True)
class AskFor:
    """One thing is missing or not yet confirmed: the one question to put."""

    wish: Wish
    argument: str | None  # None: confirm the inferred values
    question: str  # in the user's language
    choices: tuple[Choice, ...] = ()
    problem: str = ""  # why the last answer did not fit


@dataclass(frozen=True, slots=True)
class Ready:
    """Complete: tokens still stand for held values."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class Dropped:
    """The user called the wish off."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class CannotDo:
    """An action is asked for that no offered tool does: nothing may be claimed. `nearest` are
    titles of tools that come close."""

    nearest: tuple[str, ...] = ()


Plan = NoAction | AskFor | Ready | Dropped | CannotDo


class PlannerError(Exception):
    """The model did not answer, or not in the typed form; the typed planner goes on."""


class Planner(Protocol):
    """Turn to plan. Raises PlannerError."""

    @property
    def name(self) -> str: ...

    async def plan(self, turn: PlannerTurn) -> Plan: ...

    async def offer(self, question: Redacted, tools: tuple[Manifest, ...]) -> str | None:
        """The tool that does what a how-to question asks about; None when in doubt."""
        ...
