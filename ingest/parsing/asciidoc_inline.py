"""Inline AsciiDoc -> inline Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable

from ingest.parsing.writing import code_span

_REFERENCE = re.compile(r"(?<!\\)\{([\w][\w-]*)\}")
_MONOSPACE = re.compile(r"(?<![\w`])`(\+?)(\S|\S.*?\S)\1`(?![\w`])", re.S)
_LITERAL = re.compile(r"(?<![\w+])\+(\S|\S[^+]*?\S)\+(?![\w+])")
_PASS = re.compile(r"pass:\w*\[([^\]]*)\]")
_LINK = re.compile(r"link:([^\s\[\]]{1,1000})\[([^\]]*)\]")
_URL = re.compile(r"(?<![\w(\[:])((?:https?|ftp|mailto):[^\s\[\]<>]{1,1000})\[([^\]]*)\]")
_CROSS = re.compile(r"<<([^<>,]+)(?:,\s*([^<>]*))?>>")
_XREF = re.compile(r"xref:([^\s\[\]]{1,1000})\[([^\]]*)\]")
_IMAGE = re.compile(r"image:{1,2}([^\s\[\]:][^\s\[\]]*)\[([^\]]*)\]")
_KEYS = re.compile(r"(?:kbd|btn):\[([^\]]*)\]")
_MENU = re.compile(r"menu:([^\[\n]{1,200})\[([^\]]*)\]")
_FOOTNOTE = re.compile(r"footnote:\w*\[([^\]]*)\]")
_ROLE = re.compile(r"(?<!\w)\[[^\[\]]*\]#([^#\n]+)#(?!\w)")
_BOLD = re.compile(r"(?<![\w*])\*(\S|\S[^*]*?\S)\*(?![\w*])")
_ITALIC = re.compile(r"(?<![\w_])_(\S|\S[^_]*?\S)_(?![\w_])")
_ANCHOR = re.compile(r"\[\[[^\[\]]+\]\]|anchor:[\w.-]+\[[^\]]*\]")
_BREAK = re.compile(r"[ \t]\+$", re.M)
_INTRINSIC = {
    "amp": "&",
    "apos": "'",
    "asterisk": "*",
    "backtick": "`",
    "empty": "",
    "gt": ">",
    "lt": "<",
    "nbsp": " ",
    "plus": "+",
    "quot": '"',
    "sp": " ",
    "vbar": "|",
    "zwsp": "",
}
_MAX_EXPANSIONS = 5


class Attributes:
    """Attributes of a page: `{name}` stands for their value, unknown ones stay as written."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def define(self, name: str, value: str) -> None:
        """`!` before or behind the name takes the attribute away."""
        key = name.strip("!").lower()
        if key != name.lower():
            self._values.pop(key, None)
        else:
            self._values[key] = self.expand(value.strip())[:1000]

    def known(self, name: str) -> bool:
        return name.strip().lower() in self._values

    def get(self, name: str, default: str) -> str:
        return self._values.get(name, default)

    def expand(self, text: str) -> str:
        """Values are expanded when they are defined, so one pass is enough."""
        return _REFERENCE.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        name = match[1].lower()
        return self._values.get(name, _INTRINSIC.get(name, match[0]))


def inline(source: str, attributes: Attributes) -> str:
    """Markdown of one paragraph, cell or heading; code and literal text are not looked into."""
    kept: list[str] = []

    def hold(write: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
        def held(match: re.Match[str]) -> str:
            kept.append(write(match))
            return f"\x00{len(kept) - 1}\x00"

        return held

    text = attributes.expand(source)
    text = _PASS.sub(hold(lambda m: m[1]), text)
    text = _MONOSPACE.sub(hold(lambda m: code_span(m[2])), text)
    text = _LITERAL.sub(hold(lambda m: m[1]), text)
    for pattern, write in _MACROS:
        text = pattern.sub(hold(write), text)
    for pattern, replacement in _TEXTUAL:
        text = pattern.sub(replacement, text)
    for _ in range(_MAX_EXPANSIONS):  # link texts hold code and marks in their turn
        if "\x00" not in text:
            break
        text = re.sub("\x00(\\d+)\x00", lambda match: kept[int(match[1])], text)
    return text


def _link(match: re.Match[str]) -> str:
    target = match[1].strip("+")
    label = match[2].split(",")[0] if "," in match[2] and "=" in match[2] else match[2]
    label = label.strip().strip('"').removesuffix("^")
    return f"[{_marked(label)}]({target})" if label else f"<{target}>"


def _cross(match: re.Match[str]) -> str:
    target, label = match[1].strip(), (match[2] or "").strip()
    page, mark, anchor = target.partition("#")
    if not mark and not page.endswith(".adoc"):
        page, anchor = "", page
    href = page + (f"#{anchor}" if anchor else "")
    shown = label or anchor.strip("_").replace("_", " ").replace("-", " ") or page
    return f"[{_marked(shown)}]({href})"


def _image(match: re.Match[str]) -> str:
    alt = match[2].split(",")[0].strip().strip('"')
    return f"![{alt}]({match[1]})" if alt and "=" not in alt else ""


def _marked(text: str) -> str:
    return _ITALIC.sub(r"*\1*", _BOLD.sub(r"**\1**", text))


_MACROS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_IMAGE, _image),
    (_XREF, _cross),
    (_CROSS, _cross),
    (_LINK, _link),
    (_URL, _link),
    (_MENU, lambda match: f"**{match[1]} → {match[2]}**" if match[2] else f"**{match[1]}**"),
    (_KEYS, lambda match: f"**{match[1]}**"),
)
_TEXTUAL: tuple[tuple[re.Pattern[str], str], ...] = (
    (_FOOTNOTE, r" (\1)"),
    (_ROLE, r"\1"),
    (_ITALIC, "\x01\\1\x01"),
    (_BOLD, r"**\1**"),
    (re.compile("\x01"), "*"),
    (_ANCHOR, ""),
    (_BREAK, ""),
)
