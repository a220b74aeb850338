"""policy file + backends -> tools; what does not fit is reported with its line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import JsonValue
from typing_extensions import override

from tools.canonical import b64url
from tools.configured.backend import Backend, FieldShape, OperationError, Shape
from tools.configured.tool import ConfiguredTool
from tools.policy.loading import PolicyFile
from tools.policy.types import ArgumentEntry, Reading, ToolEntry
from tools.types import EffectClass, Manifest

LONGEST_TEXT = 4096
"""Characters of a text argument for which nobody names a limit; a page of text."""
LONGEST_FILE = 1_000_000
"""Characters of a file that is pasted; what the flows take as rows."""
LONGEST_LIST = 1000
"""Elements of a list for which nobody names a limit; Harbor's own bulk limits end there."""
_SAID_ONLY = {"title", "summary", "phrases", "topics", "pin"}
_SAID_OF_ARGUMENTS = {"label", "ask", "hint", "kind", "fill", "choices"}
_CALLS_OF_A_RUN = 3
"""Look, call, look at what the undo will find."""


class Problem(NamedTuple):
    """A mistake between the policy and a document. `where` is `FILE:LINE`."""

    where: str
    tool: str
    message: str

    @override
    def __str__(self) -> str:
        return f"{self.where}: {self.tool}: {self.message}"


class Built(NamedTuple):
    """Tools that can be used, and why others cannot."""

    tools: Mapping[str, ConfiguredTool]
    problems: Sequence[Problem]


class _UnfitError(ValueError):
    """An entry does not fit its operation. `place` is the key below the entry."""

    def __init__(self, message: str, *place: str) -> None:
        super().__init__(message)
        self.place = place


def configured_tools(file: PolicyFile, backends: Mapping[str, Backend]) -> Built:
    """Every entry whose source is among the backends; a tool whose undo is missing is left out."""
    built: dict[str, ConfiguredTool] = {}
    problems: list[Problem] = []
    for key, entry in file.policy.tools.items():
        backend = backends.get(entry.source)
        if backend is None:
            continue
        try:
            built[key] = _tool(file, key, entry, backend, built)
        except (_UnfitError, OperationError) as unfit:
            place = getattr(unfit, "place", ())
            problems.append(Problem(file.at("tools", key, *place), key, str(unfit)))
    _drop_loose_undos(file, built, problems)
    return Built(built, problems)


def _drop_loose_undos(
    file: PolicyFile, built: dict[str, ConfiguredTool], problems: list[Problem]
) -> None:
    """Repeats until nothing changes: a tool that goes may be another's undo."""
    while True:
        loose = [k for k in built if _undo_of(file, k) not in (None, *built)]
        if not loose:
            return
        for key in loose:
            del built[key]
            message = f"the undo {_undo_of(file, key)} is no usable tool of this file"
            problems.append(Problem(file.at("tools", key, "undo"), key, message))


def _undo_of(file: PolicyFile, key: str) -> str | None:
    undo = file.policy.tools[key].undo
    return undo.tool if undo else None


def _tool(
    file: PolicyFile,
    key: str,
    entry: ToolEntry,
    backend: Backend,
    siblings: Mapping[str, ConfiguredTool],
) -> ConfiguredTool:
    source = file.policy.sources[entry.source]
    entry = entry.model_copy(
        update={
            "operation": entry.operation or key,
            "timeout_s": entry.timeout_s or source.timeout_s,
        }
    )
    fields = [_field_of(entry, name) for name in entry.arguments]
    shape = backend.describe(entry.operation, fields, entry.fixed)
    _check(entry, shape)
    version = _version(entry, shape, backend)
    _check_pin(entry, shape, backend)
    prefix = f"{source.namespace}_" if source.namespace else ""
    manifest = _manifest(prefix + key, version, entry, shape, backend)
    return ConfiguredTool(_prefixed(manifest, entry, prefix), entry, backend, shape, siblings)


def _check_pin(entry: ToolEntry, shape: Shape, backend: Backend) -> None:
    now = pin_of(shape.fragment)
    if entry.pin and entry.pin != now:
        told = f"the operation changed since it was reviewed; read it, then write `pin: {now}`"
        raise _UnfitError(told, "pin")
    if backend.reviewed_only and not entry.pin:
        raise _UnfitError(f"it was not reviewed yet; read the operation, then write `pin: {now}`")


def pin_of(fragment: JsonValue) -> str:
    """Short name of what an operation was when somebody read it."""
    plain = json.dumps(fragment, sort_keys=True, separators=(",", ":"))
    return b64url(hashlib.sha256(plain.encode()).digest()[:9])


def _field_of(entry: ToolEntry, name: str) -> str:
    return entry.each.get(name) or entry.arguments[name].field or name


def _check(entry: ToolEntry, shape: Shape) -> None:
    if shape.must:
        named = ", ".join(shape.must)
        raise _UnfitError(
            f"{entry.operation} needs {named}; name it under `arguments`, or give its value under"
            " `fixed`",
            "arguments",
        )
    if shape.needs_etag and entry.look is None:
        raise _UnfitError(f"{entry.operation} needs If-Match: say under `look` where it is read")


def _manifest(
    name: str, version: str, entry: ToolEntry, shape: Shape, backend: Backend
) -> Manifest:
    undo = entry.undo
    return Manifest(
        name=name,
        version=version,
        title=entry.title,
        summary=entry.summary,
        source=backend.id,
        target=backend.title,
        schema=_schema(entry, shape),
        arguments={},
        tier=entry.level,
        effect=EffectClass(entry.effect or "N"),
        rights=frozenset(entry.rights),
        undo=undo.says if undo else "",
        phrases=entry.phrases,
        topics=entry.topics,
        bulk=entry.bulk,
        admin_values=entry.admin_values,
        retry_for_s=entry.retry_for_s,
        timeout_s=(entry.timeout_s or 0) * (1 if entry.tier == "R0" else _CALLS_OF_A_RUN),
        plans=frozenset(entry.plans),
        hidden=entry.hidden,
    )


def _prefixed(manifest: Manifest, entry: ToolEntry, prefix: str) -> Manifest:
    return replace(
        manifest,
        arguments={name: each.as_argument(prefix) for name, each in entry.arguments.items()},
        remedies={code: prefix + tool for code, tool in entry.remedies.items()},
    )


def _schema(entry: ToolEntry, shape: Shape) -> dict[str, JsonValue]:
    properties: dict[str, JsonValue] = {}
    required: list[JsonValue] = []
    for name, argument in entry.arguments.items():
        field = shape.fields[_field_of(entry, name)]
        each = name in entry.each
        properties[name] = _property(name, argument, field, each=each)
        if _is_required(argument, field) or each:
            required.append(name)
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    if entry.one_of is not None:
        first, second = entry.one_of
        unless: JsonValue = {"not": {"required": [second]}}
        schema["allOf"] = [{"if": unless, "then": {"required": [first]}}]
    return schema


def _is_required(argument: ArgumentEntry, field: FieldShape) -> bool:
    if argument.required is not None:
        return argument.required
    return field.required and argument.default is None


def _property(
    name: str, argument: ArgumentEntry, field: FieldShape, *, each: bool
) -> dict[str, JsonValue]:
    schema = _bounded(dict(field.schema))
    if argument.values:
        schema["enum"] = _narrowed(name, argument.values, schema.get("enum"))
    if argument.nullable:
        forms = schema.pop("anyOf", None)
        forms = forms if isinstance(forms, list) and not schema else [schema]
        schema = {"anyOf": [*forms, {"type": "null"}]}
    if argument.default is not None:
        schema["default"] = argument.default
    if each:
        return {"type": "array", "items": schema, "minItems": 1, "maxItems": LONGEST_LIST}
    return schema


def _narrowed(name: str, values: Sequence[JsonValue], allowed: JsonValue | None) -> list[JsonValue]:
    unknown = [value for value in values if isinstance(allowed, list) and value not in allowed]
    if unknown:
        told = ", ".join(map(str, unknown))
        raise _UnfitError(f"{name} cannot be {told} by the document", "arguments", name, "values")
    return list(values)


def _bounded(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """With a limit on every text and list that has none."""
    kind = schema.get("type")
    if kind == "string" and not schema.keys() & {"enum", "const", "maxLength"}:
        schema["maxLength"] = LONGEST_FILE if schema.get("format") == "binary" else LONGEST_TEXT
    if kind == "array":
        schema.setdefault("maxItems", LONGEST_LIST)
        items = schema.get("items")
        if isinstance(items, dict):
            schema["items"] = _bounded(dict(items))
    properties = schema.get("properties")
    if isinstance(properties, dict):
        schema["properties"] = {
            name: _bounded(dict(each)) if isinstance(each, dict) else each
            for name, each in properties.items()
        }
    return schema


def _version(entry: ToolEntry, shape: Shape, backend: Backend) -> str:
    """Changes with anything that changes what a call means, and with nothing that is only said."""
    said = entry.model_dump(mode="json", by_alias=True, exclude=_SAID_ONLY)
    for argument in said["arguments"].values():
        for name in _SAID_OF_ARGUMENTS:
            argument.pop(name)
    fragments: dict[str, Any] = {entry.operation: shape.fragment}
    for reading in (entry.look, entry.read_back):
        if reading is not None:
            fragments[reading.operation] = _reading_fragment(reading, backend)
    plain = json.dumps([said, fragments], sort_keys=True, separators=(",", ":"))
    return b64url(hashlib.sha256(plain.encode()).digest()[:12])


def _reading_fragment(reading: Reading, backend: Backend) -> JsonValue:
    fields = list(reading.arguments)
    shape = backend.describe(reading.operation, fields, {})
    if shape.must:
        needs = ", ".join(shape.must)
        raise _UnfitError(f"{reading.operation} needs {needs}, which is not given")
    return shape.fragment
