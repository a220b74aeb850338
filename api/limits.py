"""Caps on what one server and one client may hold open, checked before any work is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from api.errors import BusyError


@dataclass(frozen=True, slots=True)
class Limits:
    """The caps of one server process."""

    max_streams: int = 1000
    streams_per_client: int = 64
    """An address may be a whole office behind one router: per-user caps need an identity."""
    max_body_bytes: int = 262_144
    max_message_bytes: int = 32_768
    heartbeat_s: float = 15.0
    """Silence after which a comment keeps proxies from closing the stream."""
    linger_s: float = 300.0
    """How long a followed thread without a run stays open; clients reconnect with their cursor."""
    remembered_runs: int = 1024
    """Finished runs whose frames are kept for readers that come back."""
    shutdown_grace_s: float = 5.0
    """Time that runs get to finish when the server stops."""


class Slot:
    """One open stream. Releasing twice is releasing once."""

    def __init__(self, slots: StreamSlots, client: str) -> None:
        self._slots: StreamSlots | None = slots
        self._client = client

    def release(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back(self._client)


class StreamSlots:
    """Counts open streams, all together and by client."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: Counter[str] = Counter()
        self._total = 0

    @property
    def open(self) -> int:
        return self._total

    def take(self, client: str) -> Slot:
        """Raises BusyError when this client or the whole server is at its cap."""
        if self._held[client] >= self._limits.streams_per_client:
            raise BusyError(client=True, limit=self._limits.streams_per_client)
        if self._total >= self._limits.max_streams:
            raise BusyError(client=False, limit=self._limits.max_streams)
        self._held[client] += 1
        self._total += 1
        return Slot(self, client)

    def give_back(self, client: str) -> None:
        self._total -= 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
