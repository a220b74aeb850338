"""One move: legal by the table, compared and set, with its outbox row and its receipt."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import JsonValue

from tools.canonical import b64url, canonical, digest_of, sha256
from tools.journal import (
    MOVES,
    RECEIPTED,
    Approval,
    IllegalMoveError,
    Receipt,
    Sealer,
    State,
    UnknownActionError,
)
from tools.store.rows import Entry, Head, Rows
from tools.types import ToolCall

RECEIPT_VERSION = 1
BY_JOURNAL = "journal"
"""Who refused it when nobody did: expiry, damage, the end of its flow."""


@dataclass(frozen=True, slots=True)
class Book:
    """The rows of one transaction, and what writing in them needs."""

    rows: Rows
    sealer: Sealer
    entropy: Callable[[int], bytes]


def locked(book: Book, tenant: str, action_id: str) -> Entry:
    entry = book.rows.locked(tenant, action_id)
    if entry is None:
        raise UnknownActionError(f"there is no action {action_id}")
    return entry


def timestamp(at: datetime) -> str:
    """As stored and signed: ISO 8601 in UTC, always with microseconds, so that text sorts."""
    return at.isoformat(timespec="microseconds")


def commit(salt: str, call: ToolCall) -> str:
    """What a receipt says of the arguments: nothing to whoever lacks the salt."""
    plain = canonical(dict(call.arguments))
    return b64url(hmac.new(salt.encode(), plain, hashlib.sha256).digest())


def sound(entry: Entry) -> bool:
    """Whether the stored content still has the digest that was approved."""
    action = entry.action
    return not action.sealed and action.digest == digest_of(
        who=action.who,
        call=action.call,
        etag=action.etag,
        policy_version=action.policy_version,
        tier=action.tier,
        nonce=action.nonce,
        expires=timestamp(action.expires),
    )


def advance(book: Book, before: Entry, after: Entry, undo_ref: str = "") -> Entry:
    """Raises IllegalMoveError when the move is not in the table or somebody was first.

    The receipt names `undo_ref`, else the compensation that `after` offers.
    """
    action = before.action
    if after.state not in MOVES[before.state]:
        raise IllegalMoveError(f"{action.id} is {before.state}, it cannot become {after.state}")
    head = book.rows.head(action.who.tenant) if after.state in RECEIPTED else None
    if head is not None:
        after = replace(after, action=replace(after.action, receipt=f"rcpt_{head.seq + 1}"))
    if not book.rows.move(before, after):
        raise IllegalMoveError(f"{action.id} is not {before.state} any more")
    if head is not None:
        _receipt(book, after, head, undo_ref or after.undo_id)
    book.rows.tell(after, after.changed)
    return after


def refuse(book: Book, entry: Entry, reason: str, now: datetime, by: str = BY_JOURNAL) -> Entry:
    return advance(book, entry, entry.to(State.REFUSED, now, reason=reason, decided_by=by))


def _receipt(book: Book, entry: Entry, head: Head, undo_ref: str) -> None:
    action = entry.action
    tenant, seq = action.who.tenant, head.seq + 1
    approvals = book.rows.approvals(tenant, action.id)
    payload: dict[str, JsonValue] = {
        "v": RECEIPT_VERSION,
        "tenant": tenant,
        "seq": seq,
        "prev": head.hash,
        "ts": timestamp(entry.changed),
        "action_id": action.id,
        "digest": action.digest,
        "tool": action.call.tool,
        "tool_version": action.call.version,
        "actor_ref": action.who.subject,
        "approver_refs": [approval.approver for approval in approvals],
        "approval_hash": sha256(canonical([_approved(approval) for approval in approvals])),
        "policy_hash": approvals[-1].policy_hash if approvals else "",
        "outcome": action.state.value,
        "effect_ref": action.effect_ref,
        "undo_ref": undo_ref,
        "args_commit": entry.args_commit,
    }
    jws = book.sealer.seal(payload)
    receipt = Receipt(tenant, seq, action.id, head.hash, jws, entry.changed)
    book.rows.add_receipt(receipt, Head(seq, sha256(jws.encode())))


def _approved(approval: Approval) -> dict[str, JsonValue]:
    signed_in = approval.auth_time
    return {
        "id": approval.id,
        "digest": approval.digest,
        "approver": approval.approver,
        "channel": approval.channel,
        "auth_time": None if signed_in is None else timestamp(signed_in),
        "policy_hash": approval.policy_hash,
    }
