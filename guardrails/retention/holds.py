"""Legal holds: of whom nothing may be deleted, neither by age nor by an erasure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guardrails.refs import code, owner, ref, stamp


class UnderHoldError(RuntimeError):
    """Something of this person has to be kept for now; the erasure was not begun."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"nothing of {subject} may be erased now: a legal hold says so; "
            "release it first (`embark retention release`)"
        )
        self.subject = subject


@dataclass(frozen=True, slots=True)
class Hold:
    """`reason` is a code, such as the number of a case; `placed_by` an opaque reference. Raises
    ValueError for what is neither."""

    tenant: str
    subject: str
    since: datetime
    placed_by: str
    reason: str

    def __post_init__(self) -> None:
        owner(self.tenant)
        ref("subject", self.subject)
        ref("placed_by", self.placed_by)
        code("reason", self.reason)
        stamp(self.since)


class HoldStore(Protocol):
    """Durable once a call returns. Raises StoreUnavailableError from all: where it is not known who
    is held, nothing is deleted."""

    async def place(self, hold: Hold) -> Hold:
        """The one that stands: placing it again changes nothing."""
        ...

    async def release(self, tenant: str, subject: str) -> bool:
        """Whether there was one."""
        ...

    async def all(self, tenant: str) -> tuple[Hold, ...]:
        """Oldest first."""
        ...

    async def holds(self, tenant: str, subject: str) -> bool: ...


class MemoryHolds:
    """The twin: nothing beyond the process."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Hold] = {}

    async def place(self, hold: Hold) -> Hold:
        return self._held.setdefault((hold.tenant, hold.subject), hold)

    async def release(self, tenant: str, subject: str) -> bool:
        return self._held.pop((tenant, subject), None) is not None

    async def all(self, tenant: str) -> tuple[Hold, ...]:
        own = (hold for hold in self._held.values() if hold.tenant == tenant)
        return tuple(sorted(own, key=lambda hold: (stamp(hold.since), hold.subject)))

    async def holds(self, tenant: str, subject: str) -> bool:
        return (tenant, subject) in self._held
