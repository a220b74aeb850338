"""Manifests as a chat model is told of them, and its call read back: nothing it says is believed
that the user's own words do not bear out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from agent.acting.filling import Choices, fits
from agent.acting.phrasing import Phrasing
from agent.acting.said import Found, Said, listen
from agent.acting.types import Slot
from agent.acting.values import EXTRACTORS, Search
from agent.acting.wanted import Kind, Want, wants
from guardrails.labels import Integrity
from guardrails.pseudonyms import TOKEN, whole
from tools.types import Manifest

NONE_DOES = "no_such_tool"
_LONGEST_TEXT = 300
_OURS = (Kind.ENUM, Kind.BOOLEAN)


def told(tools: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Functions of the OpenAI protocol. Nothing is required: what is missing is asked for."""
    nothing = {"type": "object", "properties": {}}
    about = "An action is asked for that no other tool does."
    return [*map(_function, tools), _named(NONE_DOES, about, nothing)]


def _function(tool: Manifest) -> dict[str, Any]:
    about = ". ".join(part.rstrip(".") for part in (tool.title, tool.summary) if part)
    examples = "; ".join(tool.phrases)
    text = f"{about}. Said like: {examples}" if examples else about
    properties = {name: _property(want) for name, want in wants(tool).items()}
    return _named(tool.name, text, {"type": "object", "properties": properties})


def _named(name: str, about: str, parameters: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "description": about, "parameters": parameters}
    return {"type": "function", "function": function}


def _property(want: Want) -> dict[str, Any]:
    described = want.schema.get("description")
    parts = [want.argument.label, described if isinstance(described, str) else ""]
    if want.kind is Kind.CHOICE:
        schema: dict[str, Any] = {"type": "string"}
        parts.append("as the user said it")
    elif want.kind in (*_OURS, Kind.NUMBER):
        schema = {k: v for k, v in want.schema.items() if k in ("type", "enum", "anyOf")}
    else:
        schema = {"type": "string"}
        parts.append(f"such as {want.argument.hint}" if want.argument.hint else "")
    if want.kind is Kind.OBJECT:
        schema = dict(want.schema)
    text = ", ".join(part for part in parts if part)[:_LONGEST_TEXT]
    return {"type": "array", "items": schema, "description": text} if want.many else {
        **schema, "description": text
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """What a call is read against."""

    said: Said  # the turn
    spoken: str  # all that the user said in the conversation, lower case
    words: Phrasing
    choices: Choices


def read(tool: Manifest, arguments: Mapping[str, JsonValue], at: Reading) -> dict[str, Slot]:
    """Arguments that may be used. What the user did not say themselves is inferred, and says so;
    unknown arguments, unknown tokens and what breaks the schema are left out."""
    slots: dict[str, Slot] = {}
    wanted = wants(tool)
    for name, want in wanted.items():
        given = arguments.get(name)
        if given is None:
            continue
        values = given if want.many and isinstance(given, list) else [given]
        read_ = [slot for value in values if (slot := _slot(want, value, at)) is not None]
        if read_ and want.many:
            integrity = min(s.integrity for s in read_)
            origin = next((s.origin for s in read_ if s.origin), "")
            slots[name] = Slot([s.value for s in read_], integrity, origin)
        elif read_:
            slots[name] = read_[0]
    return {n: s for n, s in slots.items() if s.integrity >= wanted[n].argument.integrity}


def _slot(want: Want, value: JsonValue, at: Reading) -> Slot | None:
    if want.kind is Kind.CHOICE:
        return _chosen(want, value, at)
    if isinstance(value, str) and TOKEN.search(value):
        return _token(want, value, at)
    if want.kind is Kind.SECRET or not fits(Found(value, ()), want):
        return None  # a secret is never in the model's sight: what it writes is made up
    if want.kind in _OURS:
        return Slot(value, Integrity.OPERATOR)
    origin = "" if _was_said(value, at) else at.words.say("understood")
    return Slot(value, Integrity.USER_TYPED, origin)


def _token(want: Want, value: str, at: Reading) -> Slot | None:
    known = {m.held.token: m.held for m in at.said.mentions}
    if not TOKEN.fullmatch(value) or whole(value)[0] not in known or want.kind in _OURS:
        return None
    held = known[whole(value)[0]]
    part = whole(value)[1]
    parts = {*held.shape.get("parts", "").split(), *(["domain"] if "domain" in held.shape else [])}
    return None if part and part not in parts else Slot(value, held.integrity)


def _chosen(want: Want, value: JsonValue, at: Reading) -> Slot | None:
    """The model's words for a thing, looked for as if the user had answered with them."""
    if not isinstance(value, str):
        return None
    held = {m.held.token: m.held for m in at.said.mentions}
    answer = listen(value, held, at.said.now, at.said.zone, answers=True)
    there = at.choices.get(want.name, ())
    found = EXTRACTORS[Kind.CHOICE].find(Search(answer, want, at.words, choices=there))
    if not found or (len(found) > 1 and found[0].score == found[1].score):
        return None
    origin = "" if _was_said(value, at) else at.words.say("understood")
    return Slot(found[0].value, Integrity.USER_TYPED, origin)


def _was_said(value: JsonValue, at: Reading) -> bool:
    text = re.sub(r"\s+", " ", str(value)).strip().lower()
    bounds = (r"(?<!\w)", r"(?!\w)")
    return bool(text) and re.search(re.escape(text).join(bounds), at.spoken) is not None
