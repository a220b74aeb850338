"""How much of the machine this process has: what measures time asks before it complains."""

from __future__ import annotations

import time

SPIN_S = 0.02
CROWDED = 2.0
"""Work that takes longer than this times its processor time shares the machine with others: limits
stretch by as much as that is exceeded."""


def crowding(spin_s: float = SPIN_S) -> float:
    """How much longer work takes than it would on cores of its own."""
    began, spent = time.perf_counter(), time.process_time()
    while time.process_time() - spent < spin_s:
        pass
    return (time.perf_counter() - began) / spin_s


def stretched(limit_s: float, found: float) -> float:
    return limit_s * max(1.0, found / CROWDED)
