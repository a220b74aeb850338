"""A store that may be away, and what is known of it meanwhile."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

TIMEOUT_S = 0.5
"""Longer than a healthy database takes, shorter than anybody waits for a first word."""
PAUSE_S = 2.0
"""How long a store that failed is left alone."""
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class StoreAwayError(Exception):
    """It does not answer now."""


class Guard:
    """Calls a store. One that failed is left alone for a while; then one call looks whether it is
    back, and the others do not wait for it."""

    def __init__(self, name: str, timer: Callable[[], float], timeout_s: float = TIMEOUT_S) -> None:
        """`timer` is monotonic, in seconds."""
        self._name = name
        self._timer = timer
        self._timeout_s = timeout_s
        self._again_at = -math.inf

    async def call(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Raises StoreAwayError. A call that took too long may still come to its end."""
        now = self._timer()
        if now < self._again_at:
            raise StoreAwayError(self._name)
        away = self._again_at > -math.inf
        if away:
            self._again_at = now + PAUSE_S
        try:
            async with asyncio.timeout(self._timeout_s):
                done = await work()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            self._again_at = self._timer() + PAUSE_S
            _log.warning("store.away", store=self._name, error=type(error).__name__)
            raise StoreAwayError(self._name) from error
        self._again_at = -math.inf
        return done
