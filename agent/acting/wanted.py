"""A manifest -> what is wanted of each argument: its kind, its schema, whether it must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from agent.acting.words import of_name, stem
from tools.types import Argument, Manifest


class Kind(StrEnum):
    """Which extractor finds a value."""

    CHOICE = "choice"
    ENUM = "enum"
    BOOLEAN = "boolean"
    SECRET = "secret"
    EMAIL = "email"
    DOMAIN = "domain"
    HOST = "host"
    URL = "url"
    PEM = "pem"
    DURATION = "duration"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    TIMEZONE = "timezone"
    NUMBER = "number"
    ID = "id"
    NAME = "name"
    TEXT = "text"
    OBJECT = "object"


_KINDS = {
    **{kind.value: kind for kind in Kind if kind not in (Kind.CHOICE, Kind.ENUM, Kind.BOOLEAN)},
    "port": Kind.NUMBER,
    "percent": Kind.NUMBER,
    "integer": Kind.NUMBER,
    "hostname": Kind.HOST,
    "link": Kind.URL,
    "password": Kind.SECRET,
    "api_key": Kind.SECRET,
}
_FORMATS = {
    "email": Kind.EMAIL, "idn-email": Kind.EMAIL, "uri": Kind.URL, "url": Kind.URL,
    "hostname": Kind.HOST, "ipv4": Kind.HOST, "ipv6": Kind.HOST, "date": Kind.DATE,
    "date-time": Kind.DATETIME, "time": Kind.TIME, "duration": Kind.DURATION, "uuid": Kind.ID,
    "password": Kind.SECRET,
}  # fmt: skip
_WORDS = (
    (Kind.EMAIL, "email emails mail recipient recipients"),
    (Kind.SECRET, "password secret token credential apikey passphrase"),
    (Kind.TIMEZONE, "timezone tz"),
    (Kind.URL, "url uri link website endpoint webhook callback"),
    (Kind.DOMAIN, "domain"),
    (Kind.HOST, "host hostname server"),
    (Kind.DATE, "date day birthday"),
    (Kind.DATETIME, "datetime until deadline due when"),
    (Kind.TIME, "time hour"),
    (Kind.DURATION, "duration interval ttl"),
    (Kind.ID, "id ids uid uuid"),
    (Kind.NAME, "name title subject"),
)
_ID_PATTERN = re.compile(r"^\^\(?\??:?([A-Za-z]{2,8}[_-])")


@dataclass(frozen=True, slots=True)
class Want:
    """One argument. `schema` is that of one value; `many` when the argument is a list of them."""

    name: str
    kind: Kind
    schema: Mapping[str, JsonValue]
    argument: Argument
    many: bool = False

    @property
    def words(self) -> frozenset[str]:
        """Stems that name the argument."""
        said = f"{of_name(self.name)} {self.argument.label}".lower()
        return frozenset(stem(word) for word in re.findall(r"[^\W_]+", said))

    @property
    def integer(self) -> bool:
        return "integer" in _types(self.schema)


def wants(manifest: Manifest) -> dict[str, Want]:
    """Every argument by name, in the order of the schema."""
    return wants_of(manifest.schema, manifest.arguments)


def wants_of(schema: Mapping[str, JsonValue], arguments: Mapping[str, Argument]) -> dict[str, Want]:
    """The properties of an object by name."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {
        name: _want(name, schema, arguments.get(name))
        for name, schema in properties.items()
        if isinstance(schema, Mapping)
    }


def _want(name: str, schema: Mapping[str, JsonValue], argument: Argument | None) -> Want:
    told = argument or Argument(of_name(name).capitalize())
    single = without_null(schema)
    many = single.get("type") == "array"
    if many:
        items = single.get("items")
        single = without_null(items) if isinstance(items, Mapping) else {"type": "string"}
    return Want(name, _kind(name, single, told), single, told, many)


def without_null(schema: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The schema of a value that is there."""
    for union in ("anyOf", "oneOf"):
        branches = schema.get(union)
        if isinstance(branches, list):
            left = [b for b in branches if isinstance(b, Mapping) and b.get("type") != "null"]
            if len(left) == 1:
                rest = {k: v for k, v in schema.items() if k != union}
                return {**rest, **left[0]}
    return schema


def _kind(name: str, schema: Mapping[str, JsonValue], argument: Argument) -> Kind:
    """By what the operator says, then by the schema, then by the words of the name."""
    told = _by_policy(schema, argument)
    if told is not None:
        return told
    types, form = _types(schema), schema.get("format")
    if "object" in types:
        return Kind.OBJECT
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    return Kind.NUMBER if types & {"integer", "number"} else _by_words(name, schema)


def _by_policy(schema: Mapping[str, JsonValue], argument: Argument) -> Kind | None:
    if argument.choices is not None:
        return Kind.CHOICE
    if "enum" in schema or "const" in schema:
        return Kind.ENUM
    if "boolean" in _types(schema):
        return Kind.BOOLEAN
    if argument.secret or argument.kind.endswith("_key"):
        return Kind.SECRET
    return _KINDS.get(argument.kind)


def _by_words(name: str, schema: Mapping[str, JsonValue]) -> Kind:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and _ID_PATTERN.match(pattern):
        return Kind.ID
    parts = of_name(name).split()
    for kind, words in _WORDS:
        if parts and (parts[-1] in words.split() or (kind is Kind.EMAIL and "email" in parts)):
            return kind
    if len(parts) > 1 and (parts[-1] in {"at", "on"}) and parts[0] != "look":
        return Kind.DATETIME
    return Kind.TEXT


def _types(schema: Mapping[str, JsonValue]) -> frozenset[str]:
    found: set[str] = set()
    kind = schema.get("type")
    found.update([kind] if isinstance(kind, str) else [])
    found.update(k for k in kind if isinstance(k, str)) if isinstance(kind, list) else None
    for union in ("anyOf", "oneOf"):
        branches = schema.get(union)
        for branch in branches if isinstance(branches, list) else ():
            found |= _types(branch) if isinstance(branch, Mapping) else set()
    return frozenset(found)


def id_prefix(schema: Mapping[str, JsonValue]) -> str:
    """The prefix that the pattern of an id begins with, empty when it has none."""
    pattern = schema.get("pattern")
    match = _ID_PATTERN.match(pattern) if isinstance(pattern, str) else None
    return match[1] if match else ""


def required(manifest: Manifest, known: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Arguments that must be there once `known` is, in the order to ask: `allOf` with `if` and
    `then` adds what a known value makes necessary."""
    names = _required_of(manifest.schema)
    rules = manifest.schema.get("allOf")
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, Mapping) and _holds(rule.get("if"), known):
            names += _required_of(rule.get("then"))
    return tuple(dict.fromkeys(names))


def _required_of(schema: object) -> list[str]:
    named = schema.get("required") if isinstance(schema, Mapping) else None
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def _holds(condition: JsonValue, known: Mapping[str, JsonValue]) -> bool:
    if not isinstance(condition, Mapping):
        return False
    tested = condition.get("properties")
    named = isinstance(tested, Mapping) and all(name in known for name in tested)
    return named and Draft202012Validator(condition).is_valid(dict(known))
