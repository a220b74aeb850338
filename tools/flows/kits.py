"""A flow that makes starter kits: what a person picks and edits -> the lists of one kit.

industry, persona -> kit -> its defaults on the card -> edited -> approved -> the flow's own steps
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import JsonValue

from onboarding.journeys import EditError, Edits, Kit, arguments
from tools.acting import BadCallError
from tools.canonical import canonical, sha256
from tools.flows.definition import FlowDefinition, KitsEntry
from tools.flows.drive import FlowParts
from tools.flows.engine import FlowTool, FlowUndoTool, seen_by
from tools.flows.offering import (
    INDUSTRY,
    KIT,
    LEFT_OUT,
    NAMES,
    PERSONA,
    PICKS,
    kit_manifest,
    kits_of,
)
from tools.flows.proposals import Proposed, Standing, notes, proposed
from tools.flows.values import Known, at
from tools.tool import RejectedError, Tool
from tools.types import Arguments, Attempt, Done, Manifest, Principal, Target, ToolCall

ANYONE: Final = "anyone"
"""The persona of a kit that serves those without one of their own."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A kit as somebody wants it."""

    kit: Kit
    edits: Edits


class KitTool:
    """The flow as people see it: few arguments, of which two pick the kit and the others are its
    defaults. What is approved are those; the flow's lists are made of them and of the kit, whose
    text the version of the tool stands for."""

    def __init__(self, flow: FlowDefinition, parts: FlowParts, kits: Sequence[Kit]) -> None:
        if flow.kits is None:
            raise ValueError(f"{flow.flow} makes no kits")
        self._flow = FlowTool(flow, parts)
        self._notes = flow.notes
        self._parts = parts
        self._entry: KitsEntry = flow.kits
        self._manifest = kit_manifest(flow, flow.kits, kits)
        self.kits = tuple(kits)

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def kit_for(self, industry: str, persona: str) -> Kit | None:
        """The one for this persona, else the one for anyone."""
        own = {kit.persona: kit for kit in self.kits if kit.industry == industry}
        return own.get(persona) or own.get(ANYONE)

    async def proposal(self, kit: Kit, edits: Edits, who: Principal) -> tuple[Proposed, ...]:
        """What it would make, beside what is there. Raises ToolError."""
        there = {
            "dashboards": await self._named("dashboards", who),
            "alerts": await self._named("alerts", who),
        }
        return tuple(proposed(kit, edits, there))

    async def complete(self, call: ToolCall, who: Principal) -> ToolCall:
        """Every default of the kit, as an argument of its own. What is there already just as the
        kit would make it is left out, unless the person says what is."""
        given = self._without_defaults_of_another(call.arguments)
        wanted = self._wanted(given)
        edits = wanted.edits
        if LEFT_OUT not in given:
            there = await self.proposal(wanted.kit, edits, who)
            same = {each.item.id for each in there if each.standing is Standing.SAME}
            edits = replace(edits, leave_out=same)
        return replace(call, arguments=_spelled_out(wanted.kit, edits))

    async def look(self, call: ToolCall, who: Principal) -> Target:
        wanted = self._wanted(call.arguments)
        items = await self.proposal(wanted.kit, wanted.edits, who)
        made = tuple(each for each in items if not each.why_not)
        if not made:
            raise RejectedError("nothing_to_make", "all of the kit is left out or there already")
        there: dict[str, JsonValue] = {each.item.id: each.standing.value for each in items}
        return Target(
            state={"there": there},
            etag=sha256(canonical(there)),
            steps=tuple(each.line for each in made),
            notes=(*notes(wanted.kit, items), *self._notes),
        )

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        wanted = self._wanted(call.arguments)
        lists = replace(call, arguments=arguments(wanted.kit, wanted.edits))
        done = await self._flow.run(lists, who, attempt)
        items = (each for each in proposed(wanted.kit, wanted.edits, {}) if not each.why_not)
        named: list[JsonValue] = [f"{each.kind} {each.name}" for each in items]
        return replace(done, result={**done.result, "made": named})

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        return await self._flow.read_back(call, who, attempt)

    def _wanted(self, given: Arguments) -> _Made:
        """Raises BadCallError."""
        industry, persona = str(given.get(INDUSTRY)), str(given.get(PERSONA))
        kit = self.kit_for(industry, persona)
        if kit is None:
            wrong = f"there is no kit of {industry} for {persona}"
            raise BadCallError(self.manifest.name, {PERSONA: wrong})
        edits = Edits(
            values={key: given[key] for key in self._entry.values if key in given},
            names={id: str(name) for id, name in _members(given.get(NAMES)).items()},
            leave_out=_ids(given.get(LEFT_OUT)),
        )
        try:
            arguments(kit, edits)
        except EditError as failure:
            raise BadCallError(self.manifest.name, failure.wrong) from failure
        return _Made(kit, edits)

    def _without_defaults_of_another(self, given: Arguments) -> Arguments:
        """On a card whose kit was changed, what the person had not edited gives way."""
        kit = self.kit_for(str(given.get(INDUSTRY)), str(given.get(PERSONA)))
        before = next((each for each in self.kits if each.ref == given.get(KIT)), None)
        if kit is None or before is None or before is kit:
            return given
        told = _spelled_out(before, Edits())
        named = {item.id for item in kit.items if item.default_name}
        default = _members(told[NAMES])
        names: dict[str, JsonValue] = {
            id: name
            for id, name in _members(given.get(NAMES)).items()
            if id in named and name != default.get(id)
        }
        own = {n: v for n, v in given.items() if n in PICKS or v != told.get(n)}
        return {**{n: v for n, v in own.items() if n != LEFT_OUT}, NAMES: names}

    async def _named(
        self, kind: Literal["dashboards", "alerts"], who: Principal
    ) -> dict[str, JsonValue]:
        reading = self._entry.compare.get(kind)
        if reading is None:
            return {}
        items = at(await seen_by(self._parts, reading, Known({}), who), reading.items)
        found = items if isinstance(items, list) else []
        return {str(at(item, reading.name)): item for item in found}


def flow_tools(
    flows: Sequence[FlowDefinition], parts: FlowParts, kits: Sequence[Kit] = ()
) -> tuple[Tool, ...]:
    """Two tools a flow: itself, and the hidden one that takes it back. One that makes kits is
    there as long as there are some."""
    tools: list[Tool] = []
    for flow in flows:
        mine = kits_of(flow, kits)
        if flow.kits is None:
            tools.append(FlowTool(flow, parts))
        elif mine:
            tools.append(KitTool(flow, parts, mine))
        else:
            continue
        tools.append(FlowUndoTool(flow, parts))
    return tuple(tools)


def _spelled_out(kit: Kit, edits: Edits) -> dict[str, JsonValue]:
    """The arguments that stand for a kit and its edits, each default among them."""
    named = (item for item in kit.items if item.default_name)
    return {
        INDUSTRY: kit.industry,
        PERSONA: kit.persona,
        KIT: kit.ref,
        **{value.key: edits.values.get(value.key, value.default) for value in kit.values},
        NAMES: {item.id: edits.names.get(item.id, item.default_name) for item in named},
        LEFT_OUT: [item.id for item in kit.items if item.id in edits.leave_out],
    }


def _members(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _ids(value: JsonValue) -> frozenset[str]:
    return frozenset(str(id) for id in value) if isinstance(value, list) else frozenset()
