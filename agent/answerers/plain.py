"""Markdown of a page -> the words that a reader sees: no links, images, HTML or quote marks."""

from __future__ import annotations

import re

_IMAGE = re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])(?:\{[^}]*\})?")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])(?:\{[^}]*\})?")
_AUTOLINK = re.compile(r"<(https?://[^>\s]+|[^>\s]+@[^>\s]+)>")
_TAG = re.compile(
    r"</?(?:a|abbr|b|br|center|code|dd|details|div|dl|dt|em|figure|figcaption|font|h[1-6]|hr|i"
    r"|iframe|img|input|kbd|li|mark|ol|p|pre|s|small|span|strong|sub|summary|sup|svg|path|table"
    r"|tbody|td|tfoot|th|thead|tr|u|ul|video|source|[A-Z][A-Za-z.]*)(?:\s[^<>]*)?/?>"
    r"|<!--.*?-->",
    re.DOTALL,
)
_FOOTNOTE = re.compile(r"\[\^[^\]]+\]")
_ATTRIBUTES = re.compile(r"\{:[^}]*\}|\{%.*?%\}")
_QUOTE = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)
_CALLOUT = re.compile(r"^\[!([A-Z]+)\]\s*")
_EMPHASIS = re.compile(
    r"(?<![*\w])\*(?![\s*])([^*]+?)(?<!\s)\*(?![*\w])|(?<!\w)_(?![\s_])([^_]+?)(?<!\s)_(?!\w)"
)
_HIDDEN = re.compile("\x00([0-9]+)\x00")
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)


def plain(text: str) -> str:
    """One line; bold and inline code stay, code untouched; empty when nothing is left."""
    codes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        codes.append(match.group())
        return f"\x00{len(codes) - 1}\x00"

    text = _CALLOUT.sub(lambda m: f"**{m.group(1).capitalize()}:** ", _QUOTE.sub("", text))
    text = _CODE.sub(hide, text.replace("\x00", ""))
    for pattern in (_IMAGE, _ATTRIBUTES, _FOOTNOTE):
        text = pattern.sub("", text)
    text = _TAG.sub("", _AUTOLINK.sub(r"\1", _LINK.sub(r"\1", text)))
    text = _EMPHASIS.sub(lambda m: m.group(1) or m.group(2), text)
    text = _HIDDEN.sub(lambda m: codes[int(m.group(1))], text)
    return " ".join(text.split())
