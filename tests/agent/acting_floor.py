"""A Copilot that acts on the shop of `tests.tools`: real desk, journal and executor, a scripted
planner, and values held in memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from langgraph.checkpoint.base import BaseCheckpointSaver
from pydantic import JsonValue

from agent import Ask, Conversations, Copilot, Deps, MemoryConversations, Numbered
from agent.acting import AskFor, Choice, Lookup, Plan, PlannerTurn, Ready, Slot, Wish
from agent.acting.scripted import Line, ScriptedPlanner
from agent.action_types import RunPaused
from agent.answerers.scripted import ScriptedAnswerer
from agent.deps import Acting
from agent.types import CardAnswer, Draft, MessageFinished
from guardrails import Redacted, Redaction, literal, stored
from guardrails.labels import Integrity, Labelled
from tests.agent.shelf import SCOPE, deps
from tests.tools.acting.floor import ANA, Floor
from tools.held import Held, UnknownTokenError
from tools.journal import Action, Journal, OutboxRow
from tools.types import Actor, Arguments

TENANT = "t"  # of the floor
VIEW = replace(SCOPE, tenant=TENANT)
FIFTY = Draft(literal("Admins can invite up to 50 people at once."), (1,))
QUESTION = "How many people can admins invite at once?"
_TOKEN = re.compile(r"<[A-Z_]+_\d+>")
_SECRET = {"API_KEY", "SECRET", "PASSWORD"}


class HeldInMemory:
    """The twin of held values: numbered tokens of one conversation."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[str, str]] = {}
        self._owners: dict[tuple[str, str], str] = {}

    async def hold(
        self, tenant: str, subject: str, thread_id: str, original: str, redaction: Redaction
    ) -> Redacted:
        values = self._values.setdefault((tenant, thread_id), {})
        self._owners[tenant, thread_id] = subject
        pieces, at = [], 0
        for span in redaction.spans:
            token = _token(values, span.type, original[span.start : span.end])
            pieces += [original[at : span.start], token]
            at = span.end
        return stored("".join((*pieces, original[at:])))

    async def known(self, tenant: str, thread_id: str) -> tuple[Held, ...]:
        values = self._values.get((tenant, thread_id), {})
        return tuple(Held(token, token[1:].rpartition("_")[0]) for token in values)

    async def restore(
        self, tenant: str, subject: str, thread_id: str, arguments: Arguments
    ) -> Arguments:
        values = self._values.get((tenant, thread_id), {})
        assert self._owners.get((tenant, thread_id), subject) == subject
        return {name: _restored(value, values) for name, value in arguments.items()}

    async def shown(self, tenant: str, subject: str, thread_id: str, text: str) -> str:
        values = self._values.get((tenant, thread_id), {})
        assert self._owners.get((tenant, thread_id), subject) == subject
        return _TOKEN.sub(lambda found: _open(found.group(), values), text)


def _token(values: dict[str, str], kind: str, value: str) -> str:
    for token, known in values.items():
        if known == value:
            return token
    number = sum(token.startswith(f"<{kind}_") for token in values) + 1
    values[f"<{kind}_{number}>"] = value
    return f"<{kind}_{number}>"


def _open(token: str, values: Mapping[str, str]) -> str:
    secret = token[1:].rpartition("_")[0] in _SECRET
    return token if secret else values.get(token, token)


def _restored(value: JsonValue, values: Mapping[str, str]) -> JsonValue:
    match value:
        case str():
            for token in _TOKEN.findall(value):
                if token not in values:
                    raise UnknownTokenError(token)
            return _TOKEN.sub(lambda found: values[found.group()], value)
        case list():
            return [_restored(inner, values) for inner in value]
        case dict():
            return {name: _restored(inner, values) for name, inner in value.items()}
        case _:
            return value


class NoFacts:
    async def facts(self, actor: Actor) -> Mapping[str, Labelled[JsonValue]]:
        return {}


class NoLookup:
    async def choices(self, tool: str, argument: str) -> tuple[Choice, ...]:
        return ()


def no_lookup(_actor: Actor) -> Lookup:
    return NoLookup()


# --- a planner that understands "set NAME to VALUE" ----------------------------------------------

_SET = re.compile(r"^(?:please )?set (\S+)(?: to (.+?))?[.!]?$", re.IGNORECASE)


def sets_items(turn: PlannerTurn) -> Plan | None:
    """`set NAME to VALUE`; asks for the value when it is missing."""
    found = _SET.match(turn.text)
    if found is not None:
        return _wished(found.group(1), found.group(2))
    if turn.wish is not None and turn.wish.asked == "value" and "?" not in turn.text:
        return _wished(str(turn.wish.slots["name"].value), turn.text)
    return None


def says_yes(turn: PlannerTurn) -> Plan | None:
    if turn.offered is None or turn.text.lower() != "yes":
        return None
    return AskFor(Wish(turn.offered, asked="name"), "name", "Which item?")


def _wished(name: str, value: str | None) -> Plan:
    slots = {"name": Slot(name, Integrity.USER_TYPED)}
    if value is None:
        wish = Wish("set_item", slots, asked="value")
        return AskFor(wish, "value", "Which value?", (Choice("red", "Red"), Choice("blue", "Blue")))
    return Ready(Wish("set_item", {**slots, "value": Slot(value, Integrity.USER_TYPED)}))


@dataclass
class Stage:
    """A Copilot, and everything behind it."""

    floor: Floor = field(default_factory=Floor)
    lines: Sequence[Line] = (sets_items, says_yes)
    offers: Mapping[str, str] = field(default_factory=dict)
    conversations: Conversations = field(default_factory=MemoryConversations)
    saver: BaseCheckpointSaver[str] | None = None
    patience_s: float = 5.0

    def __post_init__(self) -> None:
        self.held = HeldInMemory()
        self.planner = ScriptedPlanner(self.lines, self.offers)
        self.floor.desk = self.floor.another_desk(held=self.held)
        self.copilot = self.another()
        self._runs = count(1)

    @property
    def journal(self) -> Journal:
        return self.floor.books

    def parts(self) -> Deps:
        acting = Acting(
            desk=self.floor.desk,
            journal=self.journal,
            catalogue=self.floor.shelf,
            planner=self.planner,
            held=self.held,
            facts=NoFacts(),
            lookup=no_lookup,
            patience_s=self.patience_s,
        )
        plain = deps(ScriptedAnswerer((FIFTY,)), conversations=self.conversations)
        return replace(plain, acting=acting, clock=self.floor.clock)

    def another(self, prefix: str = "id") -> Copilot:
        """Another server on the same stores."""
        numbers = count(1)
        return Copilot(replace(self.parts(), new_id=lambda: f"{prefix}{next(numbers)}"), self.saver)

    def request(self, text: str, message_id: str = "", actor: Actor | None = ANA) -> Ask:
        number = next(self._runs)
        return Ask(
            TENANT, "t1", f"run{number}", message_id or f"m{number}", text, VIEW, actor=actor
        )

    async def says(self, text: str, message_id: str = "", actor: Actor | None = ANA) -> Told:
        return await told(self.copilot, self.request(text, message_id, actor))

    async def answers(self, *words: CardAnswer, actor: Actor | None = ANA, run: str = "") -> Told:
        number = run or f"run{next(self._runs)}"
        ask = Ask(TENANT, "t1", number, f"~resume.{number}", "", VIEW, actor=actor, resume=words)
        return await told(self.copilot, ask)

    async def approves(self, paused: Told, **more: object) -> Told:
        (pause,) = paused.pauses
        word = CardAnswer(pause, "approve")
        return await self.answers(replace(word, **more))  # type: ignore[arg-type]

    async def actions(self) -> tuple[Action, ...]:
        return await self.journal.actions(TENANT, thread_id="t1")

    async def deliver(self) -> list[OutboxRow]:
        """What a worker does with the outbox; rows that were not told yet come back."""
        later = []
        for row in await self.journal.outbox(1000):
            again_s = await self.copilot.notify(row)
            if again_s is None:
                await self.journal.sent([row])
            else:
                await self.journal.later([row], again_s)
                later.append(row)
        return later


@dataclass(frozen=True, slots=True)
class Told:
    """The events of one run."""

    events: tuple[Numbered, ...]

    @property
    def text(self) -> str:
        return self.finished.answer.text

    @property
    def finished(self) -> MessageFinished:
        (found,) = [e.event for e in self.events if isinstance(e.event, MessageFinished)]
        return found

    @property
    def kinds(self) -> list[str]:
        return [type(numbered.event).__name__ for numbered in self.events]

    @property
    def pauses(self) -> tuple[str, ...]:
        last = self.events[-1].event
        return tuple(p.action_id for p in last.pauses) if isinstance(last, RunPaused) else ()

    def of(self, kind: type) -> list[object]:
        return [numbered.event for numbered in self.events if isinstance(numbered.event, kind)]


async def told(copilot: Copilot, request: Ask) -> Told:
    return Told(tuple([numbered async for numbered in copilot.ask(request)]))
