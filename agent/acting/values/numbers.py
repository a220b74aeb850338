"""Whole numbers and decimals, written in digits or words, with the unit beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from typing_extensions import override

from agent.acting.phrasing import Phrasing
from agent.acting.said import Found, Said
from agent.acting.values.base import Extractor, Search, named_values, place
from agent.acting.values.tokens import LinkParts
from agent.acting.words import of_name, stem

_DIGITS = re.compile(
    r"(?<![\w.<:/-])(?P<sign>-)?[$€£]?(?P<number>\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<scale>k|m)?(?P<percent>\s?%)?(?![\w/:@-])",
    re.IGNORECASE,
)
_SCALES = {"k": 1_000, "m": 1_000_000}
_ATTACHED = re.compile(r"(?<![\w.<:/-])(\d+)([a-z]+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number, the word after it (a unit, or what is counted), and its place."""

    value: str  # canonical: an integer, or a decimal without trailing zeros
    unit: str
    start: int
    end: int

    @property
    def integer(self) -> bool:
        return "." not in self.value


def amounts(said: Said, words: Phrasing) -> Iterator[Amount]:
    """Numbers in order."""
    for match in _DIGITS.finditer(said.text):
        if all(m.end <= match.start() or m.start >= match.end() for m in said.mentions):
            unit = "%" if match["percent"] else said.after(match.end(), 1)
            yield Amount(_canonical(match), unit, *match.span())
    for match in _ATTACHED.finditer(said.text):
        if match[2].lower() not in _SCALES:
            yield Amount(match[1], match[2].lower(), *match.span())
    for word in said.words:
        number = words.units.numbers.get(word.text)
        if number is not None:
            yield Amount(str(number), said.after(word.end, 1), word.start, word.end)


def _canonical(match: re.Match[str]) -> str:
    text = match["number"].replace(",", "").replace(" ", "")
    if match["scale"]:
        text = f"{float(text) * _SCALES[match['scale'].lower()]:.6f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return ("-" if match["sign"] else "") + text


class Numbers(Extractor):
    """A number that the argument's name stands beside, else one that counts what the argument is
    about, else one that nothing else has a use for."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        part = LinkParts().find(search)
        if part:
            return part
        named = [place(m, 1) for m in named_values(search, r"-?[\d][\d,.]*[km]?\s?%?")]
        free = [a for a in amounts(search.said, search.words) if search.taken.free(a.start, a.end)]
        found = [
            Found(value, ((a.start, a.end),), score=_score(search, a, named))
            for a in free
            if (value := _fitting(search, a)) is not None
        ]
        kept = [f for f in found if f.score > 0]
        return tuple(sorted(kept, key=lambda f: -f.score))


def _score(search: Search, amount: Amount, named: list[tuple[int, int]]) -> float:
    if any(start <= amount.start < end for start, end in named):
        return 1.0
    counted = stem(amount.unit)
    unit = search.words.units.words.get(amount.unit, counted)
    if unit in _CONVERSIONS.get(of_name(search.want.name).split()[-1], {}):
        return 0.9
    if counted in search.want.words or stem(unit) in search.want.words:
        return 0.9
    if amount.unit == "%" or unit in _TIME_UNITS:
        return 0.5 if amount.unit == "%" else 0.3
    lone = search.words.units.numbers.get(search.said.text[amount.start : amount.end].lower())
    if lone is not None and not search.said.answers:
        return 0.0 if lone <= 1 else 0.6  # "a", "one"
    return 0.6


_TIME_UNITS = frozenset(["second", "minute", "hour", "day", "week", "month", "quarter", "year"])
_IN_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
_IN_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_IN_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_IN_HOURS = {"hour": 1, "day": 24, "week": 168}
_IN_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_CONVERSIONS = {
    "days": _IN_DAYS, "months": _IN_MONTHS, "minutes": _IN_MINUTES, "hours": _IN_HOURS,
    "seconds": _IN_SECONDS,
}  # fmt: skip
"""Last word of the argument's name -> how much of it a spoken unit is."""


def _fitting(search: Search, amount: Amount) -> int | str | None:
    """The number in the argument's own unit, as its type; None where that cannot be."""
    factor = 1
    unit = search.words.units.words.get(amount.unit, amount.unit)
    own = _CONVERSIONS.get(of_name(search.want.name).split()[-1])
    if own is not None and unit in _TIME_UNITS:
        if unit not in own:
            return None
        factor = own[unit]
    if amount.integer:
        return int(amount.value) * factor
    return amount.value if factor == 1 and _takes_decimals(search) else None


def _takes_decimals(search: Search) -> bool:
    union = search.want.schema.get("anyOf")
    branches = union if isinstance(union, list) else [dict(search.want.schema)]
    return any(isinstance(b, dict) and b.get("type") in ("string", "number") for b in branches)
