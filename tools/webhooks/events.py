"""What is told to others: CloudEvents 1.0 that hold references, and nothing of anybody."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from tools.canonical import b64url, canonical
from tools.erasures import ERASE, KEEPER
from tools.journal import Action, OutboxRow, State
from tools.receipts.checkpoints import StoredCheckpoint

SETTLED, UNKNOWN = "action.settled", "action.unknown"
CHECKPOINT, ERASED = "receipts.checkpoint", "erasure.completed"
KINDS = (SETTLED, UNKNOWN, CHECKPOINT, ERASED)
_SETTLED = frozenset({State.SUCCEEDED, State.FAILED, State.REFUSED, State.COMPENSATED, State.STUCK})
_STATE = "action."


@dataclass(frozen=True, slots=True)
class Event:
    """`id` is the same whenever it is told again; it is the message's too."""

    id: str
    kind: str
    at: datetime
    tenant: str
    data: dict[str, JsonValue]

    def body(self) -> str:
        """Structured JSON (CloudEvents 1.0, JSON event format)."""
        said: dict[str, JsonValue] = {
            "specversion": "1.0",
            "id": self.id,
            "source": f"urn:embark:{self.tenant}",
            "type": f"io.embark.{self.kind}.v1",
            "time": self.at.isoformat(timespec="microseconds"),
            "datacontenttype": "application/json",
            "data": self.data,
        }
        return canonical(said).decode()


def is_told(row: OutboxRow) -> bool:
    """Whether a change of this kind is told at all."""
    state = row.kind.removeprefix(_STATE)
    return row.kind.startswith(_STATE) and (state == State.UNKNOWN or state in _SETTLED)


def of_action(row: OutboxRow, action: Action) -> Event:
    """Of a row that `is_told`. An erasure is an action of the journal's own keeper."""
    state = row.kind.removeprefix(_STATE)
    message_id = _id(row.tenant, "outbox", str(row.id))
    if action.who.subject == KEEPER and action.call.tool == ERASE and state == State.SUCCEEDED:
        erased: dict[str, JsonValue] = {"erasureId": action.id, "receipt": action.receipt}
        return Event(message_id, ERASED, row.created, row.tenant, erased)
    data: dict[str, JsonValue] = {
        "actionId": action.id,
        "state": state,
        "tool": action.call.tool,
        "receipt": action.receipt,
    }
    kind = UNKNOWN if state == State.UNKNOWN else SETTLED
    return Event(message_id, kind, row.created, row.tenant, data)


def of_checkpoint(checkpoint: StoredCheckpoint) -> Event:
    """The note goes out whole: whoever keeps it sees when newest receipts are missing."""
    tenant, size = checkpoint.tenant, checkpoint.size
    data: dict[str, JsonValue] = {"size": size, "note": checkpoint.note}
    message_id = _id(tenant, "checkpoint", str(size))
    return Event(message_id, CHECKPOINT, checkpoint.created, tenant, data)


def _id(*parts: str) -> str:
    """Made of what it is about, so that telling it twice tells the same."""
    return f"evt_{b64url(hashlib.sha256(chr(0).join(parts).encode()).digest()[:18])}"
