"""Which version serves, in SQL: one row a move, none ever changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, insert, select, text

from guardrails.refs import code, stamp
from guardrails.store import Transactions
from onboarding.store.ranking.store import Move, before
from onboarding.store.ranking.tables import model_move


class SqlChampions:
    """Over the engine of `SqlNextSteps`."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def champion(self, tenant: str, slot: str) -> str | None:
        moves = await self.moves(tenant, slot)
        return moves[-1].version if moves else None

    async def promote(  # who moved what, why and when
        self,
        tenant: str,
        slot: str,
        version: str | None,
        by: str,
        reason: str,
        now: datetime,
    ) -> Move:
        def work(connection: Connection) -> Move:
            _take(connection, tenant, slot)
            number = len(_moves(connection, tenant, slot)) + 1
            return _put(connection, tenant, Move(slot, number, version, now, by, reason))

        return await self._transactions.write(tenant, work)

    async def rollback(self, tenant: str, slot: str, by: str, reason: str, now: datetime) -> Move:
        def work(connection: Connection) -> Move:
            _take(connection, tenant, slot)
            moves = _moves(connection, tenant, slot)
            back = Move(slot, len(moves) + 1, before(moves), now, by, reason)
            return _put(connection, tenant, back)

        return await self._transactions.write(tenant, work)

    async def moves(self, tenant: str, slot: str) -> tuple[Move, ...]:
        return await self._transactions.read(tenant, lambda c: _moves(c, tenant, slot))


def _take(connection: Connection, tenant: str, slot: str) -> None:
    """Until the transaction ends nobody else moves this slot. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        taken = text("SELECT pg_advisory_xact_lock(hashtextextended(:slot, 0))")
        connection.execute(taken, {"slot": f"model:{len(tenant)}:{tenant}:{slot}"})


def _moves(connection: Connection, tenant: str, slot: str) -> tuple[Move, ...]:
    wanted = select(model_move).where(model_move.c.tenant == tenant, model_move.c.slot == slot)
    rows = connection.execute(wanted.order_by(model_move.c.number)).mappings().all()
    return tuple(_move(row) for row in rows)


def _move(row: RowMapping) -> Move:
    at = datetime.fromisoformat(row["at"])
    return Move(row["slot"], row["number"], row["version"], at, row["by"], row["reason"])


def _put(connection: Connection, tenant: str, move: Move) -> Move:
    """Raises ValueError for a reason or a name that is no code."""
    row: dict[str, Any] = {
        "tenant": tenant,
        "slot": code("slot", move.slot),
        "number": move.number,
        "version": None if move.version is None else code("version", move.version),
        "at": stamp(move.at),
        "by": code("by", move.by),
        "reason": code("reason", move.reason),
    }
    connection.execute(insert(model_move).values(**row))
    return move
