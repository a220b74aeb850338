"""The log as it was known at many decisions: one query, joined at their times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, text

from guardrails.consent import Purpose
from guardrails.store import Transactions
from onboarding.features.compiling import FeatureSet, micros
from onboarding.features.offline import Asked, Known, replayed
from onboarding.store.events.rows import BITS, COLUMNS, event_of
from onboarding.types import Snapshot

CHUNK: Final = 500
"""Decisions of one query."""
_ASKED: Final = {
    "sqlite": (
        "SELECT json_extract(value, '$[0]') AS place, json_extract(value, '$[1]') AS person,"
        " json_extract(value, '$[2]') AS team, json_extract(value, '$[3]') AS at"
        " FROM json_each(:asked)"
    ),
    "postgresql": (
        "SELECT (value->>0)::int AS place, value->>1 AS person, value->>2 AS team,"
        " (value->>3)::bigint AS at FROM jsonb_array_elements(CAST(:asked AS jsonb)) AS value"
    ),
}
_KNOWN: Final = "e.tenant = :tenant AND e.received_at <= d.at AND e.purposes & :bit <> 0"
_OWN: Final = (
    f'SELECT d.place, {{columns}} FROM d JOIN product_event e ON {_KNOWN} AND e."user" = d.person',
    f"SELECT d.place, {{columns}} FROM d JOIN event_alias a ON a.tenant = :tenant"
    ' AND a."user" = d.person AND a.at <= d.at'
    f' JOIN product_event e ON {_KNOWN} AND e."user" IS NULL AND e.anonymous = a.anonymous',
)
_ACCOUNT: Final = (
    f"SELECT d.place, {{columns}} FROM d JOIN product_event e ON {_KNOWN} AND e.account = d.team",
)


class SqlReplay:
    """For features that were not in the decision row, and for parity: of what was logged, the row
    is the training row."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def snapshots(
        self, tenant: str, features: FeatureSet, asked: Sequence[Asked]
    ) -> tuple[Snapshot, ...]:
        """In the order asked. Raises StoreUnavailableError."""
        found: list[Snapshot] = []
        for start in range(0, len(asked), CHUNK):
            part = asked[start : start + CHUNK]
            own = await self._known(tenant, part, _OWN)
            account = await self._known(tenant, part, _ACCOUNT)
            found += replayed(features, part, own, account)
        return tuple(found)

    async def _known(
        self, tenant: str, asked: Sequence[Asked], parts: Sequence[str]
    ) -> list[Known]:
        rows = [
            [place, each.person.user, each.person.account, micros(each.at)]
            for place, each in enumerate(asked)
        ]
        given: dict[str, Any] = {
            "asked": orjson.dumps(rows).decode(),
            "tenant": tenant,
            "bit": BITS[Purpose.PRODUCT_ANALYTICS],
        }

        def work(connection: Connection) -> list[Known]:
            dialect = connection.dialect.name
            columns = ", ".join(f"e.{name}" for name in COLUMNS)
            if dialect == "postgresql":
                columns = columns.replace("e.fields", "e.fields::text")
            whole = " UNION ALL ".join(part.format(columns=columns) for part in parts)
            query = text(f"WITH d AS ({_ASKED[dialect]}) {whole}")
            return [Known(row[0], event_of(row[1:])) for row in connection.execute(query, given)]

        return await self._transactions.read(tenant, work)
