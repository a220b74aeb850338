"""Messages in quarantine, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.store import Transactions
from onboarding.events.quarantine import Held
from onboarding.events.verdicts import Code, Quarantined, Reason
from onboarding.store.events.rows import micros, moment_of
from onboarding.store.events.tables import event_message, event_quarantine


class SqlQuarantine:
    """A Quarantine over the log's own database, so that what is healed leaves it in the transaction
    that stores it."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)
        self._insert: Any = (sqlite if engine.dialect.name == "sqlite" else postgresql).insert

    async def hold(self, tenant: str, rows: Sequence[Quarantined]) -> None:
        def work(connection: Connection) -> None:
            c = event_message.c
            ids = [row.message_id for row in rows]
            known = select(c.message_id).where(c.tenant == tenant, c.message_id.in_(ids))
            stored = set(connection.execute(known).scalars())
            new = [_row(tenant, row) for row in rows if row.message_id not in stored]
            if new:
                connection.execute(self._insert(event_quarantine).on_conflict_do_nothing(), new)

        if rows:
            await self._transactions.write(tenant, work)

    async def held(
        self, tenant: str, since: datetime | None = None, after: str = "", limit: int = 500
    ) -> tuple[Quarantined, ...]:
        c = event_quarantine.c
        wanted = select(event_quarantine).where(c.tenant == tenant, c.message_id > after)
        if since is not None:
            wanted = wanted.where(c.received_at >= micros(since))
        page = wanted.order_by(c.message_id).limit(limit)
        rows = await self._transactions.read(tenant, lambda db: db.execute(page).mappings().all())
        return tuple(_quarantined(row) for row in rows)

    async def reasons(self, tenant: str) -> tuple[Held, ...]:
        c = event_quarantine.c
        counted = (
            select(c.name, c.reasons, func.count(), func.max(c.received_at))
            .where(c.tenant == tenant)
            .group_by(c.name, c.reasons)
        )
        rows = await self._transactions.read(tenant, lambda db: db.execute(counted).all())
        found: dict[tuple[str, str], Held] = {}
        for name, reasons, count, newest in rows:
            key = (name, reasons.split("\n")[0])
            before = found.get(key)
            at = moment_of(newest)
            found[key] = Held(
                *key,
                count if before is None else before.count + count,
                at if before is None else max(before.newest, at),
            )
        return tuple(sorted(found.values(), key=lambda x: (-x.count, x.name, x.reason)))

    async def release(self, tenant: str, message_ids: Sequence[str]) -> int:
        c = event_quarantine.c
        gone = delete(event_quarantine).where(c.tenant == tenant, c.message_id.in_(message_ids))
        return await self._transactions.write(tenant, lambda db: db.execute(gone).rowcount)


def _row(tenant: str, row: Quarantined) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "message_id": row.message_id,
        "name": row.name,
        "version": row.version,
        "subject": row.subject,
        "reasons": "\n".join(map(str, row.reasons)),
        "occurred_at": micros(row.occurred_at),
        "received_at": micros(row.received_at),
        "shape": row.shape,
        "sealed": row.sealed,
    }


def _quarantined(row: RowMapping) -> Quarantined:
    return Quarantined(
        row["message_id"],
        row["name"],
        row["version"],
        row["subject"],
        tuple(_reason(line) for line in row["reasons"].split("\n")),
        moment_of(row["occurred_at"]),
        moment_of(row["received_at"]),
        row["shape"],
        None if row["sealed"] is None else bytes(row["sealed"]),
    )


def _reason(line: str) -> Reason:
    code, _, field = line.partition(":")
    return Reason(Code(code), field)
