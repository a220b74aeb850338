"""Values and conditions of a flow file: look-ups only, nothing is computed.

A value is JSON in which an object may be replaced by

    {$arg: NAME}                  an argument of the flow
    {$result: STEP, at: POINTER}  part of a step's result (RFC 6901; the whole without `at`)
    {$text: "Sales of {NAME}"}    text with arguments put in
    {$first: [VALUE, ..]}         the first of them that is there
    {$only: VALUE, with: [POINTER, ..], at: POINTER}
                                  part of the one item of a list that has all these parts; absent
                                  when none has, or several have

An argument that is absent leaves its member out. A condition is one of

    {$arg: NAME, in: [..]}   {$result: STEP, at: POINTER, in: [..]}   {.., present: true | false}
    {all: [..]}   {any: [..]}   {not: ..}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class _Absent:
    """Nothing is there; JSON's null is something."""


ABSENT: Final = _Absent()
_LOOK_UP = ("$arg or $result", "at")


class BadValueError(ValueError):
    """A value or condition that is not in the language; says what is wrong."""


@dataclass(slots=True)
class Known:
    """What a running flow can look at: its arguments, and the results of steps so far."""

    arguments: Mapping[str, JsonValue]
    results: dict[str, JsonValue] = field(default_factory=dict)


def at(value: JsonValue, pointer: str) -> JsonValue | _Absent:
    """The part that an RFC 6901 pointer names, ABSENT when there is none."""
    here = value
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        match here:
            case dict() if name in here:
                here = here[name]
            case list() if name.isdigit() and int(name) < len(here):
                here = here[int(name)]
            case _:
                return ABSENT
    return here


def fill(template: JsonValue, known: Known) -> JsonValue | _Absent:
    """The template with everything looked up. Members and items that are ABSENT fall away."""
    match template:
        case dict() if template.keys() & {"$arg", "$result"} and len(template) <= len(_LOOK_UP):
            return _looked_up(template, known)
        case {"$first": list(options)}:
            return _first(options, known)
        case dict() if "$only" in template:
            return _only(fill(template["$only"], known), template)
        case {"$text": str(text)}:
            return _NAME.sub(lambda name: str(known.arguments.get(name[1], "")), text)
        case _:
            return _inside(template, known)


def _inside(template: JsonValue, known: Known) -> JsonValue:
    """Members and items looked up one by one."""
    match template:
        case dict():
            filled = {name: fill(inner, known) for name, inner in template.items()}
            return {name: v for name, v in filled.items() if not isinstance(v, _Absent)}
        case list():
            items = [fill(inner, known) for inner in template]
            return [v for v in items if not isinstance(v, _Absent)]
        case _:
            return template


def _first(options: Sequence[JsonValue], known: Known) -> JsonValue | _Absent:
    found = (fill(option, known) for option in options)
    return next((value for value in found if not isinstance(value, _Absent)), ABSENT)


def _only(items: JsonValue | _Absent, picking: Mapping[str, JsonValue]) -> JsonValue | _Absent:
    needed = picking.get("with") or []
    if not isinstance(needed, list):
        raise BadValueError("`with` of $only lists JSON pointers, such as [/columns/user_id]")
    fitting = [
        item
        for item in (items if isinstance(items, list) else ())
        if not any(isinstance(at(item, str(pointer)), _Absent) for pointer in needed)
    ]
    return at(fitting[0], str(picking.get("at") or "")) if len(fitting) == 1 else ABSENT


def holds(condition: JsonValue, known: Known) -> bool:
    """Whether the condition is true now; an empty one is."""
    if condition is None or condition == {}:
        return True
    match condition:
        case {"all": list(parts)}:
            return all(holds(part, known) for part in parts)
        case {"any": list(parts)}:
            return any(holds(part, known) for part in parts)
        case {"not": part}:
            return not holds(part, known)
        case dict():
            return _compared(condition, known)
        case _:
            raise BadValueError(f"{condition!r} is no condition: write in, present, all, any, not")


def _compared(condition: dict[str, JsonValue], known: Known) -> bool:
    match condition:
        case {"in": list(wanted)}:
            return _looked_up(condition, known) in wanted
        case {"present": bool(expected)}:
            return _is_there(_looked_up(condition, known)) is expected
        case _:
            raise BadValueError(f"{condition!r} is no condition: write in, present, all, any, not")


def _is_there(value: JsonValue | _Absent) -> bool:
    return not isinstance(value, _Absent) and value not in (None, "", [])


def _looked_up(where: Mapping[str, JsonValue], known: Known) -> JsonValue | _Absent:
    pointer = where.get("at") or ""
    if not isinstance(pointer, str):
        raise BadValueError("`at` is a JSON pointer, such as /error/code")
    match where:
        case {"$arg": str(name)}:
            found = known.arguments.get(name, ABSENT)
        case {"$result": str(name)}:
            found = known.results.get(name, ABSENT)
        case _:
            raise BadValueError(f"{dict(where)!r} names neither $arg nor $result")
    return found if isinstance(found, _Absent) else at(found, pointer)


def named(template: JsonValue) -> Iterator[tuple[str, str]]:
    """Every (`arg` | `result`, name) that a value or condition looks up."""
    match template:
        case {"$arg": str(name), **_rest}:
            yield "arg", name
        case {"$result": str(name), **_rest}:
            yield "result", name
        case {"$text": str(text)}:
            yield from (("arg", name) for name in _NAME.findall(text))
        case dict():
            for inner in template.values():
                yield from named(inner)
        case list():
            for inner in template:
                yield from named(inner)
        case _:
            return
