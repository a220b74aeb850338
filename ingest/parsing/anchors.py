"""heading -> plain text and the anchor that renderers give it."""

from __future__ import annotations

import re
from typing import NamedTuple

_EXPLICIT = re.compile(r"\s*\{:?\s*#([\w.:-]+)[^}]*\}\s*$")
_ATTRIBUTES = re.compile(r"\s*\{:[^}]*\}\s*$|\s*\{(?:[.#][\w-]+\s*)+\}\s*$")
_INNER_ANCHOR = re.compile(r"""<a\s+(?:id|name)=["']?([^"'\s>]+)["']?[^>]*>(?:\s*</a>)?""", re.I)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_EMPHASIS = re.compile(r"(?<![\w\\*])(\*{1,3}|_{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*])")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
MAX_MARKED_CHARS = 400
"""A longer heading is taken as plain text: the marks in it are not worth a search."""
_SPACES = re.compile(r"\s+")
_NOT_SLUG = re.compile(r"[^\w\- ]")


class Heading(NamedTuple):
    """A heading line read: plain text, and the id that the author gave it."""

    text: str
    anchor: str | None


def read_heading(source: str) -> Heading:
    """Inline Markdown of a heading to plain text; `{#id}` and `<a id="…">` are honoured."""
    if len(source) > MAX_MARKED_CHARS:
        return Heading(_SPACES.sub(" ", source).strip(), None)
    anchor = None
    if explicit := _EXPLICIT.search(source):
        anchor = explicit[1]
    source = _ATTRIBUTES.sub("", _EXPLICIT.sub("", source))
    if inner := _INNER_ANCHOR.search(source):
        anchor = anchor or inner[1]
    kept: list[str] = []

    def hold(match: re.Match[str]) -> str:
        kept.append(match[2].strip())
        return f"\x00{len(kept) - 1}\x00"

    text = _CODE_SPAN.sub(hold, _INNER_ANCHOR.sub("", source))
    for pattern, replacement in (
        (_IMAGE, r"\1"),
        (_LINK, r"\1"),
        (_TAG, ""),
        (_EMPHASIS, r"\2"),
        (_ESCAPE, r"\1"),
    ):
        text = pattern.sub(replacement, text)
    text = re.sub("\x00(\\d+)\x00", lambda match: kept[int(match[1])], text)
    return Heading(_SPACES.sub(" ", text).strip(), anchor)


class Slugger:
    """Anchors of one page, as GitHub makes them; a repeated one gets `-1`, `-2` and so on."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def slug(self, heading: str) -> str | None:
        """None for a heading without letters or digits."""
        base = _NOT_SLUG.sub("", heading.strip().lower()).replace(" ", "-")
        if not base.strip("-"):
            return None
        found, count = base, 0
        while found in self._seen:
            count += 1
            found = f"{base}-{count}"
        self._seen.add(found)
        return found

    def claim(self, anchor: str) -> None:
        """An id that the author gave; slugs keep clear of it."""
        self._seen.add(anchor)
