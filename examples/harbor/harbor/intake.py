"""POST /v1/events, and what every event that is stored has to pass."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from harbor.context import Ctx, Here, hashed
from harbor.operations import operation
from harbor.problems import Problem
from harbor.store import Tx
from harbor.usage import count, need_room

routes = APIRouter(tags=["Events"])
ORIGIN = "api"
MOST_EVENTS = 500
MOST_BYTES = 1_000_000
MOST_NAMES = 2000
AHEAD = timedelta(hours=24)


class Event(BaseModel):
    event_id: str | None = Field(default=None, min_length=1, max_length=200)
    event: str = Field(min_length=1, max_length=100)
    user_id: str = Field(min_length=1, max_length=200)
    occurred_at: AwareDatetime
    properties: dict[str, Annotated[str, Field(max_length=10_000)] | int | float | bool | None] = (
        Field(default_factory=dict, max_length=100)
    )

    @property
    def stamp(self) -> str:
        return self.occurred_at.astimezone(UTC).isoformat()

    @property
    def key(self) -> str:
        parts = f"{self.user_id}\0{self.event}\0{self.stamp}"
        return self.event_id or hashlib.sha256(parts.encode()).hexdigest()


class Events(BaseModel):
    events: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MOST_EVENTS,
        description="Each with `event`, `user_id`, `occurred_at`, and as a rule `event_id` and"
        " `properties`",
    )


@operation(routes, "POST /v1/events", id="send_events", status=202, permission="imports.run",
           scope="events:write", idempotent=True, most_bytes=MOST_BYTES,
           fails=("HBR-303", "HBR-406", "HBR-408"))  # fmt: skip
async def send_events(body: Events, ctx: Here) -> dict[str, Any]:
    """Up to 500 events; a bad one does not spoil the others, and a known `event_id` is not
    stored twice."""
    good: list[Event] = []
    rejected: list[dict[str, Any]] = []
    names = {row[0] for row in ctx.tx.db.execute(
        "SELECT DISTINCT name FROM event WHERE workspace=?", (ctx.ws,))}  # fmt: skip
    for place, given in enumerate(body.events):
        try:
            event = Event.model_validate(given)
            _taken(ctx, event, names)
        except ValidationError as failure:
            rejected.append({"index": place, "event_id": given.get("event_id"),
                             "reason": _said(failure)})  # fmt: skip
        except Problem as failure:
            rejected.append({"index": place, "event_id": given.get("event_id"),
                             "reason": str(failure.body["detail"])})  # fmt: skip
        else:
            good.append(event)
    need_room(ctx.tx, ctx.here, len(good))
    gone = forgotten(ctx.tx, ctx.ws)
    stored = sum(_store(ctx, event) for event in good if hashed(event.user_id) not in gone)
    count(ctx.tx, ctx.ws, stored)
    return {"accepted": len(good), "stored": stored, "rejected": rejected}


def _taken(ctx: Ctx, event: Event, names: set[str]) -> None:
    """Adds the event's name to those known. Raises Problem."""
    if ctx.tx.now - event.occurred_at > timedelta(days=ctx.plan.retention_days):
        raise Problem("invalid", f"older than the {ctx.plan.retention_days} days that are kept")
    if event.occurred_at - ctx.tx.now > AHEAD:
        raise Problem("invalid", "more than 24 hours in the future")
    if event.event not in names and len(names) >= MOST_NAMES:
        raise Problem("invalid", f"a workspace has at most {MOST_NAMES} event names")
    names.add(event.event)


def _said(failure: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in failure.errors())


def _store(ctx: Ctx, event: Event) -> int:
    """1 where it was not there yet."""
    return ctx.tx.db.execute(
        "INSERT OR IGNORE INTO event VALUES (?,?,?,?,?,?,?,0,?)",
        (ctx.ws, ORIGIN, ORIGIN, event.key, event.event, event.user_id, event.stamp,
         json.dumps(event.properties, sort_keys=True)),
    ).rowcount  # fmt: skip


def forgotten(tx: Tx, workspace: str) -> frozenset[str]:
    """Hashes of the people whose deletion was asked for; nothing brings them back."""
    return frozenset(h for found in tx.all(workspace, "deletion") for h in found["hashes"])


def moment(value: object) -> datetime:
    """A time of a source, in UTC where it names no zone. Raises ValueError."""
    at = datetime.fromisoformat(str(value))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
