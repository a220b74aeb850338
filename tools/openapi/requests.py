"""Fields of a call -> the HTTP request: path, query, headers, cookies and body."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from tools.configured import OperationError
from tools.configured.schemas import simplified, to_wire
from tools.openapi.operations import FORM, MULTIPART, Body, Operation, Parameter
from tools.policy.mapping import put
from tools.tool import RejectedError

_DELIMITERS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|", "simple": ","}
Pair = tuple[str, str]


class Encoded(NamedTuple):
    """A request below the base address. `path` holds the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes | None


@dataclass
class _Parts:
    """A request in the making."""

    path: str
    query: list[Pair] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[Pair] = field(default_factory=list)
    body: dict[str, JsonValue] = field(default_factory=dict)

    def place(self, parameter: Parameter, value: Any) -> None:
        match parameter.where:
            case "path":
                hole = f"{{{parameter.name}}}"
                self.path = self.path.replace(hole, _segment(parameter, value))
            case "query":
                self.query += _pairs(parameter, value)
            case "header":
                self.headers[parameter.name] = _header(parameter, value)
            case "cookie":
                self.cookies += _pairs(parameter, value)


def encode(operation: Operation, inputs: Mapping[str, JsonValue]) -> Encoded:
    """Raises RejectedError for a value that cannot be sent, OperationError where one is missing."""
    parts = _Parts(operation.path)
    for name, value in inputs.items():
        parameter = operation.parameter(name)
        if parameter is None:
            put(parts.body, operation.pointer(name), value)
        else:
            parts.place(parameter, to_wire(value, parameter.schema))
    if "{" in parts.path:
        raise OperationError(f"{operation.name}: a part of {parts.path} has no value")
    if parts.cookies:
        cookies = (f"{name}={quote(value, safe='')}" for name, value in parts.cookies)
        parts.headers["Cookie"] = "; ".join(cookies)
    content = None
    if operation.body is not None and (parts.body or operation.body.required):
        parts.headers["Content-Type"], content = _body(operation.body, parts.body)
    return Encoded(operation.method, parts.path + _query(parts.query), parts.headers, content)


def _query(pairs: list[Pair]) -> str:
    return "?" + urlencode(pairs, quote_via=quote) if pairs else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def _segment(parameter: Parameter, value: Any) -> str:
    """One segment of the path. Nothing in it can leave the segment."""
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    if text in ("", ".", ".."):
        raise RejectedError("bad_argument", f"{parameter.name} cannot be {text!r}")
    return quote(text, safe="")


def _pairs(parameter: Parameter, value: Any) -> Iterator[Pair]:
    name, style = parameter.name, parameter.style
    match value:
        case list() if parameter.explode:
            yield from ((name, _text(each)) for each in value)
        case list():
            yield name, _DELIMITERS[style].join(map(_text, value))
        case dict() if style == "deepObject":
            yield from ((f"{name}[{key}]", _text(each)) for key, each in value.items())
        case dict() if parameter.explode:
            yield from ((key, _text(each)) for key, each in value.items())
        case dict():
            yield name, ",".join(f"{key},{_text(each)}" for key, each in value.items())
        case _:
            yield name, _text(value)


def _header(parameter: Parameter, value: Any) -> str:
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    if not text.isprintable() or not text.isascii():
        raise RejectedError("bad_argument", f"{parameter.name} has characters no header can carry")
    return text


def _body(body: Body, fields: dict[str, JsonValue]) -> tuple[str, bytes]:
    wired = {**fields}
    properties = simplified(body.schema).get("properties", {})
    if body.media == FORM:
        pairs = [(name, _text(value)) for name, value in _flat(wired)]
        return FORM, urlencode(pairs).encode()
    if body.media == MULTIPART:
        return _multipart(wired, properties)
    sent = to_wire(wired, body.schema)
    return body.media, json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode()


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, list):
            yield from ((name, each) for each in value)
        else:
            yield name, value


def _multipart(fields: Mapping[str, JsonValue], properties: Mapping[str, Any]) -> tuple[str, bytes]:
    """RFC 7578. A field of binary content goes as a file named after it, its text as UTF-8."""
    plain = json.dumps(fields, sort_keys=True).encode()
    boundary = hashlib.sha256(plain).hexdigest()  # sending it again is the same request
    parts: list[bytes] = []
    for name, value in _flat(fields):
        schema = simplified(properties.get(name, {}))
        label = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{label}"'
        if _is_file(schema):
            kind = schema.get("contentMediaType", "application/octet-stream")
            head += f'; filename="{label}"\r\nContent-Type: {kind}'
        parts.append(f"{head}\r\n\r\n{_text(value)}\r\n".encode())
    parts.append(f"--{boundary}--\r\n".encode())
    return f"{MULTIPART}; boundary={boundary}", b"".join(parts)


def _is_file(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "binary" or "contentMediaType" in schema
