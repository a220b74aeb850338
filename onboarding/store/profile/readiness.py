"""Evaluations of readiness: what falls only after two of them has to remember the one before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import orjson
from pydantic import JsonValue
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.refs import owner, stamp
from guardrails.store import Transactions
from onboarding.profile.readiness import Past, Stage
from onboarding.store.profile.tables import readiness_evaluation

KEPT = 60
"""Evaluations that are read: more than a year of weekly ones."""


class ReadinessStore(Protocol):
    """Raises StoreUnavailableError."""

    async def add(self, tenant: str, at: datetime, report: Mapping[str, JsonValue]) -> None:
        """In the place of one of the same time."""
        ...

    async def past(self, tenant: str) -> tuple[Past, ...]:
        """Oldest first."""
        ...

    async def newest(self, tenant: str) -> dict[str, JsonValue] | None: ...


class SqlReadiness:
    """Over an engine whose tables `onboarding.store.profile.sql.upgrade` has made."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def add(self, tenant: str, at: datetime, report: Mapping[str, JsonValue]) -> None:
        text = orjson.dumps(dict(report)).decode()
        row = {"tenant": owner(tenant), "at": stamp(at), "report": text}

        def work(connection: Connection) -> None:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            put = dialect.insert(readiness_evaluation).values(row)
            changed = {"report": put.excluded.report}
            key = ["tenant", "at"]
            connection.execute(put.on_conflict_do_update(index_elements=key, set_=changed))

        await self._transactions.write(tenant, work)

    async def past(self, tenant: str) -> tuple[Past, ...]:
        return tuple(_past(each) for each in reversed(await self._reports(tenant, KEPT)))

    async def newest(self, tenant: str) -> dict[str, JsonValue] | None:
        return next(iter(await self._reports(tenant, 1)), None)

    async def _reports(self, tenant: str, most: int) -> list[dict[str, JsonValue]]:
        table = readiness_evaluation.c
        wanted = (
            select(table.report).where(table.tenant == tenant).order_by(table.at.desc()).limit(most)
        )
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).scalars().all())
        return [orjson.loads(row) for row in rows]


class MemoryReadiness:
    """The twin."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, str], dict[str, JsonValue]] = {}

    async def add(self, tenant: str, at: datetime, report: Mapping[str, JsonValue]) -> None:
        self._reports[owner(tenant), stamp(at)] = dict(report)

    async def past(self, tenant: str) -> tuple[Past, ...]:
        return tuple(_past(report) for report in self._sorted(tenant)[-KEPT:])

    async def newest(self, tenant: str) -> dict[str, JsonValue] | None:
        return next(reversed(self._sorted(tenant)), None)

    def _sorted(self, tenant: str) -> list[dict[str, JsonValue]]:
        return [self._reports[key] for key in sorted(self._reports) if key[0] == tenant]


def _past(report: Mapping[str, JsonValue]) -> Past:
    at, allowed = str(report["at"]), str(report["allowed"])
    return Past(datetime.fromisoformat(at), Stage[allowed.upper()])
