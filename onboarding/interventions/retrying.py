"""When a send that failed is tried again: five times, full jitter, a minute to six hours."""

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
