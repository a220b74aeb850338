"""How long decisions are kept, by kind, and the job that sweeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from guardrails.decisions.record import DecisionRecord
from guardrails.decisions.types import Kind

BLOCK = 1000


@dataclass(frozen=True, slots=True)
class Retention:
    """Days by kind. Raises ValueError where a kind has none: nothing is kept for ever by omission.

    What the periods are is the operator's to say; there is no default.
    """

    days: Mapping[Kind, int]

    def __post_init__(self) -> None:
        missing = [kind.value for kind in Kind if self.days.get(kind, 0) < 1]
        if missing:
            raise ValueError(f"no retention of at least a day for: {', '.join(missing)}")


async def sweep_due(
    record: DecisionRecord, tenant: str, retention: Retention, now: datetime
) -> dict[Kind, int]:
    """How many of each kind went, in transactions of 1,000; `tenant` may be EVERYBODY."""
    gone = dict.fromkeys(Kind, 0)
    for kind in Kind:
        before = now - timedelta(days=retention.days[kind])
        swept = BLOCK
        while swept == BLOCK:
            swept = await record.sweep(tenant, kind, before, BLOCK)
            gone[kind] += swept
    return gone
