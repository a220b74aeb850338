"""How long to wait before the next try."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter, as in "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015)."""

    base_s: float
    cap_s: float

    def pause(self, number: int, rng: Random) -> float:
        """Seconds before try `number` + 1, from 1: uniform below the doubled and capped base."""
        return rng.uniform(0.0, self.ceiling(number))

    def at_least_half(self, number: int, rng: Random) -> float:
        """The same, never sooner than half of it: for scheduled tries, which a person watches."""
        return rng.uniform(0.5, 1.0) * self.ceiling(number)

    def ceiling(self, number: int) -> float:
        doublings = min(number - 1, 32)  # 2**32 bases are beyond any cap
        return float(min(self.cap_s, self.base_s * 2**doublings))


@dataclass(frozen=True, slots=True)
class Patience:
    """When the executor tries again, and for how long it holds an action.

    `quick` bounds the tries of one claim, `held_s` the longest pause during them; a longer one is
    scheduled. `quiet_s` is the wait between two read-backs that both must find nothing before a
    call is sent again: a request of a killed process may still be on its way. The shorter of it and
    the tool's own timeout counts.
    """

    tries: int = 3
    quick: Backoff = Backoff(0.1, 2.0)
    scheduled: Backoff = Backoff(5.0, 300.0)
    held_s: float = 2.0
    quiet_s: float = 2.0
    lease_s: float = 15.0
