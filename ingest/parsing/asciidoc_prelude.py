"""What stands above a block of AsciiDoc and belongs to it: title, id, style, options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

BLOCK_ATTRIBUTES = re.compile(r"^\[([^\[\]]*(?:\[[^\]]*\][^\[\]]*)*)\]$")
_BLOCK_ANCHOR = re.compile(r"^\[\[([^\[\],]+)(?:,[^\]]*)?\]\]$")
_BLOCK_TITLE = re.compile(r"^\.(?![ .])(\S.*)$")


@dataclass(slots=True)
class Pending:
    """What stands above a block and belongs to it."""

    title: str | None = None
    anchor: str | None = None
    style: str = ""
    language: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    in_item: bool = False  # the block hangs on a list item, so the next item ends it


def is_prelude(text: str, pending: Pending) -> bool:
    """Take a line that belongs to the next block: its title, id, style or options."""
    if anchor := _BLOCK_ANCHOR.match(text):
        pending.anchor = anchor[1]
    elif title := _BLOCK_TITLE.match(text):
        pending.title = title[1]
    elif attributes := BLOCK_ATTRIBUTES.match(text):
        _take_attributes(attributes[1], pending)
    else:
        return False
    return True


def _take_attributes(source: str, pending: Pending) -> None:
    parts = [part.strip() for part in re.findall(r'(?:[^,"]|"[^"]*")+', source)]
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    pending.options = {key.strip(): value.strip().strip('"') for key, value in named.items()}
    first = parts[0] if parts and "=" not in parts[0] else ""
    if identity := re.search(r"#([\w.:-]+)", first):
        pending.anchor = identity[1]
    pending.anchor = pending.options.get("id", pending.anchor)
    if "%header" in first:
        pending.options = {**pending.options, "options": "header"}
    pending.style = re.split(r"[#.%]", first)[0] or pending.style
    positional = [part for part in parts[1:] if "=" not in part]
    if pending.style in {"source", ""} and positional:
        pending.language = positional[0]
