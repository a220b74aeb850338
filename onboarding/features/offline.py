"""Features of many people at many times, out of events that were known by then: numpy.

What `online` remembers is worked out here from the events themselves, by other means: the two have
to agree, and the tests hold them to it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onboarding.features.compiling import FeatureSet, micros
from onboarding.features.formulas import Measured, work_out
from onboarding.features.growing import MINUTE_US, field_of
from onboarding.features.measures import (
    DAY,
    HOUR,
    MOST_TIMES,
    MOST_VALUES,
    RECOVERY,
    SESSION_GAP,
    Track,
)
from onboarding.types import Event, Person, Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision to be looked at again: who, when, and what other rooms knew."""

    person: Person
    at: datetime
    given: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Known:
    """Events that were received by the time of the decision `place`: the person's under all ids
    that were known then to be theirs, or their account's."""

    place: int
    event: Event


@dataclass(frozen=True, slots=True)
class _Rows:
    """Of one track: decisions, times, and values of its field where it has one."""

    place: Ints
    at: Ints
    value: Sequence[Any]
    event: Sequence[Event]


def replayed(
    features: FeatureSet,
    asked: Sequence[Asked],
    own: Sequence[Known],
    of_account: Sequence[Known],
) -> tuple[Snapshot, ...]:
    """One a decision."""
    now = np.array([micros(each.at) for each in asked], dtype=np.int64)
    size = len(asked)
    rows = {
        track.id: _rows_of(track, of_account if track.of_account else own)
        for track in features.tracks.values()
    }
    found: dict[str, Any] = {}

    def measured(each: Measured) -> Any:
        track = features.track(each)
        return _MEASURES[each.measure](track, rows[track.id], each, now)

    def named(name: str) -> Any:
        plain = name.removeprefix("given.")
        if plain == name:
            return found[name]
        return np.array([each.given.get(plain, math.nan) for each in asked])

    with np.errstate(all="ignore"):
        for feature in features.features.values():
            value = work_out(feature.term, VECTOR, named, measured)
            found[feature.name] = _whole(value, feature.missing, size)
    return tuple(
        Snapshot(each.at, {name: _plain(found[name][place]) for name in found}, features.spec)
        for place, each in enumerate(asked)
    )


def _whole(value: Any, missing: float | str, size: int) -> Any:
    """One value a decision, nothing missing."""
    if isinstance(value, list):
        return [missing if isinstance(v, float) and math.isnan(v) else v for v in value]
    full = np.broadcast_to(np.asarray(value, dtype=np.float64), (size,))
    return np.where(np.isfinite(full), full, missing)


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def _rows_of(track: Track, known: Sequence[Known]) -> _Rows:
    wanted = [each for each in known if track.heeds(each.event.name)]
    values: list[Any] = [None] * len(wanted)
    if track.field:
        values = [field_of(each.event, track.field) for each in wanted]
        having = [place for place, value in enumerate(values) if value is not None]
        wanted = [wanted[place] for place in having]
        values = [values[place] for place in having]
    return _Rows(
        np.array([each.place for each in wanted], dtype=np.int64),
        np.array([micros(each.event.occurred_at) for each in wanted], dtype=np.int64),
        values,
        [each.event for each in wanted],
    )


def _in_window(rows: _Rows, track: Track, window: int, now: Ints) -> npt.NDArray[np.bool_]:
    width = track.step * MINUTE_US
    age = now[rows.place] // width - rows.at // width
    return (age >= 0) & (age < window // track.step)


def _minutes(each: Measured) -> int:
    assert each.window is not None
    return each.window.minutes


def _n(track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    within = _in_window(rows, track, _minutes(each), now)
    return np.bincount(rows.place, within, len(now)).astype(np.float64)


def _sum(track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    numbers = [
        v if isinstance(v, int | float) and not isinstance(v, bool) else 0 for v in rows.value
    ]
    within = _in_window(rows, track, _minutes(each), now)
    amounts = np.where(within, np.array(numbers, dtype=np.float64), 0.0)
    return np.bincount(rows.place, amounts, len(now)).astype(np.float64)


def _days(_track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    day = rows.at // (DAY * MINUTE_US)
    age = now[rows.place] // (DAY * MINUTE_US) - day
    within = (age >= 0) & (age < _minutes(each) // DAY)
    pairs = np.unique(np.stack([rows.place[within], day[within]]), axis=1)
    return np.bincount(pairs[0], minlength=len(now)).astype(np.float64)


def _extreme(rows: _Rows, size: int, *, newest: bool) -> Ints:
    """Per decision; the smallest number where there is none."""
    none = np.iinfo(np.int64).min
    found = np.full(size, none if newest else np.iinfo(np.int64).max, dtype=np.int64)
    (np.maximum if newest else np.minimum).at(found, rows.place, rows.at)
    return found if newest else np.where(found == np.iinfo(np.int64).max, none, found)


def _hours(rows: _Rows, now: Ints, *, newest: bool) -> Floats:
    found = _extreme(rows, len(now), newest=newest)
    there = found != np.iinfo(np.int64).min
    hours = np.maximum(0.0, (now - np.where(there, found, 0)) / (HOUR * MINUTE_US))
    return np.where(there, hours, np.nan)


def _sessions(_track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    order = np.lexsort((rows.at, rows.place))
    place, at = rows.place[order], rows.at[order]
    if not len(at):
        return np.zeros(len(now))
    other = place[1:] != place[:-1]
    ends = np.append(other | (at[1:] - at[:-1] > SESSION_GAP * MINUTE_US), True)
    place, at = place[ends], at[ends]
    age = now[place] // (HOUR * MINUTE_US) - at // (HOUR * MINUTE_US)
    within = (age >= 0) & (age < _minutes(each) // HOUR)
    return np.bincount(place, within, len(now)).astype(np.float64)


def _distinct(_track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    fresh = rows.at > now[rows.place] - _minutes(each) * MINUTE_US
    pairs = {
        (int(place), str(value))
        for place, value, is_fresh in zip(rows.place, rows.value, fresh, strict=True)
        if is_fresh
    }
    counts = np.bincount([place for place, _ in pairs] or [0], minlength=len(now))
    if not pairs:
        counts[0] = 0
    return np.minimum(counts, MOST_VALUES).astype(np.float64)


def _latest(_track: Track, rows: _Rows, _each: Measured, now: Ints) -> list[Any]:
    found: list[tuple[int, str, Any] | None] = [None] * len(now)
    for place, at, value, event in zip(rows.place, rows.at, rows.value, rows.event, strict=True):
        new = (int(at), event.message_id, value)
        known = found[int(place)]
        if known is None or new[:2] > known[:2]:
            found[int(place)] = new
    return [math.nan if each is None else _told(each[2]) for each in found]


def _told(value: Any) -> float | str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else float(value)


def _repeated(track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    found = np.zeros(len(now))
    within = _in_window(rows, track, _minutes(each), now)
    for value in {str(v) for v in rows.value}:
        same = np.array([str(v) == value for v in rows.value]) & within
        found = np.maximum(found, np.bincount(rows.place, same, len(now)))
    return found


def _by(track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    same = np.array([str(v) == each.names[2] for v in rows.value], dtype=bool)
    within = _in_window(rows, track, _minutes(each), now) & same
    return np.bincount(rows.place, within, len(now)).astype(np.float64)


def _grouped(
    rows: _Rows, keys: Callable[[int], Sequence[tuple[str, int]]]
) -> dict[int, dict[str, tuple[list[int], list[int]]]]:
    """By decision and key, the newest times of both sides, in order."""
    found: dict[int, dict[str, tuple[list[int], list[int]]]] = {}
    for row in np.argsort(rows.at, kind="stable"):
        for key, side in keys(int(row)):
            sides = found.setdefault(int(rows.place[row]), {}).setdefault(key, ([], []))
            sides[side].append(int(rows.at[row]))
    return {
        place: {k: (a[-MOST_TIMES:], b[-MOST_TIMES:]) for k, (a, b) in of.items()}
        for place, of in found.items()
    }


def _pairs(track: Track, rows: _Rows) -> dict[int, dict[str, tuple[list[int], list[int]]]]:
    def keys(row: int) -> list[tuple[str, int]]:
        name = rows.event[row].name
        failed = [(name, 0)] if track.events is not None and name in track.events else []
        return failed + [(error, 1) for error, answers in track.others if name in answers]

    return _grouped(rows, keys)


def _unsolved(track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    found = np.full(len(now), np.nan)
    for place, of in _pairs(track, rows).items():
        after = now[place] - _minutes(each) * MINUTE_US
        lasting = [
            a[-1] for a, b in of.values() if a and a[-1] > after and (not b or b[-1] < a[-1])
        ]
        if lasting:
            found[place] = max(0.0, (now[place] - max(lasting)) / MINUTE_US)
    return found


def _recovered(track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    found = np.full(len(now), np.nan)
    for place, of in _pairs(track, rows).items():
        after = now[place] - _minutes(each) * MINUTE_US
        outcomes = [
            any(0 <= s - error <= RECOVERY * MINUTE_US for s in solved)
            for failed, solved in of.values()
            for error in failed
            if error > after
        ]
        if outcomes:
            found[place] = sum(outcomes) / len(outcomes)
    return found


def _delay(track: Track, rows: _Rows, each: Measured, now: Ints) -> Floats:
    def keys(row: int) -> list[tuple[str, int]]:
        name, key = rows.event[row].name, str(rows.value[row])
        shown = [(key, 0)] if track.events is not None and name in track.events else []
        return shown + ([(key, 1)] if any(name in a for _, a in track.others) else [])

    found = np.full(len(now), np.nan)
    for place, of in _grouped(rows, keys).items():
        newest = int(now[place]) - _minutes(each) * MINUTE_US
        for _, (shown, inputs) in sorted(of.items()):
            if not shown or shown[-1] <= newest:
                continue
            first = bisect_left(inputs, shown[-1])
            if first < len(inputs):
                newest, found[place] = shown[-1], (inputs[first] - shown[-1]) / 1_000_000
    return found


_MEASURES: Final[dict[str, Callable[[Track, _Rows, Measured, Ints], Any]]] = {
    "n": _n,
    "sum": _sum,
    "days": _days,
    "hours_since": lambda _t, rows, _e, now: _hours(rows, now, newest=True),
    "hours_from_first": lambda _t, rows, _e, now: _hours(rows, now, newest=False),
    "never": lambda _t, rows, _e, now: np.isnan(_hours(rows, now, newest=True)).astype(np.float64),
    "sessions": _sessions,
    "distinct": _distinct,
    "latest": _latest,
    "repeated": _repeated,
    "by": _by,
    "unsolved_minutes": _unsolved,
    "recovered": _recovered,
    "delay_s": _delay,
}


def _fold(function: Any) -> Callable[..., Any]:
    def folded(*values: Any) -> Any:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return result

    return folded


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(np.asarray(x) >= 0, 1 / (1 + small), small / (1 + small))


VECTOR: Final[Mapping[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda x, y: np.where(np.asarray(y) == 0, np.nan, np.divide(x, y)),
    "ln": lambda x: np.where(np.asarray(x) > 0, np.log(x), np.nan),
    "exp": lambda x: np.exp(np.minimum(x, 700.0)),
    "sqrt": lambda x: np.where(np.asarray(x) >= 0, np.sqrt(x), np.nan),
    "abs": np.abs,
    "sigmoid": _sigmoid,
    "min": _fold(np.minimum),
    "max": _fold(np.maximum),
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "or_else": lambda x, y: np.where(np.isnan(x), y, x),
}
