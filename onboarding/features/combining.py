"""Memories of one person under several ids, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from onboarding.features.growing import State, joined, newest
from onboarding.features.measures import MOST_TIMES, Kind


def _sum_all(states: Sequence[State]) -> State:
    found: dict[int, Any] = {}
    for rows in states:
        for place, amount in rows:
            found[place] = found.get(place, 0) + amount
    return [[place, found[place]] for place in sorted(found)]


def _joined_all(states: Sequence[State]) -> State:
    return joined(sorted(list(row) for rows in states for row in rows))


def _values_all(states: Sequence[State]) -> State:
    found: dict[str, int] = {}
    for values in states:
        for key, at in values.items():
            found[key] = max(found.get(key, at), at)
    return newest(found)


def _keyed_all(states: Sequence[State]) -> State:
    keys = {key for state in states for key in state}
    return {key: _sum_all([s[key] for s in states if key in s]) for key in sorted(keys)}


def _times_all(states: Sequence[State]) -> State:
    keys = {key for state in states for key in state}
    found: dict[str, list[list[int]]] = {}
    for key in sorted(keys):
        rows = [state[key] for state in states if key in state]
        found[key] = [sorted(t for row in rows for t in row[side])[-MOST_TIMES:] for side in (0, 1)]
    return found


TOGETHER: Final[dict[Kind, Callable[[Sequence[State]], State]]] = {
    Kind.COUNTS: _sum_all,
    Kind.LAST: max,
    Kind.FIRST: min,
    Kind.SESSIONS: _joined_all,
    Kind.VALUES: _values_all,
    Kind.LATEST: lambda states: max(states, key=lambda each: each[:2]),
    Kind.KEYED: _keyed_all,
    Kind.PAIRS: _times_all,
    Kind.DELAYS: _times_all,
}
