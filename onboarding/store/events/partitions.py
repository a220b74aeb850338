"""Months of the log on PostgreSQL: made ahead of time, dropped when all in them is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine, text

from guardrails.tenancy import EVERYBODY, protect, within
from onboarding.store.events.rows import micros

AHEAD: Final = 2
_LOCK: Final = 0x65766E74


class Month(NamedTuple):
    """`name` of the partition, and what it holds: from `begins`, before `ends`."""

    name: str
    begins: datetime
    ends: datetime


def month_of(at: datetime) -> Month:
    begins = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ends = (begins + timedelta(days=32)).replace(day=1)
    return Month(f"product_event_{begins:%Y_%m}", begins, ends)


def make_partitions(engine: Engine, now: datetime) -> tuple[str, ...]:
    """This month's and those of the next two, where they are missing; their names. Needs the owner
    of the tables; nothing happens on SQLite."""
    if engine.dialect.name != "postgresql":
        return ()
    wanted = [month_of(now)]
    while len(wanted) <= AHEAD:
        wanted.append(month_of(wanted[-1].ends))
    with within(EVERYBODY), engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        missing = [month for month in wanted if not _is_there(connection, month.name)]
        for month in missing:
            _make(connection, month)
    return tuple(month.name for month in missing)


def drop_partitions(connection: Connection, tenant: str, before: datetime) -> int:
    """Drops months that ended before, of which nobody but this tenant has rows; how many rows
    went. Within EVERYBODY: it has to see whose they are."""
    gone = 0
    for name in _months(connection):
        ends = month_of(datetime.strptime(name[-7:], "%Y_%m").replace(tzinfo=UTC)).ends
        if ends > before:
            continue
        others = text(f'SELECT EXISTS (SELECT 1 FROM "{name}" WHERE tenant <> :tenant)')
        if connection.execute(others, {"tenant": tenant}).scalar_one():
            continue
        gone += connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()
        connection.execute(text(f'DROP TABLE "{name}"'))
    return gone


def _months(connection: Connection) -> list[str]:
    listed = text(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = to_regclass('product_event')"
        " AND relname ~ '^product_event_[0-9]{4}_[0-9]{2}$'"
        " AND pg_has_role(relowner, 'USAGE') ORDER BY relname"  # others may delete rows alone
    )
    return list(connection.execute(listed).scalars())


def _is_there(connection: Connection, name: str) -> bool:
    found = text("SELECT to_regclass(:name) IS NOT NULL")
    return bool(connection.execute(found, {"name": f'"{name}"'}).scalar_one())


def _make(connection: Connection, month: Month) -> None:
    """What came for it before it was there lies in the default partition, and moves."""
    begins, ends = micros(month.begins), micros(month.ends)
    held = {"begins": begins, "ends": ends}
    where = "received_at >= :begins AND received_at < :ends"
    connection.execute(text(f'CREATE TABLE "{month.name}" (LIKE product_event INCLUDING ALL)'))
    connection.execute(
        text(
            f"WITH moved AS (DELETE FROM product_event_default WHERE {where} RETURNING *)"
            f' INSERT INTO "{month.name}" SELECT * FROM moved'
        ),
        held,
    )
    connection.execute(
        text(
            f'ALTER TABLE product_event ATTACH PARTITION "{month.name}"'
            f" FOR VALUES FROM ({begins}) TO ({ends})"
        )
    )
    protect(connection, month.name)
