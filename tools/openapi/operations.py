"""One operation: where each field of a call goes, and what must be given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import JsonValue

from tools.configured import FieldShape, OperationError, Shape
from tools.configured.schemas import (
    Schema,
    argument_schema,
    below,
    meaning,
    missing_fields,
    to_wire,
)
from tools.openapi.document import Document

Location = Literal["path", "query", "header", "cookie"]
LOCATIONS = ("path", "query", "header", "cookie")
STYLES: Mapping[str, tuple[str, ...]] = {
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
JSON, FORM, MULTIPART = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
)
_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_CHANGES = {"PUT", "PATCH", "DELETE"}
"""Methods that change what is there, and so may depend on its version (RFC 9110, 13.1.1)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    where: Location
    required: bool
    schema: Schema
    style: str
    explode: bool


@dataclass(frozen=True, slots=True)
class Body:
    media: str
    required: bool
    schema: Schema
    encoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """`ours` names, in lower case, the headers that are filled by ourselves."""

    name: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    fragment: JsonValue

    def parameter(self, field: str) -> Parameter | None:
        where, colon, name = field.partition(":")
        if colon and where in LOCATIONS:
            return next((p for p in self.parameters if (p.where, p.name) == (where, name)), None)
        named = [p for p in self.parameters if p.name == field]
        if len(named) > 1:
            places = ", ".join(f"{p.where}:{p.name}" for p in named)
            raise OperationError(f"{self.name}: {field} may be any of {places}; write which")
        return named[0] if named else None

    def pointer(self, field: str) -> str:
        """Of a field in the body. Raises OperationError where there is no body."""
        if self.body is None:
            known = ", ".join(p.name for p in self.parameters) or "none"
            raise OperationError(f"{self.name} has no field {field}; known: {known}")
        return field if field.startswith("/") else f"/{field}"


def read_operation(document: Document, name: str) -> Operation:
    """Raises OperationError."""
    method, path, raw = document.operation(name)
    parameters = tuple(
        _parameter(name, document, document.resolved(each)) for each in raw["parameters"]
    )
    body = _body(name, document, document.resolved(raw.get("requestBody") or {}))
    fragment = {
        "method": method,
        "path": path,
        "parameters": document.resolved(raw["parameters"]),
        "body": body and [body.media, body.required, body.schema],
    }
    return Operation(name, method, path, _last_wins(parameters), body, meaning(fragment))


def _last_wins(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """An operation's own parameter stands in for its path's."""
    return tuple({(p.where, p.name): p for p in parameters}.values())


def _parameter(operation: str, document: Document, raw: Mapping[str, Any]) -> Parameter:
    where, name = raw.get("in"), raw.get("name")
    if where not in LOCATIONS or not isinstance(name, str):
        raise OperationError(f"{operation}: a parameter without a place or a name")
    style = raw.get("style", STYLES[where][0])
    if style not in STYLES[where]:
        raise OperationError(
            f"{operation}: {where}:{name} has the style {style}, which is not sent"
        )
    content: Mapping[str, Any] = next(iter(raw.get("content", {}).values()), {})
    schema = document.schema(raw.get("schema") or content.get("schema") or {})
    explode = raw.get("explode", style in ("form", "deepObject"))
    required = bool(raw.get("required")) or where == "path"
    return Parameter(name, where, required, schema, style, explode)


def _body(operation: str, document: Document, raw: Mapping[str, Any]) -> Body | None:
    contents = raw.get("content") or {}
    if not contents:
        return None
    for media, content in contents.items():
        plain = media.partition(";")[0].strip().lower()
        if plain in (JSON, FORM, MULTIPART) or plain.endswith("+json"):
            schema = document.schema(content.get("schema") or {})
            required = bool(raw.get("required"))
            return Body(plain, required, schema, content.get("encoding") or {})
    raise OperationError(f"{operation}: a body as {', '.join(contents)} is not sent")


def describe(
    operation: Operation,
    fields: Collection[str],
    fixed: Mapping[str, JsonValue],
    ours: Collection[str],
    etag_header: str,
) -> Shape:
    """`ours`: headers in lower case that we fill ourselves. Raises OperationError."""
    in_body = {operation.pointer(f): v for f, v in fixed.items() if not operation.parameter(f)}
    shapes = {name: _shape(operation, name, in_body) for name in fields}
    for pointer in in_body:
        assert operation.body is not None
        below(operation.body.schema, pointer, in_body)
    declared = _header(operation, etag_header)
    changes = operation.method in _CHANGES and bool(etag_header)
    return Shape(
        fields=shapes,
        must=_must(operation, fields, fixed, in_body, ours),
        fragment=operation.fragment,
        writes=operation.method in _WRITES,
        deletes=operation.method == "DELETE",
        takes_etag=changes or declared is not None,
        needs_etag=declared is not None and declared.required,
    )


def _header(operation: Operation, name: str) -> Parameter | None:
    wanted = name.lower()
    headers = (p for p in operation.parameters if p.where == "header")
    return next((p for p in headers if p.name.lower() == wanted), None) if name else None


def _shape(operation: Operation, name: str, in_body: Mapping[str, JsonValue]) -> FieldShape:
    parameter = operation.parameter(name)
    if parameter is not None:
        return FieldShape(argument_schema(parameter.schema), parameter.required)
    pointer = operation.pointer(name)
    assert operation.body is not None
    schema, required = below(operation.body.schema, pointer, in_body)
    return FieldShape(argument_schema(schema), required)


def _must(
    operation: Operation,
    fields: Collection[str],
    fixed: Mapping[str, JsonValue],
    in_body: Mapping[str, JsonValue],
    ours: Collection[str],
) -> tuple[str, ...]:
    given = [operation.parameter(f) for f in (*fields, *fixed)]
    lacking = [
        f"{p.where}:{p.name}"
        for p in operation.parameters
        if p.required and p not in given and not (p.where == "header" and p.name.lower() in ours)
    ]
    if operation.body is not None:
        pointers = [operation.pointer(f) for f in fields if not operation.parameter(f)]
        if operation.body.required or pointers or in_body:
            lacking += missing_fields(operation.body.schema, pointers, in_body)
    return tuple(lacking)


def wire_value(operation: Operation, field: str, value: JsonValue) -> Any:
    """The value of one field as the target expects it."""
    parameter = operation.parameter(field)
    return to_wire(value, parameter.schema) if parameter else value
