"""Stretches of time: `every hour`, `for 2 weeks`, `24h`, in the form that the tool takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from typing_extensions import override

from agent.acting.phrasing import Phrasing
from agent.acting.said import Found, Place, Said
from agent.acting.values.base import Extractor, Search
from agent.acting.values.numbers import amounts

_SECONDS = {
    "second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
    "quarter": 7_776_000, "year": 31_536_000,
}  # fmt: skip
"""A month counts 30 days, a year 365."""
_LETTERS = {"second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w"}
_WRITTEN = re.compile(r"(\d+)\s?(s|sec|m|min|h|hr|d|w|days?|hours?|minutes?|weeks?)", re.IGNORECASE)
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_EVERY = ("every", "each", "per", "jede", "jeden", "jedes", "pro")
_LONE_UNITS = frozenset(
    [
        "hourly",
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "yearly",
        "annually",
        "stündlich",
        "täglich",
        "wöchentlich",
    ]
)


@dataclass(frozen=True, slots=True)
class Span:
    """So much of a unit, where it was said."""

    count: int
    unit: str
    place: Place

    @property
    def seconds(self) -> int:
        return self.count * _SECONDS[self.unit]

    @property
    def delta(self) -> timedelta:
        return timedelta(seconds=self.seconds)


def spans(said: Said, words: Phrasing) -> Iterator[Span]:
    """In order: numbers with a unit, then `every hour` and `daily`."""
    seen: list[Place] = []
    for amount in amounts(said, words):
        unit = words.units.words.get(amount.unit)
        if unit in _SECONDS and amount.integer and int(amount.value) > 0:
            place = (amount.start, _end_of_unit(said, amount.end))
            seen.append(place)
            yield Span(int(amount.value), unit, place)
    for word in said.words:
        unit = words.units.words.get(word.text)
        free = all(word.end <= a or word.start >= b for a, b in seen)
        leads = said.before(word.start, 1) in _EVERY
        if unit in _SECONDS and free and (leads or word.text in _LONE_UNITS):
            yield Span(1, unit, (word.start, word.end))


def _end_of_unit(said: Said, start: int) -> int:
    return next((w.end for w in said.words if w.start >= start), start)


def seconds_of(written: str) -> int | None:
    """Of a value such as `24h`, `7 days`, `PT1H`; None for what is none."""
    iso = _ISO.fullmatch(written)
    if iso and any(iso.groups()):
        sizes = (604_800, 86_400, 3600, 60, 1)
        return sum(int(n or 0) * size for n, size in zip(iso.groups(), sizes, strict=True))
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        return None
    letter = match[2][0].lower()
    unit = next(u for u, short in _LETTERS.items() if short == letter)
    return int(match[1]) * _SECONDS[unit]


class Durations(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        found = []
        for span in spans(search.said, search.words):
            text = written(span, search)
            if text is not None and search.taken.free(*span.place):
                found.append(Found(text, (span.place,), score=0.9))
        return tuple(found)


def written(span: Span, search: Search) -> str | None:
    """The duration as the schema wants it; its style is that of the hint where there is one."""
    allowed = search.want.schema.get("enum")
    if isinstance(allowed, list):
        fits = [v for v in allowed if isinstance(v, str) and seconds_of(v) == span.seconds]
        return fits[0] if fits else None
    forms = _forms(span)
    pattern = search.want.schema.get("pattern")
    if isinstance(pattern, str):
        return next((form for form in forms if re.search(pattern, form)), None)
    told = f"{search.want.argument.hint} {search.want.schema.get('description', '')}"
    used = {match[2] for match in re.finditer(r"\b(\d+)([smhdw])\b", told)}
    if "PT" in told or search.want.schema.get("format") == "duration":
        return next(form for form in forms if form.startswith("P"))
    return next((form for form in forms if form[-1] in used), forms[0])


def _forms(span: Span) -> list[str]:
    """As said first, then in every unit that it is a whole number of."""
    first = [f"{span.count}{_LETTERS[span.unit]}"] if span.unit in _LETTERS else []
    whole = [
        f"{span.seconds // _SECONDS[unit]}{letter}"
        for unit, letter in reversed(_LETTERS.items())
        if span.seconds % _SECONDS[unit] == 0
    ]
    days, rest = divmod(span.seconds, 86_400)
    iso = f"P{days}D" if not rest else f"PT{span.seconds // 60}M"
    if rest and span.seconds % 3600 == 0:
        iso = f"PT{span.seconds // 3600}H"
    return list(dict.fromkeys([*first, *whole, iso, f"{span.count} {span.unit}s"]))
