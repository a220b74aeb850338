"""A contract as JSON Schema (2020-12) of what a sender sends, and what an edit breaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from onboarding.events.catalogue import EventCatalogue
from onboarding.events.checking import MAX_LIST
from onboarding.events.contracts import CONTEXT, Contract, FieldSpec, FieldType, Identity
from onboarding.types import EventKind

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_IDS: Final = {Identity.USER: "userId", Identity.ANONYMOUS: "anonymousId"}
_TRAITS: Final = frozenset({EventKind.IDENTIFY, EventKind.GROUP})


def schema_of(contract: Contract) -> dict[str, Any]:
    """What a message of this event has to be; purposes stand in `x-purpose`."""
    own, context = _split(contract)
    body = {"traits" if contract.kind in _TRAITS else "properties": _object(own, contract)}
    properties: dict[str, Any] = {
        "type": {"const": contract.kind.value},
        "messageId": {"type": "string", "maxLength": 200},
        "userId": {"type": "string", "maxLength": 200},
        "anonymousId": {"type": "string", "maxLength": 200},
        "timestamp": {"type": "string", "format": "date-time"},
        "context": {"type": "object", "properties": _nested(context)},
        **body,
    }
    required = ["type", *(name for kind, name in _IDS.items() if kind in contract.identity)]
    if contract.kind is EventKind.TRACK:
        properties["event"] = {"const": contract.event}
        required.append("event")
    if any(spec.required for spec in own):
        required += body
    if Identity.ACCOUNT in contract.identity:
        required += _with_account(contract, properties)
    return {
        "$schema": DIALECT,
        "title": f"{contract.event} {contract.version}",
        "description": contract.about,
        "type": "object",
        "properties": properties,
        "required": required,
        "x-purpose": sorted(contract.purposes),
        "x-retention-days": contract.retention_days,
    }


def breaks(old: Contract, new: Contract) -> tuple[str, ...]:
    """What a sender or reader of `old` stumbles over in `new`, one sentence each."""
    return (
        *(f"{name} is gone" for name in sorted(set(old.fields) - set(new.fields))),
        *_narrowed(old, new),
        *(f"the id of the {k.value} is required" for k in sorted(new.identity - old.identity)),
        *(
            f"{name} is new and required"
            for name, spec in new.fields.items()
            if spec.required and name not in old.fields
        ),
        *(["what is not planned is quarantined"] if _is_stricter(old, new) else []),
    )


def unversioned(old: EventCatalogue, new: EventCatalogue) -> tuple[str, ...]:
    """Edits that do not say so in their version: `PLACE: EVENT: MESSAGE`."""
    problems: list[str] = []
    for was in old.all_versions():
        now = new.contract(was.event)
        if now is None:
            continue
        same = new.contract(was.event, str(was.version))
        if same is not None and _said(same) != _said(was):
            problems.append(f"{same.place}: {was.event}: changed, and still {was.version}")
        broken = breaks(was, now)
        if broken and now.version.model <= was.version.model:
            told = f"{'; '.join(broken)}: that needs MODEL {was.version.model + 1}"
            problems.append(f"{now.place}: {was.event}: {told}, not {now.version}")
    return tuple(dict.fromkeys(problems))


def _with_account(contract: Contract, properties: dict[str, Any]) -> list[str]:
    group = {"type": "string", "maxLength": 200}
    if contract.kind is EventKind.GROUP:
        properties["groupId"] = group
        return ["groupId"]
    properties["context"]["properties"]["groupId"] = group
    properties["context"]["required"] = ["groupId"]
    return ["context"]


def _split(contract: Contract) -> tuple[list[FieldSpec], list[FieldSpec]]:
    specs = list(contract.fields.values())
    own = [spec for spec in specs if not spec.name.startswith(CONTEXT)]
    return own, [spec for spec in specs if spec.name.startswith(CONTEXT)]


def _object(specs: Iterable[FieldSpec], contract: Contract) -> dict[str, Any]:
    listed = list(specs)
    return {
        "type": "object",
        "properties": {spec.name: _field(spec) for spec in listed},
        "required": [spec.name for spec in listed if spec.required],
        "additionalProperties": contract.extra == "drop",
    }


def _nested(specs: Iterable[FieldSpec]) -> dict[str, Any]:
    """`campaign.source` is a field of the object `campaign`."""
    found: dict[str, Any] = {}
    for spec in specs:
        *parents, name = spec.name.removeprefix(CONTEXT).split(".")
        here = found
        for parent in parents:
            here = here.setdefault(parent, {"type": "object", "properties": {}})["properties"]
        here[name] = _field(spec)
    return found


def _field(spec: FieldSpec) -> dict[str, Any]:
    schema = _typed(spec) | {"x-purpose": sorted(spec.purposes)}
    if spec.sensitive:
        schema["x-sensitive"] = True
    return schema


def _typed(spec: FieldSpec) -> dict[str, Any]:
    match spec.type:
        case FieldType.STRING:
            return {"type": "string", **_texts(spec)}
        case FieldType.STRINGS:
            items = {"type": "string", **_texts(spec)}
            return {"type": "array", "maxItems": MAX_LIST, "items": items}
        case FieldType.TIME:
            return {"type": "string", "format": "date-time"}
        case FieldType.BOOLEAN:
            return {"type": "boolean"}
        case FieldType.INTEGER | FieldType.NUMBER:
            bounds = {"minimum": spec.least, "maximum": spec.most}
            given = {name: bound for name, bound in bounds.items() if bound is not None}
            return {"type": spec.type.value, **given}


def _texts(spec: FieldSpec) -> dict[str, Any]:
    if spec.values:
        return {"enum": list(spec.values)}
    return {} if spec.most is None else {"maxLength": int(spec.most)}


def _narrowed(old: Contract, new: Contract) -> Iterator[str]:
    for name, was in old.fields.items():
        now = new.fields.get(name)
        if now is None:
            continue
        if now.type is not was.type:
            yield f"{name} is {now.type.value} and was {was.type.value}"
        if now.required and not was.required:
            yield f"{name} is required"
        if now.values and set(was.values or ("*",)) - set(now.values):
            yield f"{name} takes fewer values"
        if _tighter(was.least, now.least, -1) or (not now.values and _tighter(was.most, now.most)):
            yield f"{name} has tighter bounds"


def _tighter(was: float | None, now: float | None, sign: int = 1) -> bool:
    return now is not None and (was is None or now * sign < was * sign)


def _is_stricter(old: Contract, new: Contract) -> bool:
    return old.extra == "drop" and new.extra == "quarantine"


def _said(contract: Contract) -> tuple[object, ...]:
    """All that a version stands for; sentences about it may be mended."""
    return (
        contract.kind,
        contract.identity,
        contract.purposes,
        dict(contract.fields),
        contract.retention_days,
        contract.extra,
        contract.core,
    )
