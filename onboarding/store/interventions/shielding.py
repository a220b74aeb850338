"""A channel whose provider does not answer is left alone for a while (a circuit breaker)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from onboarding.interventions.channel import (
    Again,
    Away,
    ChannelAdapter,
    Effect,
    Parcel,
    Refused,
    Result,
    Sent,
    Unsure,
)
from onboarding.interventions.types import Channel, Delivery


class Breaker(Protocol):
    """Of one provider; `now` is monotonic seconds."""

    def rest_s(self, now: float) -> float:
        """How long it is still left alone."""
        ...

    def wait_s(self, now: float) -> float:
        """The same, of somebody who calls now: 0.0 goes ahead, alone where it is a probe."""
        ...

    def answered(self) -> None: ...

    def failed(self, now: float) -> None: ...


class Shielded:
    """An adapter behind a breaker."""

    def __init__(
        self,
        adapter: ChannelAdapter,
        breaker: Breaker,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._adapter = adapter
        self._breaker = breaker
        self._timer = timer

    @property
    def channel(self) -> Channel:
        return self._adapter.channel

    @property
    def effect(self) -> Effect:
        return self._adapter.effect

    @property
    def rests(self) -> timedelta:
        """For how long nothing is handed to it."""
        return timedelta(seconds=self._breaker.rest_s(self._timer()))

    async def send(self, parcel: Parcel) -> Result:
        wait_s = self._breaker.wait_s(self._timer())
        if wait_s > 0:
            return Away(timedelta(seconds=wait_s))
        try:
            result = await self._adapter.send(parcel)
        except asyncio.CancelledError:  # too slow
            self._breaker.failed(self._timer())
            raise
        self._note(result)
        return result

    async def found(self, delivery: Delivery) -> Sent | Refused | Again | None:
        if self.rests:
            return None
        answer = await self._adapter.found(delivery)
        if answer is not None:
            self._breaker.answered()
        return answer

    def _note(self, result: Result) -> None:
        match result:
            case Sent() | Refused() | Again(answered=True):
                self._breaker.answered()
            case Again() | Unsure():
                self._breaker.failed(self._timer())
            case Away():
                pass


def rest_of(adapter: ChannelAdapter | None) -> timedelta:
    """Zero where nothing stands before it."""
    return adapter.rests if isinstance(adapter, Shielded) else timedelta(0)
