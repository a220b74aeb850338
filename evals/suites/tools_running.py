"""Cases of the tool-routing suite, put to a planner as the product puts turns to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from agent.acting import (
    AskFor,
    CannotDo,
    Choice,
    Dropped,
    NoAction,
    Plan,
    Planner,
    PlannerTurn,
    Ready,
    Wish,
)
from agent.acting.lookup import KnownLookup
from agent.types import Utterance
from evals.suites.tools import Case, World
from guardrails import Redactor
from guardrails.labels import Integrity, Labelled
from tools.held import HeldValues
from tools.types import Manifest

TENANT, SUBJECT = "evaluation", "person"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case. `asked` names the argument of the last question; None when the plan is
    complete, which a plan is that only waits for a yes."""

    case: Case
    tool: str | None
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    asked: str | None = None
    cannot: bool = False

    @property
    def acts(self) -> bool:
        return self.tool is not None


@dataclass(frozen=True, slots=True)
class Bench:
    """What every case runs against."""

    planner: Planner
    held: HeldValues
    redactor: Redactor


@dataclass(frozen=True, slots=True)
class WorldLookup:
    tools: Mapping[str, Manifest]
    world: World

    async def choices(self, tool: str, argument: str) -> tuple[Choice, ...]:
        source = self.tools[tool].arguments[argument].choices
        pairs = self.world.choices.get(source.tool, ()) if source else ()
        return tuple(Choice(value, label) for value, label in pairs)


def offered(tools: Sequence[Manifest], world: World) -> tuple[Manifest, ...]:
    """The tools that the person of this world may use."""
    rights = world.rights
    return tuple(t for t in tools if not t.hidden and (rights is None or t.rights <= rights))


async def run_case(
    case: Case, tools: Sequence[Manifest], bench: Bench, thread: str = ""
) -> Outcome:
    """Every turn of the case in a conversation of its own."""
    thread_id = f"{thread}{case.id}"
    mine = offered(tools, case.world)
    by_name = {tool.name: tool for tool in mine}
    lookup = KnownLookup(WorldLookup(by_name, case.world), bench.held, TENANT, SUBJECT, thread_id)
    turn: PlannerTurn | None = None
    plan: Plan = NoAction()
    for said in case.turns:
        text = await bench.held.hold(TENANT, SUBJECT, thread_id, said, bench.redactor.redact(said))
        ahead = PlannerTurn(
            text=text,
            history=_history(turn),
            tools=mine,
            held=await bench.held.known(TENANT, thread_id),
            facts=_facts(case.world),
            now=case.world.now,
            lookup=replace(lookup),
            wish=_open_wish(plan, turn),
        )
        turn, plan = ahead, await bench.planner.plan(ahead)
    return await _outcome(case, plan, bench, thread_id)


def _history(turn: PlannerTurn | None) -> tuple[Utterance, ...]:
    if turn is None:
        return ()
    said = (Utterance("user", turn.text),)
    return (*turn.history, *said)


def _open_wish(plan: Plan, turn: PlannerTurn | None) -> Wish | None:
    """An aside leaves the wish that was open before it."""
    match plan:
        case AskFor(wish):
            return wish
        case NoAction():
            return turn.wish if turn else None
        case _:
            return None


def _facts(world: World) -> dict[str, Labelled[JsonValue]]:
    return {
        name: Labelled(value, Integrity.USER_TYPED, "your profile")
        for name, value in world.facts.items()
    }


async def _outcome(case: Case, plan: Plan, bench: Bench, thread_id: str) -> Outcome:
    match plan:
        case Ready(wish) | AskFor(wish, None):
            return Outcome(case, wish.tool, await _restored(wish, bench, thread_id))
        case AskFor(wish, argument):
            return Outcome(case, wish.tool, await _restored(wish, bench, thread_id), argument)
        case CannotDo():
            return Outcome(case, None, cannot=True)
        case NoAction() | Dropped():
            return Outcome(case, None)


async def _restored(wish: Wish, bench: Bench, thread_id: str) -> Mapping[str, JsonValue]:
    values = {name: slot.value for name, slot in wish.slots.items()}
    return await bench.held.restore(TENANT, SUBJECT, thread_id, values)


def same_arguments(one: Mapping[str, JsonValue], other: Mapping[str, JsonValue]) -> bool:
    """Exact: the same names with the same values; moments are equal as instants, addresses of mail
    whatever their case, and lists as they stand."""
    return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)


def _same(one: JsonValue, other: JsonValue) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, str) and isinstance(other, str) and one != other:
        return ("@" in one and one.lower() == other.lower()) or _instant(one) == _instant(other)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _instant(text: str) -> datetime | str:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return when if when.tzinfo else text
