"""A policy file held against what its sources offer: every finding with its line and its mending.

Errors would mislead a user or fail in their hands; warnings are for somebody to think about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from tools.configured import ConfiguredTool
from tools.policy import OpenApiSource, PolicyFile, ToolEntry
from tools.policy.mapping import placeholders
from tools.policy.types import ArgumentEntry, Templates
from tools.types import EffectClass, Tier

_SECRET = re.compile(r"(^|_)(password|passwd|secret|token|credentials?|private_key|api_key)$")
_ADMIN = {"admin", "owner", "administrator", "superuser"}
_REVERSIBLE = (Tier.R1, Tier.R2)
"""Tiers whose definition says that it can be undone (safety reference, 4.2)."""


@dataclass(frozen=True, slots=True)
class Finding:
    level: Literal["error", "warning"]
    where: str  # FILE:LINE
    tool: str
    message: str


@dataclass(frozen=True, slots=True)
class _Subject:
    """One entry and the tool that was made of it. `report` takes the place below the entry."""

    key: str
    entry: ToolEntry
    tool: ConfiguredTool
    file: PolicyFile

    def error(self, message: str, *place: str) -> Finding:
        return self._finding("error", message, place)

    def warning(self, message: str, *place: str) -> Finding:
        return self._finding("warning", message, place)

    def _finding(
        self, level: Literal["error", "warning"], message: str, place: Iterable[str]
    ) -> Finding:
        return Finding(level, self.file.at("tools", self.key, *place), self.key, message)


def lint(file: PolicyFile, tools: Mapping[str, ConfiguredTool]) -> list[Finding]:
    """Findings in the order of the file. `tools` are those that could be built, by their key."""
    found: list[Finding] = []
    for key, entry in file.policy.tools.items():
        if key in tools:
            subject = _Subject(key, entry, tools[key], file)
            for rule in RULES:
                found += rule(subject)
    return found


def _undo_is_said(it: _Subject) -> Iterator[Finding]:
    if it.entry.level in _REVERSIBLE and it.entry.undo is None:
        yield it.error(
            f"tier {it.entry.tier} means reversible, and `undo` is missing: name the tool that"
            " takes it back, or with `none` the reason why there is none"
        )
    elif it.entry.level > Tier.R2 and it.entry.undo is None:
        yield it.warning("`undo` is missing: what can a person do who regrets it?")


def _undo_knows_its_values(it: _Subject) -> Iterator[Finding]:
    undo, look = it.entry.undo, it.entry.look
    shown = look.shown.keys() if look else ()
    for root, pointer in placeholders(dict(undo.arguments)) if undo else ():
        name = pointer.removeprefix("/").partition("/")[0]
        if root == "before" and name not in shown:
            yield it.error(f"before/{name} is not under `shown` of `look`", "undo", "arguments")


def _effect_is_kept(it: _Subject) -> Iterator[Finding]:
    entry = it.entry
    source = it.file.policy.sources[entry.source]
    marked = _uses_action(entry.fixed)
    if entry.effect_class is EffectClass.KEYED:
        keyed = isinstance(source, OpenApiSource) and source.idempotency_header
        if not keyed and not marked:
            yield it.error(
                "class K sends an idempotency key, and there is none: name the source's"
                " `idempotency_header`, or fix a field to {attempt/action_id}",
                "effect",
            )
    if entry.effect_class is EffectClass.READ_BACK:
        yield from _can_read_back(it, marked=marked)


def _can_read_back(it: _Subject, *, marked: bool) -> Iterator[Finding]:
    read_back = it.entry.read_back
    if read_back is None:
        yield it.error("class R is read back before a retry, and `read_back` is missing", "effect")
    elif read_back.find is not None and not (marked and _uses_action(read_back.find.where)):
        yield it.warning(
            "an older thing of the same look would be taken for the effect; mark the new one with"
            " {attempt/action_id} if the target has a field for it",
            "read_back",
        )


def _uses_action(templates: Templates) -> bool:
    return ("attempt", "/action_id") in list(placeholders(dict(templates)))


def _tier_fits(it: _Subject) -> Iterator[Finding]:
    tier, shape = it.entry.level, it.tool.shape
    if shape.writes and tier is Tier.R0 and not it.entry.reads:
        yield it.error(
            "a writing operation as R0 would run without asking; raise the tier, or say"
            " `reads: true` where it changes nothing",
            "tier",
        )
    if shape.deletes and Tier.R0 < tier < Tier.R2:
        yield it.error(f"{it.entry.operation or it.key} deletes; its tier is R2 or more", "tier")


def _arguments_can_be_asked(it: _Subject) -> Iterator[Finding]:
    required = it.tool.required()
    for name, argument in it.entry.arguments.items():
        if name in required and not argument.ask and it.entry.level > Tier.R0:
            yield it.error(
                f"{name} is required and has no `ask`: the question that gets it from the user",
                "arguments",
                name,
            )


def _secrets_are_marked(it: _Subject) -> Iterator[Finding]:
    properties = it.tool.manifest.schema["properties"]
    assert isinstance(properties, dict)
    for name, argument in it.entry.arguments.items():
        if argument.secret:
            continue
        if _is_secret(properties[name]) or _SECRET.search(_last(name, argument)):
            yield it.error(f"{name} looks like a secret: say `secret: true`", "arguments", name)


def _last(name: str, argument: ArgumentEntry) -> str:
    return re.split(r"[/:]", argument.field or name)[-1]


def _is_secret(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and (
        schema.get("format") == "password" or schema.get("writeOnly") is True
    )


def _admins_are_known(it: _Subject) -> Iterator[Finding]:
    properties = it.tool.manifest.schema["properties"]
    assert isinstance(properties, dict)
    for name, schema in properties.items():
        values = schema.get("enum") if isinstance(schema, dict) else None
        strong = _ADMIN & {str(v) for v in values} if isinstance(values, list) else set()
        if strong and name not in it.entry.admin_values and it.entry.level > Tier.R0:
            told = ", ".join(sorted(strong))
            yield it.warning(
                f"{name} may be {told}: name it under `admin_values`", "arguments", name
            )


def _references_exist(it: _Subject) -> Iterator[Finding]:
    tools = it.file.policy.tools
    for name, argument in it.entry.arguments.items():
        if argument.choices is None:
            continue
        listing = tools.get(argument.choices.tool)
        if listing is None or listing.level > Tier.R0:
            told = f"choices come from a reading tool, and {argument.choices.tool} is none"
            yield it.error(told, "arguments", name, "choices")
    for code, remedy in it.entry.remedies.items():
        if remedy not in tools:
            yield it.warning(f"{remedy} is no tool of this file", "remedies", code)


def _users_can_find_it(it: _Subject) -> Iterator[Finding]:
    if not it.entry.phrases and not it.entry.hidden:
        yield it.warning("`phrases` are missing: what would a user say who wants this?")


RULES: tuple[Callable[[_Subject], Iterator[Finding]], ...] = (
    _undo_is_said,
    _undo_knows_its_values,
    _effect_is_kept,
    _tier_fits,
    _arguments_can_be_asked,
    _secrets_are_marked,
    _admins_are_known,
    _references_exist,
    _users_can_find_it,
)
