"""periods + legal holds -> what is due -> sweeper, in small transactions."""

from guardrails.retention.holds import Hold, HoldStore, MemoryHolds, UnderHoldError
from guardrails.retention.sweeping import BLOCK, Aging, Kept, Sweeper

__all__ = [
    "BLOCK",
    "Aging",
    "Hold",
    "HoldStore",
    "Kept",
    "MemoryHolds",
    "Sweeper",
    "UnderHoldError",
]
