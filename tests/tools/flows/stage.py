"""Flows over the shop and a journal in memory, with a clock that only moves when it is told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue
from typing_extensions import override

from tests.tools.acting.floor import ANA, Floor, yes
from tests.tools.twins import RIGHT, Shop, ShopTool, manifest
from tools.acting import Request
from tools.flows import FlowDefinition, FlowParts, flow_tools
from tools.flows.drive import step_key
from tools.journal import Action
from tools.types import (
    Attempt,
    Done,
    EffectClass,
    Manifest,
    Principal,
    Progress,
    Target,
    Tier,
    ToolCall,
)

READ: Mapping[str, JsonValue] = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "additionalProperties": False,
}


class ShopReader:
    """`{items: [{name, value}], value}` of the shop; `faults` are raised first, one a reading."""

    def __init__(self, shop: Shop, faults: Iterable[Exception] = ()) -> None:
        self.shop = shop
        self.faults = list(faults)
        self.readings = 0
        self.on_read: Callable[[], None] = lambda: None

    @property
    def manifest(self) -> Manifest:
        told = manifest("read_item", Tier.R0)
        return replace(told, schema=READ, arguments={}, undo="", bulk="", admin_values={})

    async def look(self, _call: ToolCall, _who: Principal) -> Target:
        return Target()

    async def run(self, call: ToolCall, _who: Principal, _attempt: Attempt) -> Done:
        self.readings += 1
        self.on_read()
        if self.faults:
            raise self.faults.pop(0)
        items: list[JsonValue] = [
            {"name": name, "value": value} for name, value in self.shop.items.items()
        ]
        value = self.shop.items.get(str(call.arguments.get("name", "")))
        return Done({"items": items, "value": value})

    async def read_back(self, _call: ToolCall, _who: Principal, _attempt: Attempt) -> Done | None:
        return None


class StepTool(ShopTool):
    """Answers a repeated call as it answered the first one, undo included. Faults are met on the
    way there, `back` on the way back."""

    def __init__(self, shop: Shop, told: Manifest, faults: Iterable[str] = ()) -> None:
        super().__init__(shop, told, faults)
        self.back: deque[str] = deque()
        self._earlier: dict[str, JsonValue] = {}

    @override
    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        there = self.faults
        self.faults = there if call.arguments.get("value") == "new" else self.back
        try:
            return await super().run(call, who, attempt)
        finally:
            self.faults = there

    @override
    def _effect(self, call: ToolCall, attempt: Attempt) -> Done:
        name = str(call.arguments["name"])
        self._earlier.setdefault(attempt.action_id, self.shop.items.get(name))
        return self._remembered(super()._effect(call, attempt), call, attempt)

    @override
    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        done = await super().read_back(call, who, attempt)
        ours = attempt.action_id in self._earlier
        return self._remembered(done, call, attempt) if done and ours else done

    def _remembered(self, done: Done, call: ToolCall, attempt: Attempt) -> Done:
        before = self._earlier[attempt.action_id]
        undo = replace(call, arguments={"name": call.arguments["name"], "value": before})
        return replace(done, undo=undo)


def step(name: str, **more: object) -> dict[str, object]:
    """Sets an item of that name by the tool of that name."""
    return {"id": name, "title": f"Set {name}", "do": name, "with": {"name": name, "value": "new"},
            **more}  # fmt: skip


def flow(*steps: Mapping[str, object], **more: object) -> FlowDefinition:
    return FlowDefinition.model_validate(
        {"flow": "flow", "version": 1, "title": "Do all of it", "summary": "Several steps.",
         "target": "shop", "tier": 2, "rights": [RIGHT], "undo": "All of it is taken back.",
         "retry_for_s": 3600, "steps": list(steps), **more}
    )  # fmt: skip


@dataclass
class Stage:
    """One flow, a tool of the shop for each of its steps with the faults asked for, a reader."""

    definition: FlowDefinition
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    effects: Mapping[str, EffectClass] = field(default_factory=dict)
    reading_faults: Sequence[Exception] = ()
    inline_s: float = 15.0

    def __post_init__(self) -> None:
        self.floor = Floor()
        self.shop = self.floor.shop
        self.reader = ShopReader(self.shop, self.reading_faults)
        self.floor.shelf.put(self.reader)
        self.tools = {
            name: StepTool(
                self.shop,
                manifest(name, Tier.R2, self.effects.get(name, EffectClass.KEYED)),
                self.faults.get(name, ()),
            )
            for name in {each.do for each in self.definition.steps} - {"read_item"}
        }
        for tool in self.tools.values():
            self.floor.shelf.put(tool)
        self.told: list[Progress] = []
        self.slept: list[float] = []
        parts = FlowParts(
            journal=self.floor.books,
            catalogue=lambda: self.floor.shelf,
            perform=self.floor.desk.perform,
            clock=self.floor.clock,
            sleep=self._sleep,
            report=self.told.append,
            inline_s=self.inline_s,
        )
        for made in flow_tools([self.definition], parts):
            self.floor.shelf.put(made)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.floor.clock.pass_s(seconds)

    async def approved(self, **arguments: JsonValue) -> Action:
        call = ToolCall("flow", self.definition.manifest().version, arguments)
        card = await self.floor.desk.prepare(Request(call, ANA, key=f"k{arguments}"))
        return await self.floor.desk.decide("t", yes(card))

    async def run(self, **arguments: JsonValue) -> Action:
        return await self.floor.perform(await self.approved(**arguments))

    async def ended(self, action: Action, rounds: int = 200) -> Action:
        """As a worker would: again whenever it is due, time passing in between."""
        for _ in range(rounds):
            if action.ended:
                return action
            due = action.lease_until or self.floor.clock()
            waits_s = (due - self.floor.clock()).total_seconds()
            self.floor.clock.pass_s(max(waits_s, 0.0) + 1.0)
            action = await self.floor.perform(action, wait_s=0.3)
        raise AssertionError(f"{action.state} after {rounds} rounds: {action.reason}")

    async def undone(self, action: Action) -> Action:
        card = await self.floor.desk.undo("t", action.id, ANA)
        return await self.floor.perform(await self.floor.desk.decide("t", yes(card)))

    async def step(self, flow_action: Action, name: str, number: int = 1) -> Action | None:
        return await self.floor.books.by_key("t", step_key(flow_action.id, name, number))

    def there(self) -> dict[str, JsonValue]:
        """What the shop holds; an item without a value is none."""
        return {name: value for name, value in self.shop.items.items() if value is not None}

    def times(self) -> dict[str, int]:
        """How often each item was brought to its new value."""
        names = [name for _, name, value in self.shop.ledger if value == "new"]
        return {name: names.count(name) for name in names}
