"""Cases of the tool-routing suite: what people say, and the call that is meant.

A folder holds `utterances.jsonl`, one case a line:

    {"id": "i-7", "utterance": "invite ana@acme.io as editor", "tags": ["action"],
     "expect": {"tool": "create_invite", "arguments": {"email": "ana@acme.io", "role": "editor"}}}

- `utterance`, or `turns`: what the user says one after the other; replies are not written down.
  What is expected holds after the last.
- `expect`, one of three. `{"tool", "arguments"}`: the complete call, with no argument more.
  `{"tool", "ask", "arguments"?}`: the question that must be put first; `tool` may be left out.
  `{"none": true}`: no action at all.
- `facts`, `choices`, `rights` of the one case go over those of the world; `tags` name what the
  case is about and are reported apart.

and `world.json`, what holds for every case; every key may be left out:

    {"now": "2026-11-23T10:00:00+00:00", "timezone": "Europe/Berlin", "rights": ["members.invite"],
     "facts": {"profile.email_domain": "acme.io"},
     "choices": {"list_members": [["usr_1", "tom@acme.io"]]}}

`choices` are what a listing tool gives, as pairs of value and label. Without `rights` every tool of
the catalogue is offered. A value in `facts` is held as confirmed by nobody: it has to be asked
about, which counts as a complete call here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import JsonValue

UTTERANCES = "utterances.jsonl"
WORLD = "world.json"
NOW = "2026-11-23T10:00:00+00:00"
"""When cases happen whose world does not say."""
Pairs = tuple[tuple[JsonValue, str], ...]


class CasesError(Exception):
    """A folder of cases cannot be used; says where, what and how to mend it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """`tool` None: no action. `ask` is the argument that must be asked for first."""

    tool: str | None = None
    arguments: Mapping[str, JsonValue] | None = None
    ask: str | None = None

    @property
    def acts(self) -> bool:
        return self.tool is not None or self.ask is not None


@dataclass(frozen=True, slots=True)
class World:
    """What the planner may know beside the user's words."""

    now: datetime
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    choices: Mapping[str, Pairs] = field(default_factory=dict)
    rights: frozenset[str] | None = None  # None: everything is allowed


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    turns: tuple[str, ...]
    expected: Expected
    world: World
    tags: tuple[str, ...] = ()


def load_cases(folder: Path) -> tuple[Case, ...]:
    """The cases of a folder, in the order of the file. Raises CasesError."""
    world = _world(folder / WORLD)
    path = folder / UTTERANCES
    cases = []
    for number, line in enumerate(_read(path).splitlines(), start=1):
        if line.strip():
            cases.append(_case(_parsed(line, f"{path}:{number}"), f"{path}:{number}", world))
    if not cases:
        raise CasesError(f"{path} holds no case")
    ids = [case.id for case in cases]
    twice = next((id for id in ids if ids.count(id) > 1), None)
    if twice is not None:
        raise CasesError(f"{path}: the id {twice!r} occurs twice")
    return tuple(cases)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CasesError(f"{path} cannot be read: {error}") from error


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise CasesError(f"{where}: no JSON: {error}") from error
    if not isinstance(value, dict):
        raise CasesError(f"{where}: must be a JSON object")
    return value


def _world(path: Path) -> World:
    data = _parsed(_read(path), str(path)) if path.exists() else {}
    try:
        zone = ZoneInfo(data.get("timezone", "UTC"))
        now = datetime.fromisoformat(data.get("now", NOW))
    except (ZoneInfoNotFoundError, TypeError, ValueError) as error:
        raise CasesError(f"{path}: `now` or `timezone` cannot be read: {error}") from error
    if now.tzinfo is None:
        raise CasesError(f"{path}: `now` needs its offset, such as 2026-11-23T10:00:00+00:00")
    return _over(World(now.astimezone(zone)), data, str(path))


def _over(world: World, data: Mapping[str, Any], where: str) -> World:
    """The world with what `data` says of it."""
    choices = {
        tool: tuple(_pair(pair, f"{where}: choices of {tool}") for pair in pairs)
        for tool, pairs in _mapping(data, "choices", where).items()
    }
    rights = data.get("rights")
    return World(
        world.now,
        {**world.facts, **_mapping(data, "facts", where)},
        {**world.choices, **choices},
        world.rights if rights is None else frozenset(rights),
    )


def _mapping(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise CasesError(f"{where}: `{key}` must be an object")
    return value


def _pair(pair: JsonValue, where: str) -> tuple[JsonValue, str]:
    match pair:
        case [value, str(label)]:
            return value, label
        case _:
            raise CasesError(f"{where}: each must be a pair of value and label")


def _case(data: Mapping[str, Any], where: str, world: World) -> Case:
    id, turns = data.get("id"), data.get("turns", [data.get("utterance")])
    if not isinstance(id, str) or not id:
        raise CasesError(f"{where}: `id` is missing")
    if not isinstance(turns, list) or not all(isinstance(t, str) and t for t in turns):
        raise CasesError(f"{where}: `utterance` must be a text, or `turns` a list of texts")
    expected = _expected(_mapping(data, "expect", where), where)
    return Case(id, tuple(turns), expected, _over(world, data, where), tuple(data.get("tags", ())))


def _expected(data: Mapping[str, Any], where: str) -> Expected:
    match data:
        case {"none": True}:
            return Expected()
        case {"ask": str(argument)}:
            return Expected(data.get("tool"), data.get("arguments"), argument)
        case {"tool": str(tool)}:
            return Expected(tool, _mapping(data, "arguments", where))
        case _:
            raise CasesError(f"{where}: `expect` needs `tool`, `ask`, or `none` that is true")
