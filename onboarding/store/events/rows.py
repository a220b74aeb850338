"""Event <-> row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from guardrails.consent import Purpose, Tagged
from onboarding.events import Numbered
from onboarding.types import Event, EventKind

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)
BITS: Final = {purpose: 1 << place for place, purpose in enumerate(Purpose)}
"""What the fields and the event itself may serve, as a mask; the order of `Purpose` is stored."""
COLUMNS: Final = (
    "number",
    "tenant",
    "message_id",
    "kind",
    "name",
    "version",
    '"user"',
    "anonymous",
    "account",
    "occurred_at",
    "received_at",
    "purposes",
    "fields",
)
_KINDS: Final = {kind.value: kind for kind in EventKind}
_MASKS: dict[frozenset[Purpose], int] = {}
_SETS: Final = [
    frozenset(purpose for purpose, bit in BITS.items() if mask & bit)
    for mask in range(1 << len(BITS))
]


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // TICK


def moment_of(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def mask_of(purposes: frozenset[Purpose]) -> int:
    known = _MASKS.get(purposes)
    if known is None:
        known = _MASKS[purposes] = sum(BITS[purpose] for purpose in purposes)
    return known


def row_of(event: Event, number: int) -> tuple[Any, ...]:
    """In the order of COLUMNS."""
    return (
        number,
        event.tenant,
        event.message_id,
        event.kind.value,
        event.name,
        event.version,
        event.user,
        event.anonymous,
        event.account,
        micros(event.occurred_at),
        micros(event.received_at),
        mask_of(event.purposes),
        _packed(event.fields),
    )


def _packed(fields: Mapping[str, Tagged]) -> str:
    if not fields:
        return "{}"
    told = {name: (tagged.value, mask_of(tagged.purposes)) for name, tagged in fields.items()}
    return orjson.dumps(told).decode()


def numbered_of(row: Sequence[Any]) -> Numbered:
    """Of COLUMNS, `fields` as text."""
    return Numbered(row[0], event_of(row))


def event_of(row: Sequence[Any]) -> Event:
    fields = {
        name: Tagged(value, _SETS[mask]) for name, (value, mask) in orjson.loads(row[12]).items()
    }
    return Event(
        row[1],
        row[2],
        _KINDS[row[3]],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
        moment_of(row[9]),
        moment_of(row[10]),
        fields,
        _SETS[row[11]],
    )
