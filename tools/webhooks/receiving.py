"""Messages that came: each is taken once, whoever of several processes it reaches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert
from sqlalchemy.exc import IntegrityError

from guardrails.tenancy import within
from tools.webhooks.signing import KEPT_S
from tools.webhooks.tables import webhook_seen


class SeenMessages:
    """Over an engine of `tools.store.engine`, on which `prepare` ran. Raises OperationalError where
    the database does not answer: then nothing is taken."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def take(self, tenant: str, sender: str, message_id: str, now: datetime) -> bool:
        """False when it was taken within the last day. Of any number at once, one takes it."""
        at = now.timestamp()
        over = delete(webhook_seen).where(
            webhook_seen.c.tenant == tenant, webhook_seen.c.until <= at
        )
        row = {"tenant": tenant, "sender": sender, "id": message_id, "until": at + KEPT_S}

        def taken(connection: Connection) -> None:
            connection.execute(over)
            connection.execute(insert(webhook_seen).values(row))

        try:
            await asyncio.to_thread(self._run, tenant, taken)
        except IntegrityError:
            return False
        return True

    async def give_back(self, tenant: str, sender: str, message_id: str) -> None:
        """What it asked for could not be done: the next try is taken."""
        table = webhook_seen.c
        mine = (table.tenant == tenant, table.sender == sender, table.id == message_id)
        await asyncio.to_thread(
            self._run, tenant, lambda c: c.execute(delete(webhook_seen).where(*mine))
        )

    def _run(self, tenant: str, work: Callable[[Connection], object]) -> None:
        with within(tenant), self._engine.begin() as connection:
            work(connection)
