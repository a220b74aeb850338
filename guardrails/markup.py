"""Markdown and HTML -> plain words: what two texts are compared by, markup and spacing aside."""

from __future__ import annotations

import html
import re
import unicodedata

_INVISIBLE_CATEGORIES = ("Cc", "Cf", "Co", "Cs")
_KEPT_CONTROLS = "\n\t"

_COMMENT = re.compile(r"(?s)<!--.*?(?:-->|$)")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>")
_IMAGE = re.compile(r"!\[([^\[\]\n]*)\](?:\([^()\n]*\)|\[[^\[\]\n]*\])?")
_LINK = re.compile(r"\[([^\[\]\n]+)\](?:\([^()\n]*\)|\[[^\[\]\n]*\])")
_BULLET = re.compile(r"(?m)^[ \t]{0,12}(?:[-*+]|\d{1,3}[.)]|#{1,6}|>)[ \t]+")
_EMPHASIS = re.compile(r"\*{1,3}|_{2,3}|~~|`{1,3}")
_LONE_UNDERSCORE = re.compile(r"(^|\W)_([^_\n]+)_(\W|$)")
_SPACE = re.compile(r"\s+")
_TYPOGRAPHIC = {
    "\u201c\u201d\u201e\u00ab\u00bb": '"',
    "\u2018\u2019\u201a\u2039\u203a": "'",
    "\u2013\u2014\u2212": "-",
    "\u00a0": " ",
}
_QUOTES = {ord(char): ascii_ for chars, ascii_ in _TYPOGRAPHIC.items() for char in chars}


def visible(text: str) -> str:
    """The text without control, format (zero-width, bidirectional, tag), private-use and
    surrogate characters; line breaks and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        for char in text
        if char in _KEPT_CONTROLS or unicodedata.category(char) not in _INVISIBLE_CATEGORIES
    )


def plain(text: str) -> str:
    """Markup removed, link text kept, spaces collapsed, typographic quotes and dashes made plain.

    Case and punctuation stay; the result is one line.
    """
    text = _COMMENT.sub(" ", visible(text))
    text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
    text = _EMPHASIS.sub("", _BULLET.sub("", _TAG.sub(" ", text)))
    text = html.unescape(_LONE_UNDERSCORE.sub(r"\1\2\3", text)).translate(_QUOTES)
    return str(_SPACE.sub(" ", text)).strip()


def folded(text: str) -> str:
    """`plain`, case folded and without the final punctuation: equal for verbatim text."""
    return plain(text).casefold().rstrip(" .:;!?,")
