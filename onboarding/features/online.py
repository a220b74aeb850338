"""Memories that grow by one event, in constant time, and what they measure at a time.

A state is plain JSON. Times are microseconds since 1970; a bucket is a time divided by the width of
the track, rounded down, and a window of w holds the buckets of the last w, the present one
included.
"""

from __future__ import annotations

from collections.abc import Sequence

from onboarding.features.combining import TOGETHER
from onboarding.features.formulas import Measured
from onboarding.features.growing import GROW, MINUTE_US, State
from onboarding.features.measures import DAY, HOUR, Track
from onboarding.features.pruning import PRUNE
from onboarding.features.reading import READ, within
from onboarding.types import Event


def add(track: Track, state: State, event: Event, at: int) -> State:
    """The state with one event that the track heeds; `at` is when it occurred."""
    return GROW[track.kind](track, state, event, at)


def together(track: Track, states: Sequence[State]) -> State:
    """Of one person under several ids."""
    given = [each for each in states if each is not None]
    if len(given) <= 1:
        return given[0] if given else None
    return TOGETHER[track.kind](given)


def pruned(track: Track, state: State, now: int) -> State:
    """Without what no window reaches any more from `now` on; where days are counted a day begins
    before its window does."""
    prune = PRUNE.get(track.kind)
    if prune is None:
        return state
    slack = DAY if track.step == HOUR else track.step
    return prune(state, now - (track.horizon + slack) * MINUTE_US, track)


def read(track: Track, state: State, asked: Measured, at: int) -> float | str:
    """NaN where there is nothing to measure."""
    window = asked.window.minutes if asked.window is not None else 0
    if asked.measure == "by":
        return within((state or {}).get(asked.names[2], ()), track, at, window)
    return READ[asked.measure](track, state, at, window)
