"""front matter and rules file -> labels of a page.

The rules file is TOML. Rules are read from top to bottom and the last rule that sets a field
wins, field by field; front matter wins over every rule:

    [[rule]]
    match = ["runbooks/**", "policies/*.md"]
    audience = "staff"
    owner = "docs@harbor.example"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from ingest.globs import Glob
from ingest.types import PageFault, PageLabels, RulesError
from retrieval.types import LABEL_FIELDS

RULES_FILES = ("embark-labels.toml", "labels.toml")
"""Names under which a rules file is looked for beside the docs, in this order."""
FIELDS = (*LABEL_FIELDS, "owner", "updated")

_VALUE = re.compile(r"[^\s,\x00-\x1f][^,\x00-\x1f]{0,99}")
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class LabelFault(ValueError):
    """A value that is no label; `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class _Rule(NamedTuple):
    match: Glob
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LabelRules:
    """What a rules file says: globs to labels. Without rules, every page is for all."""

    rules: tuple[_Rule, ...] = ()

    def defaults(self, path: str) -> Mapping[str, object]:
        """The fields that the rules set for a page path, later rules over earlier ones."""
        merged: dict[str, object] = {}
        for rule in self.rules:
            if rule.match.matches(path):
                merged.update(rule.values)
        return merged


def load_rules(path: Path) -> LabelRules:
    """Read and check a rules file. Raises RulesError with the line to blame."""
    try:
        text = path.read_text("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise RulesError(str(path), None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RulesError(str(path), None, "is not UTF-8 text; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        place = _TOML_LINE.search(str(error))
        message = _TOML_LINE.sub("", str(error)).strip()
        raise RulesError(str(path), int(place[1]) if place else None, message) from error
    return LabelRules(tuple(_rules(str(path), document, text.split("\n"))))


def find_rules(root: Path) -> Path | None:
    """The rules file beside the docs: in `root` itself, else in the folder above it."""
    for folder in (root, root.parent):
        for name in RULES_FILES:
            if (folder / name).is_file():
                return folder / name
    return None


def page_labels(path: str, meta: Mapping[str, object], rules: LabelRules) -> PageLabels:
    """Labels from front matter over rules; keys that are no labels are ignored.

    A string is one value or several with commas between; a list is taken value by value. Raises
    LabelFault: a page whose labels are in doubt must not become visible to all.
    """
    values = {**rules.defaults(path), **_given(meta)}
    groups = {name: label_values(name, values.get(name)) for name in LABEL_FIELDS}
    fields = {name: value for name, value in groups.items() if value}
    return PageLabels(
        **fields, owner=_owner(values.get("owner")), updated=iso_date(values.get("updated"))
    )


def _given(meta: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in meta.items() if key in FIELDS and value is not None}


def label_values(field: str, value: object) -> tuple[str, ...]:
    """Distinct values in the order given; empty where the field is absent. Raises LabelFault."""
    if value is None:
        return ()
    given: Sequence[object] = value if isinstance(value, list) else [value]
    found: list[str] = []
    for item in given:
        found += _split(field, item) if isinstance(item, str) else [_scalar(field, item)]
    if not found:
        raise LabelFault(field, f"`{field}` is empty; name its values, or remove it to mean all")
    return tuple(dict.fromkeys(found))


def iso_date(value: object) -> str | None:
    """`2026-11-02` from a date, a time or text that starts with an ISO date. Raises LabelFault."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(str(value).strip()[:10]).isoformat()
    except ValueError:
        raise LabelFault("updated", f"`updated` is {value!r}, not a date like 2026-11-02") from None


def _split(field: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if part and not _VALUE.fullmatch(part):
            raise LabelFault(field, f"`{field}` holds {part[:40]!r}, which is no label value")
    return [part for part in parts if part]


def _scalar(field: str, value: object) -> str:
    """Versions are often written as numbers."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    kind = type(value).__name__
    raise LabelFault(field, f"`{field}` holds a {kind}; write a text or a list of texts")


def _owner(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return (value or "").strip() or None
    raise LabelFault("owner", f"`owner` holds a {type(value).__name__}; write one text")


def _rules(path: str, document: Mapping[str, object], lines: Sequence[str]) -> Iterator[_Rule]:
    for key in document:
        if key != "rule":
            raise RulesError(path, _line_of(lines, key), f"unknown key {key!r}; write [[rule]]")
    given = document.get("rule", [])
    if not isinstance(given, list):
        raise RulesError(path, _line_of(lines, "[rule]"), "write [[rule]] with double brackets")
    starts = [n for n, line in enumerate(lines) if line.strip().startswith("[[rule]]")]
    for position, table in enumerate(given):
        start = starts[position] if position < len(starts) else 0
        yield _rule(path, table, lines, start)


def _rule(path: str, table: object, lines: Sequence[str], start: int) -> _Rule:
    if not isinstance(table, dict):
        raise RulesError(path, start + 1, "a rule is a table: [[rule]]")
    match = table.get("match")
    patterns = [match] if isinstance(match, str) else match
    if not patterns or not all(isinstance(p, str) for p in patterns):
        raise RulesError(path, start + 1, 'a rule needs match = "some/**" or a list of globs')
    values = {key: value for key, value in table.items() if key != "match"}
    for key in values:
        if key not in FIELDS:
            known = ", ".join(FIELDS)
            raise RulesError(path, _line_of(lines, key, start), f"no label {key!r}; known: {known}")
    try:
        page_labels("", values, LabelRules())
    except LabelFault as fault:
        raise RulesError(path, _line_of(lines, fault.field, start), str(fault)) from fault
    return _Rule(Glob(patterns), values)


def _line_of(lines: Sequence[str], key: str, start: int = 0) -> int:
    """The first line at or below `start` that begins with `key`, from 1."""
    for number, line in enumerate(lines[start:], start + 1):
        if line.strip().startswith(key):
            return number
    return start + 1


def checked_labels(
    path: str, meta: Mapping[str, object], lines: Mapping[str, int], rules: LabelRules
) -> PageLabels:
    """`page_labels`, with a fault told as PageFault at the line of the front matter."""
    try:
        return page_labels(path, meta, rules)
    except LabelFault as fault:
        hint = "mend the label; the page is left out because who may see it is unknown"
        raise PageFault(str(fault), hint, lines.get(fault.field)) from fault
