"""What no window reaches any more goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from onboarding.features.growing import State, bucket
from onboarding.features.measures import Kind, Track


def _prune_counts(state: State, before: int, track: Track) -> State:
    least = bucket(before, track.step)
    while state and state[0][0] < least:
        del state[0]
    return state


def _prune_sessions(state: State, before: int, _track: Track) -> State:
    while state and state[0][1] < before:
        del state[0]
    return state


def _prune_values(state: State, before: int, _track: Track) -> State:
    old = [key for key, at in state.items() if at < before] if state else ()
    for key in old:
        del state[key]
    return state


def _prune_keyed(state: State, before: int, track: Track) -> State:
    for key in list(state or ()):
        if not _prune_counts(state[key], before, track):
            del state[key]
    return state


def _prune_times(state: State, before: int, _track: Track) -> State:
    for key in list(state or ()):
        for times in state[key]:
            while times and times[0] < before:
                del times[0]
        if not any(state[key]):
            del state[key]
    return state


PRUNE: Final[dict[Kind, Callable[[State, int, Track], State]]] = {
    Kind.COUNTS: _prune_counts,
    Kind.SESSIONS: _prune_sessions,
    Kind.VALUES: _prune_values,
    Kind.KEYED: _prune_keyed,
    Kind.PAIRS: _prune_times,
    Kind.DELAYS: _prune_times,
}
