"""Sessions as something that is kept for a time, counted from their end."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Engine, Select, delete, func, select

from api.sessions_sql import spent_token, widget_session
from guardrails.store import Transactions

BLOCK = 500


class AgingSessions:
    """Sessions that ended and marks of tokens that were used; an exchange clears some away too."""

    name = "sessions"

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        def work(connection: Connection) -> int:
            ended = _ended(tenant, before, keep).order_by(widget_session.c.expires).limit(limit)
            used = _used(tenant, before).order_by(spent_token.c.until).limit(limit)
            sessions = delete(widget_session).where(
                widget_session.c.tenant == tenant, widget_session.c.digest.in_(ended)
            )
            marks = delete(spent_token).where(
                spent_token.c.tenant == tenant, spent_token.c.token.in_(used)
            )
            return sum(connection.execute(gone).rowcount for gone in (sessions, marks))

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        def work(connection: Connection) -> int:
            found = (_ended(tenant, before, keep), _used(tenant, before))
            counted = (select(func.count()).select_from(each.subquery()) for each in found)
            return sum(int(connection.scalar(each) or 0) for each in counted)

        return await self._transactions.read(tenant, work)


def _ended(tenant: str, before: datetime, keep: frozenset[str]) -> Select[tuple[str]]:
    return select(widget_session.c.digest).where(
        widget_session.c.tenant == tenant,
        widget_session.c.expires < before.timestamp(),
        widget_session.c.subject.not_in(sorted(keep)),
    )


def _used(tenant: str, before: datetime) -> Select[tuple[str]]:
    return select(spent_token.c.token).where(
        spent_token.c.tenant == tenant, spent_token.c.until < before.timestamp()
    )
