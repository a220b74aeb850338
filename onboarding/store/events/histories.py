"""What a person and their account have done, by the indexes on them alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from onboarding.store.events.reading import FROM, columns
from onboarding.store.events.rows import event_of, micros, moment_of
from onboarding.types import History, Person, Seen

_VISITOR: Final = (
    'e."user" IS NULL AND e.anonymous IN'
    ' (SELECT anonymous FROM event_alias WHERE tenant = :tenant AND "user" = :user)'
)
_PARTS: Final = ('e."user" = :user', _VISITOR)
_ACCOUNT: Final = f"e.account = :account AND coalesce(e.\"user\", '') <> :user AND NOT ({_VISITOR})"
"""What others of the account did: nothing is counted twice."""


def read_history(connection: Connection, person: Person, now: datetime, recent: int) -> History:
    parts = (*_PARTS, _ACCOUNT) if person.account is not None else _PARTS
    given = {
        "tenant": person.tenant,
        "user": person.user,
        "account": person.account,
        "now": micros(now),
        "recent": recent,
    }
    rows = [row for part in parts for row in _newest(connection, part, given)]
    rows.sort(key=_occurred)
    newest = rows[-recent:] if recent else []
    return History(_seen(connection, parts, given), tuple(map(event_of, newest)))


def _newest(connection: Connection, part: str, given: dict[str, Any]) -> Iterable[Any]:
    asked = text(
        f"SELECT {columns(connection)} {FROM}"
        f" WHERE e.tenant = :tenant AND {part} AND e.received_at <= :now"
        " ORDER BY e.occurred_at DESC LIMIT :recent"
    )
    return connection.execute(asked, given).all()


def _seen(connection: Connection, parts: Iterable[str], given: dict[str, Any]) -> dict[str, Seen]:
    """Numbers of everything, cut or not."""
    each = " UNION ALL ".join(
        "SELECT e.name, count(*) AS n, min(e.occurred_at) AS first, max(e.occurred_at) AS last"
        f" FROM product_event e WHERE e.tenant = :tenant AND {part} AND e.received_at <= :now"
        " GROUP BY e.name"
        for part in parts
    )
    asked = text(f"SELECT name, sum(n), min(first), max(last) FROM ({each}) AS x GROUP BY name")
    rows = connection.execute(asked, given)
    return {row[0]: Seen(int(row[1]), moment_of(row[2]), moment_of(row[3])) for row in rows}


def _occurred(row: Any) -> int:
    return int(row[9])
