"""Entries and approvals as rows, their content sealed under the subject's key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from tools.canonical import canonical
from tools.journal import Action, Approval, Sealed, State
from tools.store.moving import timestamp
from tools.store.rows import Entry
from tools.types import Card, Principal, Tier, ToolCall
from tools.vault import KeyDestroyedError, Vault

_CARD = TypeAdapter(Card)
Values = dict[str, Any]
_PLAIN: Mapping[str, Callable[[Entry], object]] = {
    "state": lambda e: e.action.state.value,
    "fence": lambda e: e.action.fence,
    "attempt": lambda e: e.action.attempt,
    "worker": lambda e: e.worker,
    "doubt": lambda e: e.doubt,
    "lease_until": lambda e: _text(e.action.lease_until),
    "started": lambda e: _text(e.action.started),
    "changed": lambda e: timestamp(e.changed),
    "reason": lambda e: e.action.reason,
    "effect_ref": lambda e: e.action.effect_ref,
    "receipt": lambda e: e.action.receipt,
    "decided_by": lambda e: e.action.decided_by,
}
"""What a move may change and anybody may read."""
_SEALED: Mapping[str, Callable[[Entry], bytes | None]] = {
    "detail": lambda e: e.action.detail.encode() or None,
    "card": lambda e: None if e.action.card is None else _CARD.dump_json(e.action.card),
    "result": lambda e: json.dumps(e.action.result).encode() if e.action.result else None,
}
"""What a move may change and lies under the subject's key."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What lies sealed in one row, or why it cannot be read."""

    call: ToolCall
    sealed: Sealed = ""
    nonce: str = ""
    salt: str = ""
    detail: str = ""
    card: Card | None = None
    result: Mapping[str, Any] | None = None
    undo: ToolCall | None = None


class Codec:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def mac(self, who: Principal, data: bytes) -> str:
        return self._vault.mac(who.tenant, who.subject, data)

    # --- writing --------------------------------------------------------------------------------

    def new(self, entry: Entry) -> Values:
        action = entry.action
        return {
            "tenant": action.who.tenant,
            "id": action.id,
            "idem_key": action.idem_key,
            "subject": action.who.subject,
            "account": action.who.account,
            "tool": action.call.tool,
            "tool_version": action.call.version,
            "args": self._seal(action, "args", canonical(dict(action.call.arguments))),
            "nonce": self._seal(action, "nonce", action.nonce.encode()),
            "salt": self._seal(action, "salt", entry.salt.encode()),
            "args_commit": entry.args_commit,
            "content": entry.content,
            "digest": action.digest,
            "etag": action.etag,
            "tier": int(action.tier),
            "policy_version": action.policy_version,
            "created": timestamp(action.created),
            "expires": timestamp(action.expires),
            "thread_id": action.thread_id,
            "parent": action.parent,
            "step": action.step,
            "undoes": action.undoes,
            **{name: read(entry) for name, read in _PLAIN.items()},
        }

    def changed(self, before: Entry, after: Entry) -> Values:
        """Of an erased subject nothing more is stored than that it moved."""
        values = {name: read(after) for name, read in _PLAIN.items() if read(after) != read(before)}
        for name, read in _SEALED.items():
            plain = read(after)
            if plain is not None and plain != read(before):
                values[name] = self._sealed_if_known(after.action, name, plain)
        return values

    def compensation(self, entry: Entry) -> Values | None:
        action = entry.action
        if action.undo is None:
            return None
        args = canonical(dict(action.undo.arguments))
        return {
            "tenant": action.who.tenant,
            "id": entry.undo_id or action.id,
            "action_id": action.id,
            "tool": action.undo.tool,
            "tool_version": action.undo.version,
            "args": self._sealed_if_known(action, "undo", args),
            "etag": action.undo_etag,
            "created": timestamp(entry.changed),
        }

    def _seal(self, action: Action, name: str, plain: bytes) -> bytes:
        return self._vault.seal(
            action.who.tenant, action.who.subject, _context(action.id, name), plain
        )

    def _sealed_if_known(self, action: Action, name: str, plain: bytes) -> bytes | None:
        if action.sealed == "erased":  # the person may have begun anew, under another key
            return None
        try:
            return self._seal(action, name, plain)
        except KeyDestroyedError:
            return None

    # --- reading --------------------------------------------------------------------------------

    def entry(self, row: RowMapping) -> Entry:
        content = self._content(row)
        action = Action(
            id=row["id"],
            idem_key=row["idem_key"],
            who=Principal(row["tenant"], row["subject"], row["account"]),
            call=content.call,
            tier=Tier(row["tier"]),
            policy_version=row["policy_version"],
            etag=row["etag"],
            digest=row["digest"],
            nonce=content.nonce,
            state=State(row["state"]),
            fence=row["fence"],
            attempt=row["attempt"],
            created=datetime.fromisoformat(row["created"]),
            expires=datetime.fromisoformat(row["expires"]),
            lease_until=_time(row["lease_until"]),
            started=_time(row["started"]),
            thread_id=row["thread_id"],
            parent=row["parent"],
            step=row["step"],
            undoes=row["undoes"],
            reason=row["reason"],
            detail=content.detail,
            card=content.card,
            result=content.result or {},
            effect_ref=row["effect_ref"],
            undo=content.undo,
            undo_etag=row["undo_etag"],
            receipt=row["receipt"],
            decided_by=row["decided_by"],
            sealed=content.sealed,
        )
        return Entry(
            action=action,
            content=row["content"],
            args_commit=row["args_commit"],
            salt=content.salt,
            changed=datetime.fromisoformat(row["changed"]),
            doubt=row["doubt"],
            worker=row["worker"],
            undo_id=row["undo_id"] or "",
        )

    def _content(self, row: RowMapping) -> _Content:
        reason: Literal["erased", "tampered"]
        try:
            return self._opened(row)
        except KeyDestroyedError:
            reason = "erased"
        except ValueError:  # ciphertext, or JSON that no longer is any
            reason = "tampered"
        return _Content(ToolCall(row["tool"], row["tool_version"], {}), reason)

    def _opened(self, row: RowMapping) -> _Content:
        def opened(name: str) -> bytes | None:
            sealed = row["undo_args"] if name == "undo" else row[name]
            if sealed is None:
                return None
            context = _context(row["id"], name)
            return self._vault.open(row["tenant"], row["subject"], context, bytes(sealed))

        if all(row[name] is None for name in ("args", "nonce", "salt")):
            raise KeyDestroyedError(f"the content of {row['id']} was erased")
        args, nonce, salt = (opened(name) for name in ("args", "nonce", "salt"))
        if args is None or nonce is None or salt is None:
            raise ValueError("its content is gone")
        card, result, undo = opened("card"), opened("result"), opened("undo")
        return _Content(
            ToolCall(row["tool"], row["tool_version"], json.loads(args)),
            nonce=nonce.decode(),
            salt=salt.decode(),
            detail=(opened("detail") or b"").decode(),
            card=None if card is None else _CARD.validate_json(card),
            result=None if result is None else json.loads(result),
            undo=None
            if undo is None
            else ToolCall(row["undo_tool"], row["undo_tool_version"], json.loads(undo)),
        )


def approval_of(row: RowMapping) -> Approval:
    return Approval(
        id=row["id"],
        action_id=row["action_id"],
        digest=row["digest"],
        approver=row["approver"],
        channel=row["channel"],
        auth_time=_time(row["auth_time"]),
        policy_hash=row["policy_hash"],
        consumed_at=_time(row["consumed_at"]),
    )


def _context(action_id: str, name: str) -> str:
    return f"action/{action_id}/{name}"


def _text(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
