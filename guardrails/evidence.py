"""A passage -> the sentences, list items, table rows and code lines that a claim may rest on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from guardrails.claims import Claim, read_claim
from guardrails.markup import folded, plain
from guardrails.types import Redacted

_FENCE = re.compile(r"^[ \t]{0,12}(?:```|~~~)")
_BLOCK_START = re.compile(r"^[ \t]{0,12}(?:[-*+][ \t]|\d{1,3}[.)][ \t]|#{1,6}[ \t]|>|\||:{3})")
_SENTENCE_END = re.compile(r"[.!?](?:[\"')\]*_]{0,3})\s+(?:[\"'(\[*_`]{0,3})[A-Z0-9`]")
_ABBREVIATION = re.compile(
    r"(?i)(?:\b(?:e\.g|i\.e|etc|vs|cf|no|approx|fig|inc|ltd|mr|mrs|ms|dr)|\b[a-z])\.$"
)
_TABLE_RULE = re.compile(r"^[ \t|:=-]+$")


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence of a passage: `raw` is verbatim, `text` plain, `claim` what it says."""

    raw: str
    text: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Source:
    """A passage, read once."""

    units: tuple[Unit, ...]
    folded: str
    raw: str
    claim: Claim  # of the whole passage


@lru_cache(maxsize=512)
def read_source(text: Redacted) -> Source:
    """Linear in the length of the passage; the last 512 passages are remembered."""
    units = tuple(
        Unit(raw, flat, read_claim(flat, raw))
        for raw in split_sentences(text)
        if (flat := plain(raw))
    )
    return Source(units, folded(text), text, read_claim(plain(text), text))


def split_sentences(text: str) -> tuple[str, ...]:
    """Verbatim stretches of the text: sentences of prose, items, table rows, lines of code."""
    found: list[str] = []
    for block in _blocks(text):
        found.extend(_sentences(block))
    return tuple(found)


def _blocks(text: str) -> list[str]:
    blocks: list[str] = []
    current: list[str] = []
    in_code = False
    for line in text.split("\n"):
        fence = bool(_FENCE.search(line))
        if fence or in_code or not line.strip() or _BLOCK_START.search(line):
            _flush(current, blocks)
        in_code ^= fence
        if not fence and not _TABLE_RULE.match(line):
            current.append(line)
    _flush(current, blocks)
    return blocks


def _flush(current: list[str], blocks: list[str]) -> None:
    block = "\n".join(current).strip()
    current.clear()
    if block:
        blocks.append(block)


def _sentences(block: str) -> list[str]:
    if block.startswith("|"):
        return [block]
    pieces: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(block):
        gap = match.group().rstrip("\"'([*_`")
        end = match.start() + 1
        while end < len(block) and not block[end].isspace():
            end += 1
        if gap and _ABBREVIATION.search(block[start : match.start() + 1]):
            continue
        pieces.append(block[start:end].strip())
        start = end
    pieces.append(block[start:].strip())
    return [piece for piece in pieces if piece]
