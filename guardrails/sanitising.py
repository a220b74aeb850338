"""Model-written text -> text that is safe to show: no links, images, HTML or hidden characters."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import re2

from guardrails.markup import visible
from guardrails.types import Redacted

_CODE = re2.compile(r"(?s)```.*?(?:```|$)|``[^\n]*?``|`[^`\n]*`")
_COMMENT = re2.compile(r"(?s)<!--.*?(?:-->|$)")
_ACTIVE = re2.compile(
    r"(?is)<(?:script|style|iframe|object|svg|math|template)\b.*?"
    r"(?:</(?:script|style|iframe|object|svg|math|template)\s*>|$)"
)
_TAG = re2.compile(r"(?s)</?[a-zA-Z!?][^<>]*(?:>|$)")
_IMAGE = re2.compile(r"!\[[^\[\]]*\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\])?")
_LINK = re2.compile(r"\[([^\[\]]*)\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\])")
_DEFINITION = re2.compile(r"(?m)^[ \t]{0,3}\[[^\[\]\n]+\]:[^\n]*$")
_AUTOLINK = re2.compile(r"(?i)<([a-z][a-z0-9+.-]{1,31}:[^\s<>]*|[^\s<>@]+@[^\s<>]+)>")
_URL = re2.compile(
    r"(?i)(?:\b[a-z][a-z0-9+.-]{1,31}://|\bwww\.|\b(?:javascript|data|vbscript|mailto|tel|file):)"
    r"[^\s<>\"'`\]]+"
)
_MARKER = re2.compile(r"\[\^?(\d{1,4})\]")
_NESTING = 4
"""Markup inside markup is removed from inside out; nothing that reads well nests deeper."""
_GAPS = re2.compile(r"(\S)[ \t]{2,}(\S)")
_GAP_BEFORE_STOP = re2.compile(r" +([.,;:!?])")


def sanitise(text: str, markers: Collection[int] = (), sources: Iterable[Redacted] = ()) -> str:
    """Remove everything that a page could follow, load or hide.

    Links keep their text; images, reference definitions, HTML and comments go; an address stays
    only where one of `sources` holds it; `[n]` stays only where n is among `markers`; control,
    bidirectional, zero-width and tag characters go. Code keeps its text, hidden characters aside.
    Linear in the length of the text.
    """
    held = "\n".join(sources).lower()
    shown = visible(text)
    pieces: list[str] = []
    at = 0
    for match in _CODE.finditer(shown):
        pieces += (_prose(shown[at : match.start()], markers, held), match.group())
        at = match.end()
    pieces.append(_prose(shown[at:], markers, held))
    return "".join(pieces)


def _prose(text: str, markers: Collection[int], held: str) -> str:
    text = _ACTIVE.sub("", _COMMENT.sub("", text))
    text = _AUTOLINK.sub(r"\1", text)
    for _ in range(_NESTING):
        text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    text = _TAG.sub("", _DEFINITION.sub("", text))
    text = _URL.sub(lambda match: _known(match.group(), held), text)
    text = _MARKER.sub(lambda m: m.group() if int(m.group(1)) in markers else "", text)
    return str(_GAP_BEFORE_STOP.sub(r"\1", _GAPS.sub(r"\1 \2", text)))


def _known(url: str, held: str) -> str:
    closing = "" if "(" in url else ")"
    bare = url.rstrip(f".,;:!?{closing}")
    return url if bare.lower().rstrip("/") in held else url[len(bare) :]
