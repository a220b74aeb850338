"""Kits and their flow's file -> what people may say of it: the tool's schema and arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from pydantic import JsonValue

from onboarding.journeys import Editable, Kit, arguments
from tools.acting import BadCallError
from tools.canonical import sha256
from tools.flows.definition import Asked, FlowDefinition, KitsEntry
from tools.types import Argument, Manifest
from tools.validation import validate

INDUSTRY, PERSONA, KIT, NAMES, LEFT_OUT = "industry", "persona", "kit", "names", "leave_out"
PICKS: Final = frozenset({INDUSTRY, PERSONA})
"""The arguments that pick the kit."""
_UNHEARD: Final = "object"
"""Kind of an argument that no words of a conversation are read for: it is edited on the card."""
_LONGEST_NAME: Final = 100
_Schema = dict[str, JsonValue]


def flow_manifests(
    flows: Sequence[FlowDefinition], kits: Sequence[Kit] = ()
) -> tuple[Manifest, ...]:
    """Flows as people see them. One that makes kits is there as long as there are some."""
    return tuple(
        flow.manifest() if flow.kits is None else kit_manifest(flow, flow.kits, mine)
        for flow in flows
        if (mine := kits_of(flow, kits)) or flow.kits is None
    )


def kits_of(flow: FlowDefinition, kits: Sequence[Kit]) -> tuple[Kit, ...]:
    """Those that the flow applies."""
    return tuple(kit for kit in kits if kit.action == flow.flow)


def kit_manifest(flow: FlowDefinition, entry: KitsEntry, kits: Sequence[Kit]) -> Manifest:
    """Under the flow's name. Its version changes with every kit."""
    told = flow.manifest()
    files = "\0".join([told.version, *(kit.model_dump_json(by_alias=True) for kit in kits)])
    values = {key: _values(kits, key) for key in entry.values}
    return replace(
        told,
        version=f"{flow.version}-{sha256(files.encode())[:12]}",
        schema={
            "type": "object",
            "properties": _properties(kits, values),
            "required": [INDUSTRY, PERSONA],
            "additionalProperties": False,
        },
        arguments={
            INDUSTRY: _asked(entry.industry),
            PERSONA: _asked(entry.persona),
            KIT: Argument("Kit", kind=_UNHEARD),
            **{key: _argument(label, values[key]) for key, label in entry.values.items()},
            NAMES: Argument("Names", kind=_UNHEARD),
            LEFT_OUT: Argument("Left out", kind=_UNHEARD),
        },
    )


def kit_problems(flow: FlowDefinition, kits: Sequence[Kit]) -> Iterator[tuple[str, str]]:
    """(place, message): what neither a kit nor a flow can know by itself."""
    if flow.kits is None:
        return
    picked = [(kit.industry, kit.persona) for kit in kits]
    for kit in kits:
        place = f"kits.{kit.name}"
        if picked.count((kit.industry, kit.persona)) > 1:
            yield place, f"another kit is of {kit.industry} for {kit.persona} too"
        for value in kit.values:
            if value.key not in flow.kits.values:
                yield place, f"the flow has no label for {value.key}"
        try:
            validate(flow.manifest(), arguments(kit))
        except BadCallError as wrong:
            yield place, "; ".join(f"{name}: {said}" for name, said in wrong.errors.items())


def _values(kits: Sequence[Kit], key: str) -> list[Editable]:
    return [value for kit in kits for value in kit.values if value.key == key]


def _properties(kits: Sequence[Kit], values: dict[str, list[Editable]]) -> _Schema:
    items = sorted({item.id for kit in kits for item in kit.items})
    name: _Schema = {"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME}
    one_of = f"^({'|'.join(map(re.escape, items))})$"
    left_out: _Schema = {"type": "string", "pattern": one_of}
    return {
        INDUSTRY: {"type": "string", "enum": _each(kit.industry for kit in kits)},
        PERSONA: {"type": "string", "enum": _each(kit.persona for kit in kits)},
        KIT: {"type": "string", "pattern": r"^[a-z0-9-]+@[0-9]+$"},
        **{key: _schema(same) for key, same in values.items() if same},
        NAMES: {"type": "object", "additionalProperties": name},
        LEFT_OUT: {"type": "array", "uniqueItems": True, "items": left_out},
    }


def _each(values: Iterator[str]) -> list[JsonValue]:
    return list(dict.fromkeys(values))


def _schema(values: Sequence[Editable]) -> _Schema:
    """What any of the kits takes; the one that is picked may take less."""
    match values[0].type:
        case "integer":
            return {"type": "integer", **_bounds(values)}
        case "choice":
            choices = _each(choice for value in values for choice in value.choices)
            return {"type": "string", "enum": choices}
        case "text":
            return {"type": "string", "minLength": 1}
        case "emails":
            address: _Schema = {"type": "string", "format": "email"}
            return {"type": "array", "items": address, "uniqueItems": True}


def _bounds(values: Sequence[Editable]) -> _Schema:
    lowest = [value.minimum for value in values if value.minimum is not None]
    highest = [value.maximum for value in values if value.maximum is not None]
    bounds: _Schema = {}
    if len(lowest) == len(values):
        bounds["minimum"] = min(lowest)
    if len(highest) == len(values):
        bounds["maximum"] = max(highest)
    return bounds


def _asked(asked: Asked) -> Argument:
    return Argument(asked.label, ask=asked.ask, hint=asked.hint, fill=asked.fill)


def _argument(label: str, values: Sequence[Editable]) -> Argument:
    """Numbers are edited on the card: which threshold "50" means nobody can tell."""
    is_number = any(value.type == "integer" for value in values)
    return Argument(label, kind=_UNHEARD if is_number else "")
