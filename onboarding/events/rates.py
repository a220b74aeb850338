"""Who sends more than a person can do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

MOST_A_SECOND = 50
"""Events of one user (onboarding reference, 2)."""


class Rates:
    """Of one process; remembers one second."""

    def __init__(self, most: int = MOST_A_SECOND) -> None:
        self._most = most
        self._second = 0
        self._seen: Counter[str] = Counter()

    def over(self, users: Iterable[str], now: datetime) -> frozenset[str]:
        """Counts one event for each; those who are above the rate in this second."""
        second = int(now.timestamp())
        if second != self._second:
            self._second = second
            self._seen.clear()
        listed = list(users)
        self._seen.update(listed)
        return frozenset(user for user in listed if self._seen[user] > self._most)
