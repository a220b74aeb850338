"""`{path}` placeholders: how one call's values become another's. Nothing is ever evaluated.

    "{email}"              the value of that name, with its type
    "{result/id}"          RFC 6901 pointer below a root
    "{result/items/*/id}"  `*` takes every element of a list that has what follows
    "Team {name}"          text with values in it
    "{{literal}}"          braces themselves

Roots: arguments (`{name}` is short for `{args/name}`), result, before, item, who, attempt. What is
missing is left out, so that an optional argument stays unset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

ROOTS = ("args", "result", "before", "item", "who", "attempt")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class MappingError(ValueError):
    """A template that cannot be read; says what is wrong with it."""


class Missing:
    """A value that is not there."""


MISSING = Missing()
Values = Mapping[str, JsonValue]
"""Root to what is known under it."""


def fill(template: JsonValue, values: Values, default: str = "args") -> JsonValue | Missing:
    """The template with its placeholders replaced; MISSING when one has no value.

    In objects and lists a missing member is left out.
    """
    if isinstance(template, str):
        return _text(template, values, default)
    if isinstance(template, list):
        filled = [fill(each, values, default) for each in template]
        return [each for each in filled if not isinstance(each, Missing)]
    if isinstance(template, dict):
        return fill_all(template, values, default)
    return template


def fill_all(
    templates: Mapping[str, JsonValue], values: Values, default: str = "args"
) -> dict[str, JsonValue]:
    """Every template that has a value, by name."""
    filled = {name: fill(template, values, default) for name, template in templates.items()}
    return {name: value for name, value in filled.items() if not isinstance(value, Missing)}


def _text(template: str, values: Values, default: str) -> JsonValue | Missing:
    whole = _PIECE.fullmatch(template)
    if whole and whole.group(1) is not None:
        return _looked_up(whole.group(1), values, default)
    missing = False

    def put(match: re.Match[str]) -> str:
        nonlocal missing
        if match.group(1) is None:
            return match.group()[0]
        value = _looked_up(match.group(1), values, default)
        missing = missing or isinstance(value, Missing | dict | list) or value is None
        return "" if missing else _plain(value)

    text = _PIECE.sub(put, template)
    return MISSING if missing else text


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _looked_up(path: str, values: Values, default: str) -> JsonValue | Missing:
    root, pointer = _split(path, default)
    return at(values.get(root), pointer)


def _split(path: str, default: str) -> tuple[str, str]:
    root, slash, rest = path.partition("/")
    if slash and root in ROOTS:
        return root, f"/{rest}"
    return default, f"/{path}"


def at(document: JsonValue, pointer: str) -> JsonValue | Missing:
    """What the pointer names; `*` goes over every element of a list. `` is the whole."""
    return _below(document, _steps(pointer))


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise MappingError(f"{pointer!r}: a pointer is empty or starts with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _below(document: JsonValue, steps: list[str]) -> JsonValue | Missing:
    if not steps:
        return document
    step, rest = steps[0], steps[1:]
    if isinstance(document, list):
        return _in_list(document, step, rest)
    if isinstance(document, dict) and step in document:
        return _below(document[step], rest)
    return MISSING


def _in_list(items: list[JsonValue], step: str, rest: list[str]) -> JsonValue | Missing:
    if step == "*":
        found = [_below(item, rest) for item in items]
        return [each for each in found if not isinstance(each, Missing)]
    if step.isdigit() and int(step) < len(items):
        return _below(items[int(step)], rest)
    return MISSING


def put(document: dict[str, JsonValue], pointer: str, value: JsonValue) -> None:
    """Set a value in nested objects, making them on the way. Raises MappingError."""
    *way, last = _steps(pointer)
    here = document
    for step in way:
        inner = here.setdefault(step, {})
        if not isinstance(inner, dict):
            raise MappingError(f"{pointer}: {step} holds a value, nothing can be put below it")
        here = inner
    here[last] = value


def placeholders(template: JsonValue, default: str = "args") -> Iterator[tuple[str, str]]:
    """Root and pointer of every placeholder. Raises MappingError where one cannot be read."""
    if isinstance(template, str):
        yield from _of_text(template, default)
    elif isinstance(template, list):
        for each in template:
            yield from placeholders(each, default)
    elif isinstance(template, dict):
        for each in template.values():
            yield from placeholders(each, default)


def _of_text(template: str, default: str) -> Iterator[tuple[str, str]]:
    for match in _PIECE.finditer(template):
        if match.group(1) is not None:
            if not match.group(1):
                raise MappingError(f"{template!r}: empty braces")
            yield _split(match.group(1), default)
    if re.search(r"[{}]", _PIECE.sub("", template)):
        raise MappingError(f"{template!r}: a brace stands alone; write {{{{ or }}}} for itself")
