"""The text as recognisers see it: ASCII bytes, one byte a visible character."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_OPAQUE = "\x01"
"""Stands for a character that is part of no pattern and no word."""
_LAST_SPACED_SCRIPT = 0x0600
"""Scripts below (Latin, Greek, Cyrillic, Armenian, Hebrew) put spaces between words."""


class _Ascii(dict[int, str | None]):
    """Translation table that works out each character once; None deletes the character."""

    def __missing__(self, code: int) -> str | None:
        self[code] = ascii_char = _to_ascii(chr(code))
        return ascii_char


def _to_ascii(char: str) -> str | None:
    category = unicodedata.category(char)
    if category in {"Cf", "Mn"}:
        return None
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    if category == "Pd":
        return "-"
    if category.startswith("Z"):
        return " "
    folded = unicodedata.normalize("NFKD", char)[0]
    if folded.isascii():
        return folded
    spaced = ord(char) < _LAST_SPACED_SCRIPT
    return "x" if category.startswith("L") and spaced else _OPAQUE


_TABLE = _Ascii({code: chr(code) for code in range(128)})


@dataclass(frozen=True, slots=True)
class View:
    """ASCII bytes to match on, and where each stands in the original.

    Full-width and foreign digits, Unicode dashes and spaces become their ASCII kin, and invisible
    characters vanish, so that none of them hides a number from a pattern.
    """

    data: bytes
    lower: str
    origin: Sequence[int] | None  # original offset of each byte; None where offsets are equal

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the view to offsets in the original, `end` exclusive in both."""
        if self.origin is None or start == end:
            return start, end
        return self.origin[start], self.origin[end - 1] + 1


def view(text: str) -> View:
    """Linear in the length of the text."""
    if text.isascii():
        return View(text.encode("ascii"), text.lower(), None)
    ascii_text = text.translate(_TABLE)
    origin = None
    if len(ascii_text) != len(text):
        origin = [at for at, char in enumerate(text) if _TABLE[ord(char)] is not None]
    return View(ascii_text.encode("ascii"), ascii_text.lower(), origin)
