"""The demo workspace: Brightline on Enterprise, four people, nothing connected yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from harbor.accounts import make_login, make_member, make_token
from harbor.context import NOWHERE, Config
from harbor.store import Store

PEOPLE = (
    ("ada@brightline.example", "Ada Nowak", "owner"),
    ("marc@brightline.example", "Marc Weber", "admin"),
    ("eli@brightline.example", "Eli Brandt", "editor"),
    ("vera@brightline.example", "Vera Lind", "viewer"),
    ("bill@brightline.example", "Bill Okoro", "billing"),
)
PASSWORD = "harbor-sandbox-only"


def seed(store: Store, config: Config) -> dict[str, Any]:
    """Makes it where it is not there; always with fresh tokens, by role."""
    with store.transaction(config.clock()) as tx:
        workspaces = tx.all(NOWHERE, "workspace")
        if workspaces:
            ws = workspaces[0]
        else:
            ws = tx.create(
                NOWHERE, "workspace", "ws",
                {"name": "Brightline", "plan": "enterprise", "interval": "yearly", "trial": False,
                 "release_channel": "standard", "version": "2026.2", "editors_can_invite": False,
                 "timezone": "Europe/Berlin", "currency": "EUR"},
            )  # fmt: skip
            for email, name, role in PEOPLE:
                make_login(tx, make_member(tx, ws.id, email, name, role), PASSWORD)
        members = {m["role"]: m for m in reversed(tx.all(ws.id, "member"))}
        tokens = {
            role: make_token(tx, member, "user", timedelta(days=7))
            for role, member in members.items()
        }
    return {
        "base_url": config.base_url,
        "workspace": ws.id,
        "members": {role: member.id for role, member in members.items()},
        "emails": {role: member["email"] for role, member in members.items()},
        "password": PASSWORD,
        "tokens": tokens,
        "token": tokens["owner"],
    }
