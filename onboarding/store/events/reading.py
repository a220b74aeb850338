"""Events out of the log, with the user that a visitor is known as by now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, text

from onboarding.events import Numbered
from onboarding.store.events.rows import COLUMNS, numbered_of

FROM: Final = (
    "FROM product_event e LEFT JOIN event_alias a"
    ' ON e."user" IS NULL AND a.tenant = e.tenant AND a.anonymous = e.anonymous'
)
OF_USER: Final = (
    '(e.tenant = :tenant AND e."user" = :user OR e.tenant = :tenant AND e."user" IS NULL'
    " AND e.anonymous IN"
    ' (SELECT anonymous FROM event_alias WHERE tenant = :tenant AND "user" = :user))'
)


def columns(connection: Connection) -> str:
    """In the order of COLUMNS, the user resolved and `fields` as text."""
    on_postgres = connection.dialect.name == "postgresql"
    other = {'"user"': 'coalesce(e."user", a."user")'}
    if on_postgres:
        other["fields"] = "e.fields::text"
    return ", ".join(other.get(name, f"e.{name}") for name in COLUMNS)


def newer(
    connection: Connection, tenant: str, after: int, limit: int, *, as_sent: bool = False
) -> tuple[Numbered, ...]:
    """Of everybody, in the order of the log."""
    where = "e.tenant = :tenant AND e.number > :after"
    given = {"tenant": tenant, "after": after}
    if not as_sent:
        return found(connection, where, given, limit)
    sent = columns(connection).replace('coalesce(e."user", a."user")', 'e."user"')
    asked = text(f"SELECT {sent} FROM product_event e WHERE {where} ORDER BY e.number LIMIT :limit")
    return tuple(map(numbered_of, connection.execute(asked, {**given, "limit": limit})))


def found(
    connection: Connection, where: str, given: Mapping[str, Any], limit: int
) -> tuple[Numbered, ...]:
    """The oldest that meet `where`, over `e` and, for anonymous visitors, their alias `a`."""
    asked = text(
        f"SELECT {columns(connection)} {FROM} WHERE {where} ORDER BY e.number LIMIT :limit"
    )
    return tuple(map(numbered_of, connection.execute(asked, {**given, "limit": limit})))
