"""A long text -> overlapping blocks: a stall costs one block, a name on a border is seen whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """[start, end) of the text in code points."""

    start: int
    end: int


def blocks_of(text: str, size: int, overlap: int) -> Iterator[Block]:
    """Blocks of at most `size` bytes of UTF-8 that together cover the text.

    Each begins `overlap` code points before the end of the one before it, or half of them where a
    word begins there.
    `overlap` must be below a quarter of `size`.
    """
    start = 0
    while start < len(text):
        end = _cut(text, start, _reach(text, start, size))
        yield Block(start, end)
        if end == len(text):
            return
        start = _word_start(text, max(start + 1, end - overlap), end)


def _reach(text: str, start: int, size: int) -> int:
    """The furthest end such that [start, end) has at most `size` bytes."""
    piece = text[start : start + size].encode("utf-8", "surrogatepass")
    if len(piece) <= size:
        return min(len(text), start + size)
    cut = size
    while piece[cut] & 0xC0 == 0x80:  # noqa: PLR2004  # a continuation byte of UTF-8
        cut -= 1
    return start + len(piece[:cut].decode("utf-8", "surrogatepass"))


def _cut(text: str, start: int, end: int) -> int:
    """The end of the last word of the second half; `end` where there is none."""
    if end == len(text):
        return end
    half = start + (end - start) // 2
    at = max(text.rfind(" ", half, end), text.rfind("\n", half, end))
    return at + 1 if at >= 0 else end


def _word_start(text: str, start: int, end: int) -> int:
    """The first word that begins in the first half of [start, end); `start` where none does."""
    for at in range(start, start + (end - start) // 2):
        if text[at].isspace():
            return at + 1
    return start
