"""What memories measure at a time."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from onboarding.features.growing import MINUTE_US, State, bucket
from onboarding.features.measures import DAY, HOUR, RECOVERY, Track

NOTHING: Final = math.nan


def within(rows: Iterable[Sequence[Any]], track: Track, at: int, window: int) -> float:
    now = bucket(at, track.step)
    least = now - window // track.step
    total = 0.0
    for place, amount in reversed(list(rows)):
        if place <= least:
            break
        if place <= now:
            total += amount
    return total


def _read_count(track: Track, state: State, at: int, window: int) -> float:
    return within(state or (), track, at, window)


def _read_days(_track: Track, state: State, at: int, window: int) -> float:
    today = bucket(at, DAY)
    days = {place * HOUR // DAY for place, _ in state or ()}
    return float(sum(today - window // DAY < day <= today for day in days))


def _read_hours(_track: Track, state: State, at: int, _window: int) -> float:
    return NOTHING if state is None else max(0.0, (at - state) / (HOUR * MINUTE_US))


def _read_never(_track: Track, state: State, _at: int, _window: int) -> float:
    return 1.0 if state is None else 0.0


def _read_sessions(_track: Track, state: State, at: int, window: int) -> float:
    now = bucket(at, HOUR)
    ends = (bucket(row[1], HOUR) for row in state or ())
    return float(sum(now - window // HOUR < end <= now for end in ends))


def _read_values(_track: Track, state: State, at: int, window: int) -> float:
    return float(sum(at - window * MINUTE_US < seen for seen in (state or {}).values()))


def _read_latest(_track: Track, state: State, _at: int, _window: int) -> float | str:
    if state is None:
        return NOTHING
    value = state[2]
    if isinstance(value, str | bool):
        return str(value).lower() if isinstance(value, bool) else value
    return float(value) if isinstance(value, int | float) else NOTHING


def _read_repeated(track: Track, state: State, at: int, window: int) -> float:
    return max((within(rows, track, at, window) for rows in (state or {}).values()), default=0.0)


def _read_unsolved(_track: Track, state: State, at: int, window: int) -> float:
    after = at - window * MINUTE_US
    lasting = [
        errors[-1]
        for errors, solved in (state or {}).values()
        if errors and errors[-1] > after and (not solved or solved[-1] < errors[-1])
    ]
    return max(0.0, (at - max(lasting)) / MINUTE_US) if lasting else NOTHING


def _read_recovered(_track: Track, state: State, at: int, window: int) -> float:
    after = at - window * MINUTE_US
    errors = recovered = 0
    for failed, solved in (state or {}).values():
        for error in failed:
            if error <= after:
                continue
            errors += 1
            place = bisect_left(solved, error)
            recovered += place < len(solved) and solved[place] - error <= RECOVERY * MINUTE_US
    return recovered / errors if errors else NOTHING


def _read_delay(_track: Track, state: State, at: int, window: int) -> float:
    """Of what was shown last and got its input: from the one to the other."""
    after = at - window * MINUTE_US
    newest, delay = after, NOTHING
    for _, (shown, inputs) in sorted((state or {}).items()):
        if not shown or shown[-1] <= newest:
            continue
        place = bisect_left(inputs, shown[-1])
        if place < len(inputs):
            newest, delay = shown[-1], (inputs[place] - shown[-1]) / 1_000_000
    return delay


READ: Final[dict[str, Callable[[Track, State, int, int], float | str]]] = {
    "n": _read_count,
    "sum": _read_count,
    "days": _read_days,
    "hours_since": _read_hours,
    "hours_from_first": _read_hours,
    "never": _read_never,
    "sessions": _read_sessions,
    "distinct": _read_values,
    "latest": _read_latest,
    "repeated": _read_repeated,
    "unsolved_minutes": _read_unsolved,
    "recovered": _read_recovered,
    "delay_s": _read_delay,
}
