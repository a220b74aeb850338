"""A circuit breaker per target: who does not answer is left alone for a while.

closed -> (failures in a row) -> open -> (time, jittered) -> half-open: one probe -> closed | open
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Five in a row and half a minute are the customary defaults (Nygard, Release It!, 2nd ed.)."""

    failures: int = 5
    open_s: float = 30.0


class Breaker:
    """Of one target. `now` is monotonic seconds."""

    def __init__(self, policy: BreakerPolicy, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self._failures = 0
        self._shut_until: float | None = None

    def wait_s(self, now: float) -> float:
        """0.0: go ahead; else how long to stay away. The one who is let through is the probe."""
        rest = self.rest_s(now)
        if rest == 0 and self._shut_until is not None:
            self._shut_until = (
                now + self._policy.open_s
            )  # others wait for the probe, or its silence
        return rest

    def rest_s(self, now: float) -> float:
        """How long nobody goes ahead. It lets nobody through."""
        return 0.0 if self._shut_until is None else max(0.0, self._shut_until - now)

    def answered(self) -> None:
        """The target works, whatever it said."""
        self._failures = 0
        self._shut_until = None

    def failed(self, now: float) -> None:
        self._failures += 1
        if self._failures >= self._policy.failures:
            spread = self._rng.uniform(0.5, 1.5)  # many processes must not probe in step
            self._shut_until = now + self._policy.open_s * spread

    @property
    def closed(self) -> bool:
        return self._shut_until is None


class Breakers:
    """One a target, made at first use."""

    def __init__(self, policy: BreakerPolicy, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self._of: dict[str, Breaker] = {}

    def of(self, target: str) -> Breaker:
        if target not in self._of:
            self._of[target] = Breaker(self._policy, self._rng)
        return self._of[target]

    def degraded(self) -> tuple[str, ...]:
        """Targets that are not called now, by name."""
        return tuple(sorted(name for name, each in self._of.items() if not each.closed))
