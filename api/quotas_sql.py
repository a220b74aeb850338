"""Buckets and purses in SQL, where several processes serve. One statement a bucket: the database
decides, and of a request's buckets all are taken from or none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    MetaData,
    Table,
    Text,
    case,
    delete,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from api.quotas import EPSILON_S, JUMP_S, Need, Rate, wait_for
from api.spending import Account
from guardrails.tenancy import EVERYBODY, protect, within

_T = TypeVar("_T")
_LOCK = 0x71756F74  # one process at a time makes the tables; any number serves
SWEEP_EVERY = 1024
"""Requests of one process between two looks for buckets that are full again; so many go then."""
metadata = MetaData()

quota_bucket = Table(
    "quota_bucket",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("bucket", Text, primary_key=True),
    Column("full_at", Float(53), nullable=False, index=True),
)
spent_today = Table(
    "spent_today",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)


def prepare(engine: Engine) -> None:
    """Make the tables; nothing happens when they are there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(quota_bucket.name):
            metadata.create_all(connection)
            protect(connection, quota_bucket.name, spent_today.name)


class _RefusedError(Exception):
    """Rolls back what was taken from the buckets before."""

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__()
        self.wait = wait


class _Store:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert

    async def _run(self, tenant: str, work: Callable[[Connection], _T]) -> _T:
        def call() -> _T:
            with within(tenant), self._engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(call)


class SqlBuckets(_Store):
    """A `Buckets`. `now` is seconds since 1970, as all processes have it."""

    def __init__(self, engine: Engine, sweep_every: int = SWEEP_EVERY) -> None:
        super().__init__(engine)
        self._taken = 0
        self._sweep_every = sweep_every

    async def take(self, tenant: str, needs: Sequence[Need], now: float) -> float:
        """Narrow buckets first: the last, which all share, is locked for the shortest time."""
        self._taken += 1
        sweeps = self._taken % self._sweep_every == 0

        def taken(connection: Connection) -> None:
            if connection.dialect.name == "postgresql":  # a crash may forget a second of requests
                connection.execute(text("SET LOCAL synchronous_commit = off"))
            for need in needs:
                self._take(connection, tenant, need, now)
            if sweeps:
                _sweep(connection, tenant, now)

        try:
            await self._run(tenant, taken)
        except _RefusedError as refused:
            return refused.wait
        return 0.0

    def _take(self, connection: Connection, tenant: str, need: Need, now: float) -> None:
        new = _after(quota_bucket.c.full_at, need.rate, now)
        first = {"tenant": tenant, "bucket": need.bucket, "full_at": now + need.rate.interval}
        statement = (
            self._insert(quota_bucket)
            .values(first)
            .on_conflict_do_update(
                index_elements=["tenant", "bucket"],
                set_={"full_at": new},
                where=new <= now + need.rate.window + EPSILON_S,
            )
            .returning(quota_bucket.c.full_at)
        )
        if connection.execute(statement).first() is None:
            own = (quota_bucket.c.tenant == tenant, quota_bucket.c.bucket == need.bucket)
            full_at = connection.execute(select(quota_bucket.c.full_at).where(*own)).scalar_one()
            raise _RefusedError(wait_for(full_at, need.rate, now))


def _after(full_at: ColumnElement[float], rate: Rate, now: float) -> ColumnElement[float]:
    """`api.quotas.after`, in SQL."""
    return case(
        (full_at > now + rate.window + JUMP_S, now + rate.window),
        (full_at < now, now + rate.interval),
        else_=full_at + rate.interval,
    )


def _sweep(connection: Connection, tenant: str, now: float) -> None:
    """Full buckets are no different from unknown ones."""
    mine = quota_bucket.c.tenant == tenant
    full = select(quota_bucket.c.bucket).where(mine, quota_bucket.c.full_at < now)
    names = connection.execute(full.limit(SWEEP_EVERY).with_for_update(skip_locked=True))
    gone = names.scalars().all()
    if gone:
        connection.execute(delete(quota_bucket).where(mine, quota_bucket.c.bucket.in_(gone)))


class SqlPurse(_Store):
    """A `Purse`. Rows of earlier days go with the first hold that a process makes in a day."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._swept = ""

    async def hold(self, tenant: str, day: str, accounts: Sequence[Account], cost: int) -> bool:
        def held(connection: Connection) -> None:
            if self._swept != f"{tenant} {day}":
                past = (spent_today.c.tenant == tenant, spent_today.c.day < day)
                connection.execute(delete(spent_today).where(*past))
            for account in accounts:
                self._add(connection, tenant, day, account, cost)

        try:
            await self._run(tenant, held)
        except _RefusedError:
            return False
        self._swept = f"{tenant} {day}"
        return True

    def _add(
        self, connection: Connection, tenant: str, day: str, account: Account, cost: int
    ) -> None:
        if cost > account.cap:
            raise _RefusedError
        total = spent_today.c.amount + cost
        row = {"tenant": tenant, "day": day, "account": account.name, "amount": cost}
        statement = (
            self._insert(spent_today)
            .values(row)
            .on_conflict_do_update(
                index_elements=["tenant", "day", "account"],
                set_={"amount": total},
                where=total <= account.cap,
            )
            .returning(spent_today.c.amount)
        )
        if connection.execute(statement).first() is None:
            raise _RefusedError

    async def change(self, tenant: str, day: str, accounts: Sequence[Account], by: int) -> None:
        amount = spent_today.c.amount

        def changed(connection: Connection) -> None:
            for account in accounts:
                connection.execute(
                    update(spent_today)
                    .where(*_of(tenant, day, account.name))
                    .values(amount=case((amount + by < 0, 0), else_=amount + by))
                )

        await self._run(tenant, changed)

    async def spent(self, tenant: str, day: str, account: str) -> int:
        query = select(spent_today.c.amount).where(*_of(tenant, day, account))
        return await self._run(tenant, lambda c: c.execute(query).scalar()) or 0


def _of(tenant: str, day: str, account: str) -> list[ColumnElement[bool]]:
    table = spent_today.c
    return [table.tenant == tenant, table.day == day, table.account == account]
