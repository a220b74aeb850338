"""What a transaction writes once it is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, Update, bindparam, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.refs import stamp
from onboarding.interventions.capping import token_of
from onboarding.interventions.moves import LIVE
from onboarding.interventions.types import Delivery, Reason, State
from onboarding.store.interventions.rows import Row, moving_row, token_row
from onboarding.store.interventions.tables import delivery, outbox, token

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert


def inserting(connection: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    """With `on_conflict_...`."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def put(connection: Connection, table: Table, row: Mapping[str, object]) -> None:
    """A whole row, in the place of what has the same key."""
    connection.execute(_putting(connection.dialect.name, table), row)


@cache
def _putting(dialect: str, table: Table) -> SqliteInsert | PostgresInsert:
    new = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: new.excluded[column.name] for column in table.c}
    for name in keys:
        del rest[name]
    return new.on_conflict_do_update(index_elements=keys, set_=rest)


def keep(connection: Connection, after: Delivery, **more: object) -> Delivery:
    changed = {**moving_row(after), **more}
    whose = {"its_tenant": after.message.person.tenant, "its_id": after.id}
    connection.execute(_keeping(tuple(changed)), {**changed, **whose})
    return after


def keep_all(connection: Connection, after: Sequence[Delivery]) -> None:
    changed = [
        {**moving_row(each), "its_tenant": each.message.person.tenant, "its_id": each.id}
        for each in after
    ]
    if changed:
        names = tuple(name for name in changed[0] if not name.startswith("its_"))
        connection.execute(_keeping(names), changed)


@cache
def _keeping(names: tuple[str, ...]) -> Update:
    its = (delivery.c.tenant == bindparam("its_tenant")) & (delivery.c.id == bindparam("its_id"))
    return update(delivery).where(its).values({name: bindparam(name) for name in names})


def take(connection: Connection, after: Delivery, now: datetime) -> None:
    """Its key, and the cap token of what counts."""
    take_key(connection, after, now)
    if not after.message.exempt:
        tenant = after.message.person.tenant
        put(connection, token, token_row(tenant, token_of(after, now)))


def take_key(connection: Connection, after: Delivery, now: datetime) -> None:
    put(connection, outbox, _key_row(after, now))


def take_all(
    connection: Connection, sent: Sequence[Delivery], withheld: Sequence[Delivery], now: datetime
) -> None:
    """As `take` of what was sent, and `take_key` of what was withheld."""
    counting = [each for each in sent if not each.message.exempt]
    tokens = [token_row(each.message.person.tenant, token_of(each, now)) for each in counting]
    keys = [_key_row(each, now) for each in (*sent, *withheld)]
    for table, rows in ((token, tokens), (outbox, keys)):
        if rows:
            connection.execute(_putting(connection.dialect.name, table), rows)


def _key_row(after: Delivery, now: datetime) -> Row:
    message = after.message
    return {
        "tenant": message.person.tenant,
        "key": message.key,
        "delivery": after.id,
        "at": stamp(now),
    }


def give_back(connection: Connection, tenant: str, name: str) -> None:
    """It did not go out: as if it had never been let out."""
    spent = (token.c.tenant == tenant) & (token.c.delivery == name)
    sent = (outbox.c.tenant == tenant) & (outbox.c.delivery == name)
    connection.execute(delete(token).where(spent))
    connection.execute(delete(outbox).where(sent))


def wake(connection: Connection, after: Delivery, now: datetime) -> None:
    """Others of the exclusive group need not wait until they would look again."""
    message = after.message
    if message.exclusive is None or after.state in LIVE:
        return
    others = (
        (delivery.c.tenant == message.person.tenant)
        & (delivery.c.subject == message.person.user)
        & (delivery.c.exclusive == message.exclusive)
        & (delivery.c.state == State.HELD.value)
        & (delivery.c.reason == Reason.EXCLUSIVE.value)
        & (delivery.c.due > stamp(now))
    )
    connection.execute(update(delivery).where(others).values(due=stamp(now)))


def insert_new(connection: Connection, rows: list[Row]) -> None:
    """Those that are there stay as they are."""
    if rows:
        connection.execute(inserting(connection, delivery).on_conflict_do_nothing(), rows)
