"""The card: rendered by code from arguments, manifest and the target's present state.

What is shown of a value reads back to exactly that value. Only what cannot be seen, or would
change how its surroundings are seen, is written as `\\u{202E}`; the value that is sent keeps it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from tools.approvals import lifts, targets
from tools.canonical import canonical, sha256
from tools.types import Arguments, Card, CardField, Manifest, Principal, Target, Tier

DOTS = "••••••••"
"""All that is shown of a secret, whatever its length."""
_KEPT = frozenset("\n\t ")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and symbols that look like nothing."""
_VARIANTS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_ESCAPED = re.compile(r"\\u\{([0-9A-F]+)\}")
_MINUTE_S, _HOUR_S = 60, 3600


def shown(text: str) -> str:
    """The text with every hidden character spelled out; `unshown` gives it back."""
    return "".join(_shown(char) for char in text.replace("\\u{", "\\u{5C}u{"))


def unshown(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)


def _shown(char: str) -> str:
    if char in _KEPT or (char.isascii() and char.isprintable()):
        return char
    hidden = unicodedata.category(char) in _HIDDEN or char in _BLANK
    variant = any(ord(char) in span for span in _VARIANTS)
    return f"\\u{{{ord(char):X}}}" if hidden or variant else char


def as_text(value: JsonValue, schema: JsonValue = None) -> str:
    """Verbatim where the schema allows nothing but text; a list as a count, a hash over its
    canonical form, and one item a line; JSON otherwise."""
    kind, items = _kinds(schema)
    match value:
        case str() if kind == "string":
            return shown(value)
        case list():
            lines = [_line(item, items) for item in value]
            return "\n".join([_counted(value), *lines])
        case _:
            return _json(value)


def _kinds(schema: JsonValue) -> tuple[JsonValue, JsonValue]:
    if not isinstance(schema, Mapping):
        return None, None
    items = schema.get("items")
    return schema.get("type"), items.get("type") if isinstance(items, Mapping) else None


def _line(item: JsonValue, kind: JsonValue) -> str:
    if isinstance(item, str) and kind == "string":
        return shown(item).replace("\n", "\\u{A}")
    return _json(item)


def _counted(value: Sequence[JsonValue]) -> str:
    count = "1 item" if len(value) == 1 else f"{len(value)} items"
    return f"{count}, sha256 {_hash(list(value))}" if len(value) > 1 else count


def _hash(value: JsonValue) -> str:
    return sha256(_json(value).encode())


def _json(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return shown(text)


def render(
    manifest: Manifest,
    arguments: Arguments,
    target: Target,
    who: Principal,
    tier: Tier,
    origins: Mapping[str, str],
) -> Card:
    """The card of a call. Fields stand in the schema's order, every argument once."""
    count = targets(manifest, arguments)
    listed = arguments.get(manifest.bulk) if count > 1 else None
    return Card(
        title=manifest.title,
        fields=tuple(
            _field(manifest, name, arguments[name], target, origins.get(name, ""))
            for name in _ordered(manifest, arguments)
        ),
        tier=tier,
        count=count,
        list_hash=sha256(canonical(listed)) if listed is not None else "",
        who=_who(manifest, target, who),
        undo=manifest.undo,
        notes=_notes(manifest, arguments, target),
        steps=tuple(shown(step) for step in target.steps),
    )


def _ordered(manifest: Manifest, arguments: Arguments) -> list[str]:
    properties = manifest.schema.get("properties")
    known = list(properties) if isinstance(properties, Mapping) else []
    return [n for n in known if n in arguments] + sorted(n for n in arguments if n not in known)


def _field(
    manifest: Manifest, name: str, value: JsonValue, target: Target, origin: str
) -> CardField:
    told = manifest.arguments.get(name)
    label = told.label if told is not None else name
    if told is not None and told.secret:
        return CardField(name, label, DOTS, origin=shown(origin), secret=True)
    properties = manifest.schema.get("properties")
    schema = properties.get(name) if isinstance(properties, Mapping) else None
    before = as_text(target.state[name], schema) if name in target.state else None
    return CardField(name, label, as_text(value, schema), before=before, origin=shown(origin))


def _who(manifest: Manifest, target: Target, who: Principal) -> str:
    where = shown(target.label) or manifest.target
    return f"{where} (account {shown(who.account)})" if who.account else where


def _notes(manifest: Manifest, arguments: Arguments, target: Target) -> tuple[str, ...]:
    notes = [f"Needs more care: {reason}." for reason in lifts(manifest, arguments)]
    if not manifest.undo and not manifest.reads_only:
        notes.append("This cannot be undone.")
    if manifest.retry_for_s:
        notes.append(
            f"If {manifest.target} cannot do it now, it is tried again for up to "
            f"{duration(manifest.retry_for_s)}."
        )
    return (*notes, *(shown(note) for note in target.notes))


def duration(seconds: float) -> str:
    for unit, name in ((_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if seconds >= unit:
            number = round(seconds / unit)
            return f"{number} {name}" + ("s" if number > 1 else "")
    return f"{seconds:g} seconds"
