"""Product events in Segment's shape, written in the transaction of the deed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from harbor.store import Object, Tx

LIBRARY = {"name": "harbor", "version": "2026.2"}
VISITOR = "ajs_anonymous_id"
"""Cookie by which Segment's library, and the widget, know a visitor before they sign up."""
DENIED = frozenset({"forbidden", "HBR-703", "HBR-901"})
LIMITED = frozenset({"HBR-301", "HBR-302", "HBR-303"})


def track(
    tx: Tx, workspace: str, member: str | None, event: str, properties: Mapping[str, Any]
) -> None:
    """`member` is None where a program did it; then it is the workspace's own event."""
    _tell(tx, workspace, {
        "type": "track", "event": event, **_who(workspace, member), "properties": dict(properties),
    })  # fmt: skip


def identify(
    tx: Tx, member: Object, plan: str, *, invited: bool | None = None, visitor: str | None = None
) -> None:
    """Who a member is, without what names them; `visitor` is who they were before."""
    traits = {
        "role": member["role"],
        "plan": plan,
        "createdAt": member.created,
        "email_domain": member["email"].rpartition("@")[2],
    }
    if invited is not None:  # it is said once, by which way they came
        traits["invited"] = invited
    before = {"anonymousId": visitor} if visitor else {}
    _tell(tx, member.workspace, {
        "type": "identify", "userId": member.id, **before, "traits": traits,
    })  # fmt: skip


def group(tx: Tx, workspace: Object, member: str | None) -> None:
    """What a workspace is now."""
    traits = {
        "plan": workspace["plan"],
        "trial": bool(workspace.get("trial")),
        "interval": workspace["interval"],
        "createdAt": workspace.created,
        "members": len(tx.all(workspace.id, "member")),
    }
    _tell(tx, workspace.id, {
        "type": "group", "groupId": workspace.id, **_who(workspace.id, member), "traits": traits,
    })  # fmt: skip


def refused(
    tx: Tx, workspace: str, member: str | None, operation: str, code: str, wait_s: float | None
) -> None:
    """Somebody was not allowed to, or asked too often; any other refusal is nobody's business."""
    said: dict[str, Any] = {"operation": operation, "error_code": code}
    if code in DENIED:
        track(tx, workspace, member, "Permission Denied", said)
    elif code in LIMITED:
        wait = {} if wait_s is None else {"retry_after_s": wait_s}
        track(tx, workspace, member, "Rate Limited", said | wait)


def _who(workspace: str, member: str | None) -> dict[str, str]:
    return {"userId": member} if member else {"anonymousId": workspace}


def _tell(tx: Tx, workspace: str, message: Mapping[str, Any]) -> None:
    context = {"groupId": workspace, "library": LIBRARY}
    tx.tell({**message, "messageId": str(uuid.uuid4()), "timestamp": tx.stamp, "context": context})
