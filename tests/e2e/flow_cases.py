"""The flows of the demo with arguments, what each touches, and what is left when it is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from tests.e2e.flow_database import credentials
from tests.harbor.running import Harbor

Prepare = Callable[[Harbor], Awaitable[dict[str, JsonValue]]]
KEY = "rk_live_51HdV2pQsX8mKf4GtYwZ6aBc"
ROWS = "event,user_id,occurred_at\n" + "".join(
    f"opened,u{number},2026-11-{1 + number % 20:02}T08:00:00Z\n" for number in range(40)
)
FAULTS = ("429", "403", "500", "slow", "drop_before", "drop_after_effect", "500_after_effect")


@dataclass(frozen=True, slots=True)
class Case:
    """A flow, what must be there first, and the operations of Harbor that its steps call, and that
    taking them back calls."""

    flow: str
    arguments: Mapping[str, JsonValue]
    operations: tuple[str, ...]
    prepare: Prepare | None = None
    undo_operations: tuple[str, ...] = ()


async def _sample(harbor: Harbor) -> dict[str, JsonValue]:
    """Something imported."""
    uploaded = harbor.call("POST", "/v1/uploads", files={"file": ("a.csv", ROWS.encode())}).json()
    started = harbor.call("POST", "/v1/imports", json={"upload_id": uploaded["id"], "mode": "full"})
    await ended(harbor, started.json()["id"])
    return {}


async def _failed_import(harbor: Harbor) -> dict[str, JsonValue]:
    """An import that stopped halfway."""
    body = {"kind": "stripe", "credentials": {"restricted_key": KEY}}
    connection = harbor.call("POST", "/v1/connections", json=body).json()
    harbor.call("POST", f"/v1/connections/{connection['id']}/check").raise_for_status()
    harbor.fault("start_import", "partial")
    started = harbor.call(
        "POST", "/v1/imports", json={"connection_id": connection["id"], "mode": "full"}
    ).json()
    failed = await ended(harbor, started["id"])
    assert failed["state"] == "failed"
    return {"import_id": started["id"]}


async def ended(harbor: Harbor, import_id: str) -> dict[str, Any]:
    """The import once it is over."""
    while True:
        found: dict[str, Any] = harbor.call("GET", f"/v1/imports/{import_id}").json()
        if found["state"] not in ("queued", "running"):
            return found
        await asyncio.sleep(0.02)


async def _domain(harbor: Harbor) -> dict[str, JsonValue]:
    """A domain whose record stands in DNS."""
    added = harbor.call("POST", "/v1/domains", json={"domain": "brightline.example"}).json()
    record = {"name": "brightline.example", "txt": added["record"]}
    harbor.client.put("/_sandbox/dns", json=record).raise_for_status()
    harbor.call("GET", "/v1/security").raise_for_status()  # whose first reading makes the settings
    return {}


CASES = {
    "postgresql": Case(
        "connect_data",
        {"source": "postgresql", **credentials()},
        ("create_connection", "discover_connection"),
        undo_operations=("rollback_import", "delete_connection"),
    ),
    "stripe": Case(
        "connect_data",
        {"source": "stripe", "restricted_key": KEY},
        ("create_connection", "check_connection", "start_import", "get_import"),
        undo_operations=("rollback_import", "delete_connection"),
    ),
    "csv": Case(
        "connect_data", {"source": "csv", "rows": ROWS}, ("create_upload", "start_import")
    ),
    "hubspot": Case(
        "connect_data",
        {"source": "hubspot", "authorization_code": "pat-eu1-1234"},
        ("create_connection",),
    ),
    "team": Case(
        "invite_team",
        {"emails": ["zoe@x.example", "sam@x.example"], "role": "viewer", "sample_project": True},
        ("create_invites_bulk",),
        undo_operations=("revoke_invite",),
    ),
    "dashboard": Case(
        "day_one_dashboard",
        {"name": "Launch", "visibility": "workspace"},
        ("create_day_one_dashboard", "update_dashboard", "share_dashboard"),
        _sample,
        ("share_dashboard", "update_dashboard", "delete_dashboard"),
    ),
    "security": Case(
        "secure_workspace",
        {"domain": "brightline.example", "provider": "oidc",
         "issuer": "https://login.brightline.example", "client_id": "harbor",
         "client_secret": "9fQz7LmT2vXc8RkW4pYs", "scim": True, "require_mfa": True,
         "grace_days": 14},
        ("add_domain", "verify_domain", "set_sso_oidc", "test_sso", "create_scim_token",
         "require_mfa"),
        _domain,
        ("require_mfa", "revoke_scim_token", "restore_sso"),
    ),
    "repair": Case(
        "fix_it", {}, ("retry_import", "get_import"), _failed_import
    ),
}  # fmt: skip


def live(state: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody sees: without what is revoked, in the bin, rolled back or merely uploaded."""
    kept: dict[str, Any] = {}
    for kind, items in state.items():
        found = [_plain(kind, item) for item in items if not _gone(kind, item)]
        if found and kind != "upload":
            kept[kind] = found
    return kept


def _gone(kind: str, item: Mapping[str, Any]) -> bool:
    ended_states = {"revoked", "expired", "rolled_back", "cancelled"}
    if kind == "import" and item.get("state") == "failed":
        return item.get("rows") == 0
    return item.get("state") in ended_states or bool(item.get("deleted_at"))


def _plain(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Ids are numbered by first appearance, which differs after something else came and went.

    Whether a connection works is what the last import saw, whether a domain is verified what DNS
    says: nothing that anybody set.
    """
    kept = {name: value for name, value in item.items() if name not in _PASSING}
    return {**kept, "state": "seen"} if kind in ("connection", "domain") else kept


_PASSING = frozenset(
    {"id", "workspace", "connection_id", "upload_id", "import_id", "invited_by", "history",
     "tested", "last_check", "unconfirmed_until", "ended_at", "credentials"}
)  # fmt: skip


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Kind by kind, what is there that was not, and what was there that is not."""
    found = []
    for kind in sorted({*before, *after}):
        old, new = list(before.get(kind, ())), list(after.get(kind, ()))
        found += [f"+{kind} {item}" for item in new if item not in old]
        found += [f"-{kind} {item}" for item in old if item not in new]
    return found
