"""What can be measured of a stream of events, and what of it has to be remembered.

Every memory is the same whatever the order in which events come, and two of them can be put
together: what a visitor did is added to what the user did when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HOUR: Final = 60
DAY: Final = 24 * HOUR
FINE: Final = 2 * HOUR
"""Minutes of the longest window that is counted by the minute; longer ones are by the hour."""
LONGEST: Final = 28 * DAY
SESSION_GAP: Final = 30
"""Minutes without an event that end a session (onboarding reference, 3)."""
MOST_VALUES: Final = 256
MOST_TIMES: Final = 64
"""Newest values, and newest times of one key, that are remembered; those alone are measured."""
RECOVERY: Final = DAY
"""Within which a success counts as recovery from an error of the same step."""
ACCOUNT: Final = "account."
"""Before the name of a class: of the whole account instead of the person."""
USER: Final = "$user"
EVENT: Final = "$event"
"""Fields that every event has: who, and its name."""


class Kind(StrEnum):
    """Memories, by what they hold."""

    COUNTS = "counts"
    """Numbers, or sums of a field, by minute or hour."""
    LAST = "last"
    FIRST = "first"
    SESSIONS = "sessions"
    VALUES = "values"
    """Of a field, each with when it was last."""
    LATEST = "latest"
    """Value of a field in the newest event."""
    KEYED = "keyed"
    """Numbers by value of a field and minute."""
    PAIRS = "pairs"
    """Times of errors and of successes by step."""
    DELAYS = "delays"
    """By step, when it was shown, and times of input."""


@dataclass(frozen=True, slots=True)
class Need:
    """How a measure is written: how many names follow it, and whether a window does."""

    kind: Kind
    names: int
    window: bool


MEASURES: Final = {
    "n": Need(Kind.COUNTS, 1, True),
    "days": Need(Kind.COUNTS, 1, True),
    "sum": Need(Kind.COUNTS, 2, True),
    "hours_since": Need(Kind.LAST, 1, False),
    "never": Need(Kind.LAST, 1, False),
    "hours_from_first": Need(Kind.FIRST, 1, False),
    "sessions": Need(Kind.SESSIONS, 1, True),
    "distinct": Need(Kind.VALUES, 2, True),
    "latest": Need(Kind.LATEST, 2, False),
    "repeated": Need(Kind.KEYED, 2, True),
    "by": Need(Kind.KEYED, 3, True),
    "unsolved_minutes": Need(Kind.PAIRS, 1, True),
    "recovered": Need(Kind.PAIRS, 1, True),
    "delay_s": Need(Kind.DELAYS, 3, True),
}
"""Of `by` the third name is the value of the field. Of `recovered` and `unsolved_minutes` the name
is one of pairs; `delay_s` takes the class of what is shown, that of input, and the field that both
share."""


@dataclass(frozen=True, slots=True)
class Track:
    """One memory. `events` are those that it heeds, `others` those that answer them, by the key
    that they answer (pairs), or as they are (delays). `values` are those of the field that count.
    `step` is the width of a bucket and `horizon` how far back is remembered, in minutes."""

    id: str
    kind: Kind
    of_account: bool
    events: frozenset[str] | None
    field: str = ""
    others: tuple[tuple[str, frozenset[str]], ...] = ()
    values: frozenset[str] | None = None
    step: int = HOUR
    horizon: int = LONGEST

    def heeds(self, name: str) -> bool:
        """None are all events."""
        return (
            self.events is None
            or name in self.events
            or any(name in answers for _, answers in self.others)
        )


def step_of(window: int) -> int:
    """Width of the buckets that a window in minutes is counted by."""
    return 1 if window <= FINE else HOUR
