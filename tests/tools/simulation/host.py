"""The host product in the simulator: it counts its own effects, and answers as badly as hosts do.

A request is on its way for a while, has its effect whether or not its sender still lives, and its
answer may be lost. Four tools keep what their effect class promises and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from pydantic import JsonValue
from typing_extensions import override

from tests.tools.simulation.loop import SimLoop
from tools.tool import (
    BusyError,
    DriftError,
    NotSentError,
    PartialError,
    RejectedError,
    ToolError,
    UncertainError,
)
from tools.types import (
    Argument,
    Attempt,
    Done,
    EffectClass,
    Manifest,
    Principal,
    Target,
    Tier,
    ToolCall,
)

RIGHT = "items:write"
TIMEOUT_S = 1.0
ON_ITS_WAY_S = 0.4
"""The longest that a request is on its way, and its answer: less than any quiet while."""
HOST = "host"
_OPEN: Mapping[str, JsonValue] = {"type": "object"}


class Effect(NamedTuple):
    at: float
    action: str
    tool: str
    tenant: str
    arguments: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Weather:
    """How often, of all requests, each thing goes wrong."""

    unreachable: float = 0.0
    lost_answer: float = 0.0
    hangs: float = 0.0
    server_error: float = 0.0
    busy: float = 0.0
    rejected: float = 0.0
    partial: float = 0.0


@dataclass
class Host:
    """Items have versions; records and mail are made; `faulty` ends when the weather clears."""

    loop: SimLoop
    rng: Random
    weather: Weather
    items: dict[tuple[str, str], JsonValue] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Done] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    faulty: bool = True

    def etag(self, item: tuple[str, str]) -> str | None:
        return f"v{self.versions[item]}" if item in self.versions else None

    def write(self, item: tuple[str, str], value: JsonValue) -> None:
        self.items[item] = value
        self.versions[item] = self.versions.get(item, 0) + 1

    def count(self, call: ToolCall, who: Principal, attempt: Attempt) -> None:
        self.effects.append(
            Effect(self.loop.time(), attempt.action_id, call.tool, who.tenant, call.arguments)
        )

    def did(self, action: str) -> bool:
        return any(effect.action == action for effect in self.effects)

    async def asked(self, work: Callable[[], Done], *, reads: bool = False) -> Done:
        """Send a request and wait for the answer. Raises ToolError."""
        fault = self._fault(reads)
        if fault == "unreachable":
            raise NotSentError("unreachable")
        answer: asyncio.Future[Done | ToolError] = self.loop.create_future()

        def arrives() -> None:
            result = self._handled(work, fault)
            if fault not in {"lost_answer", "hangs"}:
                self.loop.later(HOST, self._way(), lambda: self._answer(answer, result))

        self.loop.later(HOST, self._way(), arrives)
        result = await answer
        if isinstance(result, ToolError):
            raise result
        return result

    @staticmethod
    def _answer(answer: asyncio.Future[Done | ToolError], result: Done | ToolError) -> None:
        if not answer.done():
            answer.set_result(result)

    def _way(self) -> float:
        return self.rng.uniform(0.0, ON_ITS_WAY_S)

    def _fault(self, reads: bool) -> str:
        if not self.faulty:
            return ""
        roll = self.rng.random()
        for name in Weather.__dataclass_fields__:
            share = getattr(self.weather, name)
            if roll < share:
                return "" if reads and name in {"partial", "rejected"} else name
            roll -= share
        return ""

    def _handled(self, work: Callable[[], Done], fault: str) -> Done | ToolError:
        refusal = self._refused(fault)
        if refusal is not None:
            return refusal
        try:
            done = work()
        except ToolError as failure:
            return failure
        if fault == "partial":
            return PartialError("half_done", "one of two", done)
        return UncertainError("500") if fault == "server_error" else done

    def _refused(self, fault: str) -> ToolError | None:
        """Answers of a host that does nothing, or does not say that it did nothing."""
        match fault:
            case "hangs":
                return UncertainError("never seen")
            case "busy":
                return BusyError("rate_limited", "", self.rng.choice([0.5, 3.0, 8.0]))
            case "rejected":
                return RejectedError("not_allowed", "the plan has no such thing")
            case "server_error" if self.rng.random() < 0.5:
                return UncertainError("500")
            case _:
                return None


def manifest(name: str, effect: EffectClass, tier: Tier, retry_for_s: float = 0.0) -> Manifest:
    return Manifest(
        name=name,
        version="1",
        title=name,
        summary=name,
        source="python",
        target="host",
        schema=_OPEN,
        arguments={"name": Argument("Name"), "value": Argument("Value")},
        tier=tier,
        effect=effect,
        rights=frozenset({RIGHT}),
        retry_for_s=retry_for_s,
        timeout_s=TIMEOUT_S,
    )


class HostTool:
    """What the four have in common."""

    def __init__(self, host: Host, told: Manifest) -> None:
        self.host = host
        self._manifest = told

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def item(self, call: ToolCall, who: Principal) -> tuple[str, str]:
        return who.tenant, str(call.arguments["name"])

    async def look(self, call: ToolCall, who: Principal) -> Target:
        item = self.item(call, who)

        def seen() -> Done:
            value = {"value": self.host.items[item]} if item in self.host.items else {}
            return Done(value, etag=self.host.etag(item))

        done = await self.host.asked(seen, reads=True)
        return Target(done.result, done.etag, item[1])

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        return await self.host.asked(lambda: self.do(call, who, attempt))

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        found: list[Done | None] = []

        def look() -> Done:
            found.append(self.found(call, who, attempt))
            return Done({})

        await self.host.asked(look, reads=True)
        return found[0]

    def do(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        raise NotImplementedError

    def found(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        raise NotImplementedError


class KeyedTool(HostTool):
    """Sets an item; the action id is the idempotency key."""

    @override
    def do(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        known = self.host.keys.get(attempt.action_id)
        if known is not None:
            return known
        item = self.item(call, who)
        before = self.host.items.get(item)
        self.host.write(item, call.arguments.get("value"))
        self.host.count(call, who, attempt)
        undo = ToolCall(call.tool, call.version, {"name": item[1], "value": before})
        done = Done({"value": "set"}, attempt.action_id, self.host.etag(item), undo)
        self.host.keys[attempt.action_id] = done
        return done

    @override
    def found(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        return self.host.keys.get(attempt.action_id)


class NaturalTool(HostTool):
    """Sets an item where its version is the approved one; a second time changes nothing."""

    @override
    def do(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        item, value = self.item(call, who), call.arguments.get("value")
        before = self.host.items.get(item)
        if item in self.host.items and before == value:
            return self._done(call, item, None, already=True)
        if self.host.etag(item) != attempt.etag:
            raise DriftError("changed")
        self.host.write(item, value)
        self.host.count(call, who, attempt)
        return self._done(call, item, before, already=False)

    def _done(
        self, call: ToolCall, item: tuple[str, str], before: JsonValue, already: bool
    ) -> Done:
        undo = ToolCall(call.tool, call.version, {"name": item[1], "value": before})
        return Done(
            {"value": "set"}, item[1], self.host.etag(item), None if already else undo, already
        )

    @override
    def found(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        item = self.item(call, who)
        if item in self.host.items and self.host.items[item] == call.arguments.get("value"):
            return self._done(call, item, None, already=True)
        if self.host.etag(item) == attempt.etag:
            return None
        raise UncertainError("changed_since")  # ours may lie below somebody else's


class RecordTool(HostTool):
    """Makes a record each time it is asked; whether there is one can be read."""

    @override
    async def look(self, call: ToolCall, who: Principal) -> Target:
        return Target(label=str(call.arguments["name"]))

    @override
    def do(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        record = f"r{len(self.host.effects)}"
        self.host.records[record] = attempt.action_id
        self.host.count(call, who, attempt)
        return self._done(record)

    @override
    def found(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        made = [r for r, action in self.host.records.items() if action == attempt.action_id]
        return self._done(made[0]) if made else None

    def _done(self, record: str) -> Done:
        return Done({"id": record}, record, None, ToolCall("remove", "1", {"name": record}))


class RemoveTool(HostTool):
    """Takes a record away; one that is not there is away."""

    @override
    async def look(self, call: ToolCall, who: Principal) -> Target:
        return Target(label=str(call.arguments["name"]))

    @override
    def do(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        name = str(call.arguments["name"])
        if self.host.records.pop(name, None) is None:
            return Done({}, name, already=True)
        self.host.count(call, who, attempt)
        return Done({}, name)

    @override
    def found(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        gone = str(call.arguments["name"]) not in self.host.records
        return Done({}, already=True) if gone else None


class MailTool(HostTool):
    """Sends mail: no key, nothing to read back, no undo."""

    @override
    async def look(self, call: ToolCall, who: Principal) -> Target:
        return Target(label=str(call.arguments["name"]))

    @override
    def do(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        self.host.count(call, who, attempt)
        return Done({}, f"m{len(self.host.effects)}")

    @override
    def found(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        raise UncertainError("nothing_to_read")


class ReadTool(HostTool):
    """Reads an item; has no effect."""

    @override
    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        item = self.item(call, who)
        return await self.host.asked(lambda: Done({"value": self.host.items.get(item)}), reads=True)

    @override
    def found(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        return None


def host_tools(host: Host) -> tuple[HostTool, ...]:
    return (
        ReadTool(host, manifest("read", EffectClass.NATURAL, Tier.R0)),
        KeyedTool(host, manifest("set", EffectClass.KEYED, Tier.R1, 20.0)),
        NaturalTool(host, manifest("put", EffectClass.NATURAL, Tier.R2)),
        RecordTool(host, manifest("make", EffectClass.READ_BACK, Tier.R2, 20.0)),
        RemoveTool(host, manifest("remove", EffectClass.NATURAL, Tier.R2)),
        MailTool(host, manifest("mail", EffectClass.ONCE, Tier.R4)),
        KeyedTool(host, manifest("secure", EffectClass.KEYED, Tier.R3)),
    )
