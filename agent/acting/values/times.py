"""Days, times of day and moments, as people say them, against the user's clock and zone.

Own, small grammar: dateparser (BSD) takes 0.4 s to import and reads dates into plain words ("may",
"sat"); parsedatetime knows English only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import available_timezones

from typing_extensions import override

from agent.acting.phrasing import Phrasing
from agent.acting.said import Found, Place, Said, Spoken
from agent.acting.values.base import Extractor, Search
from agent.acting.values.durations import spans

_ISO = re.compile(
    r"\b(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(Z|[+-]\d{2}:?\d{2})?)?(?!\d)"
)
_DOTTED = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_SLASHED = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b")
_CLOCK = re.compile(
    r"(?<![\d.-])(?P<hour>[01]?\d|2[0-4])(?:[:.](?P<minute>[0-5]\d))?"
    r"\s?(?P<half>[ap]\.?m\.?(?![a-z])|o'?clock|uhr|h\b)?",
    re.IGNORECASE,
)
_DAY_NUMBER = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?")
_NOON = 12
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, and the time of day where one was said."""

    day: date
    at: time | None
    place: Place


def clocks(said: Said, words: Phrasing) -> Iterator[tuple[time, Place]]:
    """Times of day: with a colon, am or pm, after "at", before "in the morning"; noon, midnight."""
    for match in _CLOCK.finditer(said.text):
        told = _clock(match, said, words)
        if told is not None:
            yield told, match.span()
    for word in said.words:
        name = words.units.words.get(word.text)
        if name in ("noon", "midnight"):
            yield time(_NOON if name == "noon" else 0), (word.start, word.end)


def _clock(match: re.Match[str], said: Said, words: Phrasing) -> time | None:
    hour, half = int(match["hour"]), (match["half"] or "").lower().replace(".", "")
    name = words.units.words.get
    part = {name(word) for word in said.after(match.end(), 3).split()} & {"morning", "evening"}
    led = name(said.before(match.start(), 1)) == "at"
    following = said.after(match.end(), 1)
    if not (match["minute"] or half or part or led) or _is_decimal(match):
        return None
    if led and not match["minute"] and not half and name(following) in _UNITS:
        return None  # "at 3 days"
    if half == "pm" or (part == {"evening"} and not half):
        hour = hour + _NOON if hour < _NOON else hour
    elif half == "am" and hour == _NOON:
        hour = 0
    return time(hour % 24, int(match["minute"] or 0))


def _is_decimal(match: re.Match[str]) -> bool:
    """`2.50` is no time of day unless something else says so."""
    return "." in match[0] and not match["half"]


_UNITS = frozenset(["second", "minute", "hour", "day", "week", "month", "quarter", "year"])


def days(said: Said, words: Phrasing) -> Iterator[Moment]:
    """Calendar days in order of kind: written dates, named days, weekdays, months, ends."""
    today = said.now.date()
    for match in _ISO.finditer(said.text):
        yield Moment(date.fromisoformat(match[1]), None, match.span())
    for pattern, order in ((_DOTTED, (3, 2, 1)), (_SLASHED, (3, 1, 2))):
        for match in pattern.finditer(said.text):
            day = _day(*(int(match[n]) for n in order))
            if day is not None:
                yield Moment(day, None, match.span())
    for at, word in enumerate(said.words):
        day = _named(said, words, at, today)
        if day is not None:
            start = said.words[at - 1].start if _leads(said, words, at) else word.start
            yield Moment(day, None, (start, _end(said, at)))


def _leads(said: Said, words: Phrasing, at: int) -> bool:
    return at > 0 and words.units.words.get(said.words[at - 1].text) in ("next", "this")


def _end(said: Said, at: int) -> int:
    """A day's number and a year after a month belong to it."""
    end = said.words[at].end
    for word in said.words[at + 1 : at + 3]:
        if not re.fullmatch(r"\d{1,2}(?:st|nd|rd|th)?|20\d\d", word.text):
            break
        end = word.end
    return end


def _named(said: Said, words: Phrasing, at: int, today: date) -> date | None:
    word = said.words[at]
    near = {"today": 0, "tomorrow": 1, "yesterday": -1}.get(words.units.words.get(word.text, ""))
    if near is not None:
        return today + timedelta(days=near)
    if word.text in words.units.weekdays:
        ahead = (words.units.weekdays[word.text] - today.weekday()) % _WEEK or _WEEK
        return today + timedelta(days=ahead)
    if word.text in words.units.months:
        return _of_month(said, at, words.units.months[word.text], today)
    return _of_unit(said, words, at, today)


def _of_month(said: Said, at: int, month: int, today: date) -> date | None:
    """`December 1st`, `1 December 2026`; a month alone is no day. A past one is next year's."""
    around = [*said.words[at + 1 : at + 2], *said.words[max(0, at - 1) : at]]
    around += [w for w in said.words[max(0, at - 2) : at - 1] if said.words[at - 1].text == "of"]
    number = next((n for w in around if (n := _DAY_NUMBER.fullmatch(w.text))), None)
    if number is None:
        return None
    year = next((int(w.text) for w in said.words[at : at + 3] if _is_year(w)), None)
    day = _day(year or today.year, month, int(number[1]))
    if day is not None and year is None and day < today:
        return _day(today.year + 1, month, int(number[1]))
    return day


def _is_year(word: Spoken) -> bool:
    return re.fullmatch(r"20\d\d", word.text) is not None


def _of_unit(said: Said, words: Phrasing, at: int, today: date) -> date | None:
    """`next week`, `next month`, `end of the month`."""
    unit = words.units.words.get(said.words[at].text)
    before = [words.units.words.get(w.text) for w in said.words[max(0, at - 3) : at]]
    if unit not in _UNITS:
        return None
    if before[-1:] == ["next"]:
        return {
            "week": today + timedelta(days=_WEEK - today.weekday()),
            "month": _first_of_next_month(today),
            "year": date(today.year + 1, 1, 1),
        }.get(unit)
    if "end" in before:
        return {
            "week": today + timedelta(days=6 - today.weekday()),
            "month": _first_of_next_month(today) - timedelta(days=1),
            "year": date(today.year, 12, 31),
            "day": today,
        }.get(unit)
    return None


def _first_of_next_month(today: date) -> date:
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


class Dates(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        said = search.said
        told = [Found(m.day.isoformat(), (m.place,)) for m in days(said, search.words)]
        later = [
            Found((said.now + span.delta).date().isoformat(), (span.place,), score=0.8)
            for span in spans(said, search.words)
        ]
        return tuple(f for f in (*told, *later) if search.taken.free(*f.places[0]))


class TimesOfDay(Extractor):
    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        found = [
            Found(at.strftime("%H:%M"), (place,))
            for at, place in clocks(search.said, search.words)
            if search.taken.free(*place)
        ]
        if not found and search.said.answers:
            bare = _CLOCK.fullmatch(search.bare)
            if bare:
                hour = time(int(bare["hour"]) % 24, int(bare["minute"] or 0))
                found = [Found(hour.strftime("%H:%M"), ((0, len(search.said.text)),))]
        return tuple(found)


class Moments(Extractor):
    """With the offset of the user's zone. A day without a time begins at midnight."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        said = search.said
        exact = [
            Found(_zoned(match, said).isoformat(timespec="seconds"), (match.span(),))
            for match in _ISO.finditer(said.text)
            if match[2]
        ]
        at = next(iter(clocks(said, search.words)), None)
        told = [self._told(moment, at, said) for moment in days(said, search.words)]
        if not told and at is not None:
            told = [self._told(Moment(said.now.date(), None, at[1]), at, said)]
        later = [
            Found((said.now + s.delta).isoformat(timespec="seconds"), (s.place,), score=0.8)
            for s in spans(said, search.words)
        ]
        return tuple(f for f in (*exact, *told, *later) if search.taken.free(*f.places[0]))

    def _told(self, moment: Moment, at: tuple[time, Place] | None, said: Said) -> Found:
        clock, places = (at[0], (moment.place, at[1])) if at else (time(0), (moment.place,))
        when = datetime.combine(moment.day, clock, said.zone)
        return Found(when.isoformat(timespec="seconds"), places)


def _zoned(match: re.Match[str], said: Said) -> datetime:
    when = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ''}")
    return when if when.tzinfo else when.replace(tzinfo=said.zone)


_SHORT_ZONES = {
    "utc": "UTC", "gmt": "Europe/London", "cet": "Europe/Berlin", "cest": "Europe/Berlin",
    "est": "America/New_York", "edt": "America/New_York", "et": "America/New_York",
    "eastern": "America/New_York", "cst": "America/Chicago", "central": "America/Chicago",
    "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "pt": "America/Los_Angeles",
    "pacific": "America/Los_Angeles", "mst": "America/Denver", "mountain": "America/Denver",
    "ist": "Asia/Kolkata", "jst": "Asia/Tokyo", "aest": "Australia/Sydney", "bst": "Europe/London",
}  # fmt: skip
_IANA = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?\b")


class Timezones(Extractor):
    """IANA names, common abbreviations, and the city of a zone where "time" stands beside it."""

    @override
    def find(self, search: Search) -> tuple[Found, ...]:
        said = search.said
        written = [
            Found(m[0], (m.span(),))
            for m in _IANA.finditer(said.text)
            if m[0] in _cities().values()
        ]
        cities = []
        for at, word in enumerate(said.words):
            pair = f"{word.text} {said.words[at + 1].text}" if at + 1 < len(said.words) else ""
            for name, length in ((pair, 2), (word.text, 1)):
                zone = _SHORT_ZONES.get(name) or _cities().get(name)
                end = said.words[at + length - 1].end if zone else word.end
                if zone and (
                    said.answers or name in _SHORT_ZONES or _time_near(said, word.start, end)
                ):
                    cities.append(Found(zone, ((word.start, end),)))
                    break
        return (*written, *cities)


def _time_near(said: Said, start: int, end: int) -> bool:
    near = said.after(end, 1) in ("time", "timezone", "zeit")
    return near or said.before(start, 1) in ("timezone", "zone")


@lru_cache(maxsize=1)
def _cities() -> dict[str, str]:
    """Lower-case name of the city -> zone; zones of areas go before aliases."""
    areas = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
    names = sorted(name for name in available_timezones() if name.split("/")[0] in areas)
    return {name.rsplit("/", 1)[1].replace("_", " ").lower(): name for name in names}
