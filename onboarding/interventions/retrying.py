"""When a send that failed is tried again: five times, full jitter, a minute to six hours. When it
is asked what became of one that may have gone out: after a minute, then twice as long each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

_FULL_AFTER = 4


@dataclass(frozen=True, slots=True)
class Retrying:
    """The longest wait grows evenly on a logarithmic scale, from `first` after the first try to
    `longest` after the fourth (onboarding reference, section 11)."""

    tries: int = 5
    first: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=6)
    ask_after: timedelta = timedelta(minutes=1)
    patience: timedelta = timedelta(hours=1)
    """What nobody could tell by then is for a person to look at."""

    def asked(self, unknown_for: timedelta) -> timedelta | None:
        """How long after it became unknown it is asked next; None when it was asked long enough."""
        if unknown_for >= self.patience:
            return None
        return min(max(2 * unknown_for, self.ask_after), self.patience)

    def wait(self, tried: int, rng: Random, asked: timedelta | None = None) -> timedelta | None:
        """None when it was tried often enough. `asked` is what the receiver asked for: it is never
        waited for less, nor for more than `longest`."""
        if tried >= self.tries:
            return None
        share = min((tried - 1) / (_FULL_AFTER - 1), 1.0)
        growth: float = (self.longest / self.first) ** share
        most = self.first * growth
        least = min(asked or timedelta(0), self.longest)
        return max(least, most * rng.random(), timedelta(seconds=1))
