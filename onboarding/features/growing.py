"""Memories that grow by one event, in constant time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import Any, Final

from guardrails.consent import Purpose
from onboarding.features.measures import (
    EVENT,
    MOST_TIMES,
    MOST_VALUES,
    SESSION_GAP,
    USER,
    Kind,
    Track,
)
from onboarding.types import Event

MINUTE_US: Final = 60_000_000
State = Any


def field_of(event: Event, name: str) -> Any:
    """A field that may serve analytics; None where there is none."""
    if name == USER:
        return event.user
    if name == EVENT:
        return event.name
    tagged = event.fields.get(name)
    if tagged is None or Purpose.PRODUCT_ANALYTICS not in tagged.purposes:
        return None
    return tagged.value


def bucket(at: int, step: int) -> int:
    return at // (step * MINUTE_US)


def _count(track: Track, state: State, event: Event, at: int) -> State:
    amount: Any = 1
    if track.field:
        amount = field_of(event, track.field)
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            return state
    return bump(state or [], bucket(at, track.step), amount)


def bump(rows: list[list[Any]], place: int, amount: float) -> list[list[Any]]:
    """Rows of bucket and number, in order; the newest is where most events belong."""
    if rows and rows[-1][0] == place:
        rows[-1][1] += amount
        return rows
    where = bisect_left(rows, place, key=_first)
    if where < len(rows) and rows[where][0] == place:
        rows[where][1] += amount
    else:
        rows.insert(where, [place, amount])
    return rows


def _last(_track: Track, state: State, _event: Event, at: int) -> State:
    return at if state is None else max(state, at)


def _earliest(_track: Track, state: State, _event: Event, at: int) -> State:
    return at if state is None else min(state, at)


def _session(_track: Track, state: State, _event: Event, at: int) -> State:
    """Stretches of [begins, ends], apart by more than the gap."""
    rows = state or []
    if rows and rows[-1][0] <= at <= rows[-1][1]:
        return rows
    insort(rows, [at, at])
    return joined(rows)


def joined(rows: list[list[int]]) -> list[list[int]]:
    found: list[list[int]] = []
    for begins, ends in rows:
        if found and begins - found[-1][1] <= SESSION_GAP * MINUTE_US:
            found[-1][1] = max(found[-1][1], ends)
        else:
            found.append([begins, ends])
    return found


def _value(track: Track, state: State, event: Event, at: int) -> State:
    value = field_of(event, track.field)
    if value is None:
        return state
    found = state or {}
    key = str(value)
    found[key] = max(found.get(key, at), at)
    return newest(found) if len(found) > MOST_VALUES else found


def newest(found: dict[str, int]) -> dict[str, int]:
    ordered = sorted(found.items(), key=lambda each: (each[1], each[0]), reverse=True)
    return dict(ordered[:MOST_VALUES])


def _latest(track: Track, state: State, event: Event, at: int) -> State:
    value = field_of(event, track.field)
    if value is None:
        return state
    new = [at, event.message_id, value]
    return new if state is None or new[:2] > state[:2] else state


def _keyed(track: Track, state: State, event: Event, at: int) -> State:
    value = field_of(event, track.field)
    if value is None or (track.values is not None and str(value) not in track.values):
        return state
    found = state or {}
    found[str(value)] = bump(found.get(str(value), []), bucket(at, track.step), 1)
    return found


def _pair(track: Track, state: State, event: Event, at: int) -> State:
    found = state or {}
    if track.events is not None and event.name in track.events:
        _note(found.setdefault(event.name, [[], []])[0], at)
    for key, answers in track.others:
        if event.name in answers:
            _note(found.setdefault(key, [[], []])[1], at)
    return found


def _delay(track: Track, state: State, event: Event, at: int) -> State:
    key = field_of(event, track.field)
    if key is None:
        return state
    found = state or {}
    row = found.setdefault(str(key), [[], []])
    if track.events is not None and event.name in track.events:
        _note(row[0], at)
    if any(event.name in answers for _, answers in track.others):
        _note(row[1], at)
    return found


def _note(times: list[int], at: int) -> None:
    insort(times, at)
    if len(times) > MOST_TIMES:
        del times[0]


def _first(row: Sequence[Any]) -> int:
    return int(row[0])


GROW: Final[dict[Kind, Callable[[Track, State, Event, int], State]]] = {
    Kind.COUNTS: _count,
    Kind.LAST: _last,
    Kind.FIRST: _earliest,
    Kind.SESSIONS: _session,
    Kind.VALUES: _value,
    Kind.LATEST: _latest,
    Kind.KEYED: _keyed,
    Kind.PAIRS: _pair,
    Kind.DELAYS: _delay,
}
