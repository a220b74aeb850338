"""A small host product in this process that counts its own effects, and tools that act on it.

`Shop` is the target: named items with versions, mail, and a ledger of every effect. A `ShopTool`
has one effect class and honours what that class promises, no more. Faults are asked for by name
and used up in order.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue
from typing_extensions import override

from guardrails.labels import Integrity
from tools.tool import (
    BusyError,
    DriftError,
    NotSentError,
    PartialError,
    RejectedError,
    Tool,
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
SCHEMA: Mapping[str, JsonValue] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "value": {"type": ["string", "null"], "maxLength": 2000},
        "members": {"type": "array", "items": {"type": "string", "maxLength": 200}},
        "role": {"enum": ["member", "viewer", "admin"]},
        "count": {"type": "integer"},
        "key": {"type": "string"},
        "options": {"type": "object"},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def manifest(
    name: str = "set_item",
    tier: Tier = Tier.R1,
    effect: EffectClass = EffectClass.KEYED,
    version: str = "1",
) -> Manifest:
    return Manifest(
        name=name,
        version=version,
        title="Set an item",
        summary="Gives an item a value.",
        source="python",
        target="shop",
        schema=SCHEMA,
        arguments={
            "name": Argument("Item"),
            "value": Argument("Value"),
            "members": Argument("Members"),
            "role": Argument("Role", Integrity.OPERATOR),
            "key": Argument("Key", secret=True),
        },
        tier=tier,
        effect=effect,
        rights=frozenset({RIGHT}),
        undo="The earlier value is set again.",
        bulk="members",
        admin_values={"role": ("admin",)},
        timeout_s=1.0,
    )


@dataclass
class Shop:
    """The target. `effects` counts by action id; `ledger` holds every effect in order."""

    items: dict[str, JsonValue] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    ledger: list[tuple[str, str, JsonValue]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def effects(self) -> Counter[str]:
        return Counter(action for action, _, _ in self.ledger)

    def etag(self, name: str) -> str | None:
        return f"v{self.versions[name]}" if name in self.versions else None

    def write(self, action: str, name: str, value: JsonValue) -> None:
        """One effect. By hand of somebody else when `action` is empty: not counted."""
        self.items[name] = value
        self.versions[name] = self.versions.get(name, 0) + 1
        if action:
            self.ledger.append((action, name, value))

    def did(self, action: str) -> bool:
        return any(each == action for each, _, _ in self.ledger)


FAULTS: Mapping[str, Callable[[], Exception]] = {
    "not_sent": lambda: NotSentError("unreachable"),
    "busy": lambda: BusyError("rate_limited", retry_after_s=0.01),
    "busy_long": lambda: BusyError("rate_limited", retry_after_s=60.0),
    "rejected": lambda: RejectedError("not_allowed", "no such plan"),
    "drift": lambda: DriftError("changed"),
    "partial": lambda: PartialError("half_done", "one of two", Done({"done": 1})),
    "crash": ZeroDivisionError,
}


class ShopTool:
    """One tool of the shop. Faults: those above, and `hang`: without effect; `lost`: the effect,
    then no answer."""

    def __init__(self, shop: Shop, told: Manifest, faults: Iterable[str] = ()) -> None:
        self.shop = shop
        self.faults = deque(faults)
        self.attempts: list[Attempt] = []
        self.looks = 0
        self._manifest = told

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    async def look(self, call: ToolCall, _who: Principal) -> Target:
        self.looks += 1
        name = str(call.arguments["name"])
        state = {"value": self.shop.items[name]} if name in self.shop.items else {}
        return Target(state=state, etag=self.shop.etag(name), label=name)

    async def run(self, call: ToolCall, _who: Principal, attempt: Attempt) -> Done:
        self.attempts.append(attempt)
        fault = self.faults.popleft() if self.faults else ""
        await self._before(fault)
        done = self._effect(call, attempt)
        if fault == "lost":
            raise UncertainError("connection_lost")
        return done

    async def _before(self, fault: str) -> None:
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault in FAULTS:
            raise FAULTS[fault]()

    def _effect(self, call: ToolCall, attempt: Attempt) -> Done:
        name, value = str(call.arguments["name"]), call.arguments.get("value")
        before = self.shop.items.get(name)
        effect, action = self._manifest.effect, attempt.action_id
        again = (effect is EffectClass.KEYED and action in self.shop.keys) or (
            effect is EffectClass.NATURAL and name in self.shop.items and before == value
        )
        if not again:
            self.shop.keys.add(action)
            self.shop.write(action, name, value)
        undo = replace(call, arguments={"name": name, "value": before})
        return Done({"value": value}, action, self.shop.etag(name), undo, already=again)

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        self.shop.calls["read_back"] += 1
        if self._manifest.effect is EffectClass.ONCE:
            raise UncertainError("nothing_to_read")
        name = str(call.arguments["name"])
        done = self.shop.did(attempt.action_id) or (
            self._manifest.effect is EffectClass.NATURAL
            and self.shop.items.get(name) == call.arguments.get("value")
        )
        if not done:
            return None
        return Done({"value": self.shop.items[name]}, attempt.action_id, self.shop.etag(name))


class RecordingTool(ShopTool):
    """Counts its calls and has no other effect than that."""

    @override
    def _effect(self, call: ToolCall, attempt: Attempt) -> Done:
        self.shop.ledger.append((attempt.action_id, str(call.arguments.get("name", "")), None))
        return Done({}, attempt.action_id)


class Shelf:
    """A catalogue of tools by name; a replaced version stays known by its number."""

    def __init__(self, *tools: Tool) -> None:
        self._current: dict[str, Tool] = {}
        self._all: dict[tuple[str, str], Tool] = {}
        for tool in tools:
            self.put(tool)

    def put(self, tool: Tool) -> None:
        self._current[tool.manifest.name] = tool
        self._all[tool.manifest.name, tool.manifest.version] = tool

    def tool(self, name: str, version: str | None = None) -> Tool | None:
        return self._current.get(name) if version is None else self._all.get((name, version))

    def tools(self) -> tuple[Tool, ...]:
        return tuple(self._current.values())

    def manifests(self) -> tuple[Manifest, ...]:
        return tuple(tool.manifest for tool in self._current.values())
