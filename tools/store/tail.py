"""What every move leaves behind in SQL: the outbox, and the tenant's chain of receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, bindparam, select, text, update

from tools.journal import REMINDER, OutboxRow, Receipt
from tools.store import statements as st
from tools.store.moving import timestamp
from tools.store.rows import Entry, Head
from tools.tables import action, chain_head, outbox, receipt

_HEAD = {
    dialect: new.on_conflict_do_update(
        index_elements=["tenant"], set_={"seq": chain_head.c.seq}
    ).returning(chain_head.c.seq, chain_head.c.hash)
    for dialect, new in st.inserts(chain_head).items()
}
_ADD = receipt.insert()
_IS_REMINDER = text(f"kind = '{REMINDER}'")  # no parameter: the planner must see the index's own
_MOVE_HEAD = update(chain_head).where(chain_head.c.tenant == bindparam("at_tenant"))


def head(connection: Connection, tenant: str) -> Head:
    """Locked until the transaction ends, the first one of a tenant too."""
    first = {"tenant": tenant, "seq": 0, "hash": ""}
    row = connection.execute(_HEAD[connection.dialect.name], first).one()
    return Head(row.seq, row.hash)


def add_receipt(connection: Connection, new: Receipt, last: Head) -> None:
    values = {
        "tenant": new.tenant,
        "seq": new.seq,
        "action_id": new.action_id,
        "prev": new.prev,
        "jws": new.jws,
        "created": timestamp(new.created),
    }
    connection.execute(_ADD, values)
    moved = {"at_tenant": new.tenant, "seq": last.seq, "hash": last.hash}
    connection.execute(_MOVE_HEAD, moved)


def receipts(
    connection: Connection, tenant: str, after: int, limit: int, subject: str | None = None
) -> tuple[Receipt, ...]:
    wanted = select(receipt).where(receipt.c.tenant == tenant, receipt.c.seq > after)
    if subject is not None:
        same = (action.c.tenant == receipt.c.tenant) & (action.c.id == receipt.c.action_id)
        wanted = wanted.join(action, same).where(action.c.subject == subject)
    return _receipts(connection, wanted.order_by(receipt.c.seq).limit(limit))


def receipts_of(connection: Connection, tenant: str, action_id: str) -> tuple[Receipt, ...]:
    wanted = select(receipt).where(receipt.c.tenant == tenant, receipt.c.action_id == action_id)
    return _receipts(connection, wanted.order_by(receipt.c.seq))


def _receipts(connection: Connection, wanted: Select[tuple[object, ...]]) -> tuple[Receipt, ...]:
    return tuple(
        Receipt(
            tenant=row["tenant"],
            seq=row["seq"],
            action_id=row["action_id"],
            prev=row["prev"],
            jws=row["jws"],
            created=datetime.fromisoformat(row["created"]),
        )
        for row in connection.execute(wanted).mappings()
    )


def tell(connection: Connection, entry: Entry, now: datetime) -> None:
    _add_news(connection, entry, f"action.{entry.action.state}", now, None)


def remind(connection: Connection, entry: Entry, now: datetime, due: datetime) -> bool:
    tenant, action_id = entry.key
    known = select(outbox.c.id).where(
        outbox.c.tenant == tenant, outbox.c.action_id == action_id, _IS_REMINDER
    )
    if connection.execute(known).first() is not None:
        return False
    _add_news(connection, entry, REMINDER, now, due)
    return True


def hush(connection: Connection, tenant: str, thread_id: str, now: datetime) -> int:
    untold = (
        outbox.c.tenant == tenant,
        outbox.c.thread_id == thread_id,
        _IS_REMINDER,
        outbox.c.sent_at.is_(None),
    )
    told = update(outbox).where(*untold).values(sent_at=timestamp(now))
    return connection.execute(told).rowcount


def _add_news(
    connection: Connection, entry: Entry, kind: str, now: datetime, due: datetime | None
) -> None:
    action = entry.action
    values: dict[str, object] = {
        "tenant": action.who.tenant,
        "kind": kind,
        "action_id": action.id,
        "thread_id": action.thread_id,
        "attempt": 0,
        "next_at": None if due is None else timestamp(due),
        "created": timestamp(now),
    }
    if connection.dialect.name != "postgresql":
        values["id"] = connection.execute(st.NEXT_NEWS).scalar_one()
    connection.execute(st.TELL, values)


def untold(connection: Connection, now: datetime, limit: int) -> tuple[OutboxRow, ...]:
    rows = connection.execute(st.UNTOLD, {"at_now": timestamp(now), "at_most": limit})
    return tuple(OutboxRow(*row[:-1], datetime.fromisoformat(row[-1])) for row in rows)


def mark(
    connection: Connection,
    rows: Sequence[OutboxRow],
    values: dict[str, str],
    *,
    again: bool = False,
) -> None:
    """`again`: they are to be told another time."""
    if not rows:
        return
    which = [{"at_tenant": row.tenant, "at_number": row.id, **values} for row in rows]
    connection.execute(st.LATER if again else st.SENT, which)
