"""A receipt for people and programs: what was done, when, by whom approved, whether undone."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime

from tools.journal import Action, Journal, JournalError, Receipt, State, UnknownActionError
from tools.receipts.verify.reading import Payload

PREFIX = "rcpt_"
_ID = re.compile(r"rcpt_([1-9][0-9]{0,14})")


class UnknownReceiptError(JournalError):
    """The tenant has no such receipt."""


@dataclass(frozen=True, slots=True)
class Shown:
    """`action` is the journal's own side of it, as it stands now."""

    receipt: Receipt
    payload: Payload
    action: Action

    @property
    def title(self) -> str:
        card = self.action.card
        return card.title if card is not None else self.action.call.tool

    @property
    def approvers(self) -> tuple[str, ...]:
        return tuple(self.payload["approver_refs"])

    @property
    def can_undo(self) -> bool:
        """The target may still refuse: it is compared with what the action left."""
        newest = self.action.receipt == self.receipt.id
        return newest and self.action.state is State.SUCCEEDED and self.action.undo is not None

    @property
    def undo(self) -> str:
        """In words, and until when."""
        if self.can_undo:
            card = self.action.card
            how = card.undo.rstrip(".") if card is not None and card.undo else "can be undone"
            return f"{how}; until what it changed is changed by something else"
        match self.action.state:
            case State.COMPENSATING:
                return "being undone"
            case State.COMPENSATED:
                return "undone"
            case State.STUCK:
                return "could not be undone completely; a person has to look at it"
            case _:
                return "cannot be undone"

    def concerns(self, subject: str) -> bool:
        """Whether this person asked for it or approved it."""
        return subject == self.payload["actor_ref"] or subject in self.approvers


def payload_of(receipt: Receipt) -> Payload:
    """Of a receipt of our own journal; nothing is verified."""
    segment = receipt.jws.split(".")[1]
    payload: Payload = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return payload


def when(receipt: Receipt) -> datetime:
    return datetime.fromisoformat(payload_of(receipt)["ts"])


async def show(journal: Journal, tenant: str, receipt_id: str) -> Shown:
    """Raises UnknownReceiptError."""
    named = _ID.fullmatch(receipt_id)
    seq = int(named[1]) if named else 0
    found = await journal.receipts(tenant, after=seq - 1, limit=1) if seq else ()
    if not found or found[0].seq != seq:
        raise UnknownReceiptError(f"there is no receipt {receipt_id}")
    try:
        action = await journal.action(tenant, found[0].action_id)
    except UnknownActionError as failure:
        raise UnknownReceiptError(f"receipt {receipt_id}: {failure}") from failure
    return Shown(found[0], payload_of(found[0]), action)


def _number(action: Action) -> int:
    return 0 if action.receipt is None else int(action.receipt.removeprefix(PREFIX))
