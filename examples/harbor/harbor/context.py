"""What an operation knows: who calls, in which workspace, inside which transaction."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request

from harbor import telling
from harbor.facts import PERMISSIONS, PLANS, Plan
from harbor.problems import Problem
from harbor.store import Object, Store, Tx

NOWHERE = "-"
"""Workspace of objects that belong to none: sign-ins, hooks by id."""


@dataclass(slots=True)
class Clock:
    """The time of day; the sandbox can be `ahead` of it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True)
class Config:
    """How this process runs. `base_url` is its own address as others reach it."""

    base_url: str = "http://127.0.0.1:8420"
    sandbox: bool = False
    events_url: str | None = None
    events_key: str = ""
    frame_ancestors: str = "'self'"
    copilot_url: str | None = None
    clock: Clock = field(default_factory=Clock)


@dataclass(slots=True)
class Ctx:
    """One request. `member` is None where an API key calls, whose scopes stand in `scopes`."""

    request: Request
    config: Config
    store: Store
    tx: Tx
    workspace: Object | None = None
    member: Object | None = None
    scopes: frozenset[str] | None = None
    auth_time: str = ""

    @property
    def ws(self) -> str:
        return self.here.id

    @property
    def here(self) -> Object:
        if self.workspace is None:
            raise Problem("unauthenticated")
        return self.workspace

    @property
    def me(self) -> Object:
        if self.member is None:
            raise Problem("forbidden", "an API key cannot do this; a person has to sign in")
        return self.member

    @property
    def role(self) -> str:
        return str(self.member["role"]) if self.member else "key"

    @property
    def plan(self) -> Plan:
        return PLANS[self.here["plan"]]

    @property
    def operation(self) -> str:
        return str(self.request.scope["route"].operation_id)

    def may(self, permission: str) -> bool:
        return self.member is not None and permission in PERMISSIONS[self.role]

    def need(self, permission: str) -> None:
        if self.member is not None and not self.may(permission):
            raise Problem("forbidden", f"your role, {self.role}, lacks {permission}")

    def need_feature(self, feature: str) -> None:
        if feature not in self.plan.features:
            raise Problem("HBR-901", f"{feature} is not in the {self.plan.name} plan")

    # --- objects -------------------------------------------------------------------------------

    def get(self, kind: str, id: str) -> Object:
        found = self.tx.find(self.ws, kind, id)
        if found is None:
            raise Problem("not_found", f"there is no {kind} {id}")
        return found

    def changeable(self, kind: str, id: str, *, strict: bool = True) -> Object:
        """The object, its `If-Match` checked; `strict` kinds need one since 2026.2."""
        found = self.get(kind, id)
        wanted = self.request.headers.get("if-match")
        version = self.request.headers.get("harbor-version", self.here.get("version", "2026.2"))
        if wanted is None and strict and version >= "2026.2":
            raise Problem("HBR-705", "send If-Match with the ETag that you read")
        if wanted is not None and wanted not in ("*", found.etag):
            raise Problem("HBR-701", "read it again and decide anew")
        return found

    def shown(self, found: Object, body: dict[str, Any]) -> dict[str, Any]:
        """The body as the answer, with the object's ETag as a header."""
        self.request.state.headers["etag"] = found.etag
        return body

    def effect(self, natural: str, operation: str | None = None) -> None:
        self.tx.effect(operation or self.operation, f"{self.ws}:{natural}")

    def cookie(self, name: str, value: str, lasts: timedelta) -> None:
        age = int(lasts.total_seconds())
        self.request.state.cookies.append(
            f"{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}"
        )

    # --- telling -------------------------------------------------------------------------------

    def audit(self, action: str, target: str, result: str = "ok") -> None:
        client = self.request.client
        self.tx.create(
            self.ws, "audit", "aud",
            {"at": self.tx.stamp, "actor": self.member.id if self.member else "api_key",
             "action": action, "target": target, "ip": client.host if client else "",
             "result": result},
        )  # fmt: skip

    def track(self, event: str, **properties: Any) -> None:
        """A product event of whoever calls."""
        member = self.member.id if self.member else None
        telling.track(self.tx, self.ws, member, event, properties)


def current(request: Request) -> Ctx:
    """The context that the operation's route has opened."""
    ctx = request.state.ctx
    assert isinstance(ctx, Ctx)
    return ctx


Here = Annotated[Ctx, Depends(current)]


@asynccontextmanager
async def transaction(app: FastAPI) -> AsyncIterator[Tx]:
    """A transaction between two operations, which hold theirs over pauses."""
    async with app.state.lock:
        with app.state.store.transaction(app.state.config.clock()) as tx:
            yield tx


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def page(items: Sequence[dict[str, Any]], limit: int, cursor: str | None) -> dict[str, Any]:
    """One page of a list; `next_cursor` is null at the end."""
    try:
        start = int(cursor) if cursor else 0
    except ValueError as failure:
        raise Problem("invalid", "cursor: use the next_cursor of the page before") from failure
    limit = max(1, min(limit, 200))
    more = start + limit < len(items)
    return {
        "items": list(items[start : start + limit]),
        "next_cursor": str(start + limit) if more else None,
    }
