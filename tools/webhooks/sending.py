"""Events on their way out: a row for each endpoint, kept until it answered or gave up for good.

    outbox row, checkpoint ─> rows here, in the name of the event ─> signed, sent ─> row gone
                                                                  └> later, by the schedule

At least once: who dies after sending sends again, with the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import NamedTuple, TypeVar

import structlog
from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from guardrails.tenancy import within
from tools.http import Incoming, OutboundError, Outgoing
from tools.journal import JournalUnavailableError
from tools.webhooks.events import Event
from tools.webhooks.signing import Secrets, signed
from tools.webhooks.tables import webhook_delivery

T = TypeVar("T")
SCHEDULE_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Pauses after each failure, as the specification proposes; then the event is given up."""
LEASE_S = 60.0
"""For how long a process that took a row may be at it; longer than a request lasts."""
AT_ONCE = 8
TIMEOUT_S = 15.0
"""Of one try, as the specification proposes."""
Send = Callable[[Outgoing], Awaitable[Incoming]]
"""Such as `Outbound.send`. Raises OutboundError."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom to tell of which kinds of events."""

    url: str
    secrets: Secrets
    kinds: frozenset[str]


class Delivery(NamedTuple):
    """One event for one endpoint. `attempt` counts tries, this one too."""

    tenant: str
    id: str
    endpoint: str
    body: str
    attempt: int


class Deliveries:
    """The rows. Over an engine of `tools.store.engine`, on which `prepare` ran. Raises
    JournalUnavailableError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert

    async def add(self, event: Event, endpoints: Sequence[str], now: datetime) -> None:
        """Adding one again changes nothing; one that was sent already is sent again, under the id
        that its receiver knows."""
        if not endpoints:
            return
        rows = [
            {
                "tenant": event.tenant,
                "id": event.id,
                "endpoint": endpoint,
                "body": event.body(),
                "created": now.timestamp(),
                "attempt": 0,
                "next_at": now.timestamp(),
            }
            for endpoint in endpoints
        ]
        new = self._insert(webhook_delivery).values(rows).on_conflict_do_nothing()
        await self._run(event.tenant, lambda c: c.execute(new))

    async def due(self, tenant: str, now: datetime, limit: int = AT_ONCE) -> tuple[Delivery, ...]:
        """Taken for `LEASE_S`, oldest first; others do not get them meanwhile."""
        table, at = webhook_delivery.c, now.timestamp()
        waiting = (
            select(table.id, table.endpoint)
            .where(table.tenant == tenant, table.next_at <= at)
            .order_by(table.next_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

        def taken(connection: Connection) -> tuple[Delivery, ...]:
            return tuple(
                self._taken(connection, tenant, row.id, row.endpoint, at + LEASE_S)
                for row in connection.execute(waiting).all()
            )

        return await self._run(tenant, taken)

    def _taken(
        self, connection: Connection, tenant: str, id: str, endpoint: str, until: float
    ) -> Delivery:
        table = webhook_delivery.c
        mine = _key(tenant, id, endpoint)
        leased = (
            update(webhook_delivery)
            .where(*mine)
            .values(attempt=table.attempt + 1, next_at=until)
            .returning(table.body, table.attempt)
        )
        row = connection.execute(leased).one()
        return Delivery(tenant, id, endpoint, row.body, row.attempt)

    async def over(self, delivery: Delivery) -> None:
        gone = delete(webhook_delivery).where(*_key(*delivery[:3]))
        await self._run(delivery.tenant, lambda c: c.execute(gone))

    async def later(self, delivery: Delivery, at: datetime) -> None:
        change = update(webhook_delivery).where(*_key(*delivery[:3]))
        put_off = change.values(next_at=at.timestamp())
        await self._run(delivery.tenant, lambda c: c.execute(put_off))

    async def waiting(self, tenant: str) -> int:
        """How many are still to be told."""
        mine = select(func.count()).where(webhook_delivery.c.tenant == tenant)
        return await self._run(tenant, lambda c: c.execute(mine).scalar_one())

    async def _run(self, tenant: str, work: Callable[[Connection], T]) -> T:
        def call() -> T:
            try:
                with within(tenant), self._engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                told = "the database of the webhooks does not answer"
                raise JournalUnavailableError(told) from error

        return await asyncio.to_thread(call)


def _key(tenant: str, id: str, endpoint: str) -> tuple[ColumnElement[bool], ...]:
    table = webhook_delivery.c
    return (table.tenant == tenant, table.id == id, table.endpoint == endpoint)


class SenderParts(NamedTuple):
    """`rng` spreads tries, so that not everything comes at once after an outage."""

    deliveries: Deliveries
    send: Send
    clock: Callable[[], datetime]
    rng: Random


class Sender:
    """Tells endpoints; to be visited every second."""

    def __init__(self, endpoints: Sequence[Endpoint], parts: SenderParts) -> None:
        self._endpoints = {each.url: each for each in endpoints}
        self._parts = parts

    async def tell(self, event: Event) -> None:
        """Written down for those who want to hear of it. Raises JournalUnavailableError."""
        wanting = [each.url for each in self._endpoints.values() if event.kind in each.kinds]
        await self._parts.deliveries.add(event, wanting, self._parts.clock())

    async def visit(self, tenant: str) -> int:
        """How many tries were made. Raises JournalUnavailableError."""
        due = await self._parts.deliveries.due(tenant, self._parts.clock())
        await asyncio.gather(*(self._tried(delivery) for delivery in due))
        return len(due)

    async def _tried(self, delivery: Delivery) -> None:
        endpoint = self._endpoints.get(delivery.endpoint)
        if endpoint is None:  # taken out of the settings
            await self._parts.deliveries.over(delivery)
            return
        reason = await self._sent(endpoint, delivery)
        if not reason:
            await self._parts.deliveries.over(delivery)
        elif reason == _GONE or delivery.attempt > len(SCHEDULE_S):
            _log.error("webhook_given_up", event_id=delivery.id, reason=reason)
            await self._parts.deliveries.over(delivery)
        else:
            await self._parts.deliveries.later(delivery, self._next(delivery))
            _log.warning("webhook_later", event_id=delivery.id, reason=reason)

    async def _sent(self, endpoint: Endpoint, delivery: Delivery) -> str:
        """Why it has not arrived; empty when it has."""
        body = delivery.body.encode()
        headers = {
            "content-type": "application/cloudevents+json",
            **signed(endpoint.secrets, delivery.id, self._parts.clock(), body),
        }
        try:
            answer = await self._parts.send(
                Outgoing("POST", endpoint.url, headers, body, TIMEOUT_S)
            )
        except OutboundError as failure:
            return failure.code
        fine = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
        return "" if fine else f"status_{answer.status}"

    def _next(self, delivery: Delivery) -> datetime:
        """Up to a tenth later than the schedule has it."""
        pause = SCHEDULE_S[delivery.attempt - 1] * self._parts.rng.uniform(1.0, 1.1)
        return self._parts.clock() + timedelta(seconds=pause)


_GONE = f"status_{HTTPStatus.GONE.value}"
"""The receiver wants to hear no more of it."""
