"""What every move leaves behind in SQL: the outbox, and the tenant's chain of receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tools.journal import OutboxRow, Receipt
from tools.store.moving import timestamp
from tools.store.rows import Entry, Head
from tools.tables import chain_head, outbox, receipt


def head(connection: Connection, tenant: str) -> Head:
    """Locked until the transaction ends, the first one of a tenant too."""
    server = connection.dialect.name == "postgresql"
    insert = postgresql.insert if server else sqlite.insert
    first = insert(chain_head).values(tenant=tenant, seq=0, hash="")
    row = connection.execute(
        first.on_conflict_do_update(
            index_elements=["tenant"], set_={"seq": chain_head.c.seq}
        ).returning(chain_head.c.seq, chain_head.c.hash)
    ).one()
    return Head(row.seq, row.hash)


def add_receipt(connection: Connection, new: Receipt, last: Head) -> None:
    connection.execute(
        receipt.insert().values(
            tenant=new.tenant,
            seq=new.seq,
            action_id=new.action_id,
            prev=new.prev,
            jws=new.jws,
            created=timestamp(new.created),
        )
    )
    moved = update(chain_head).where(chain_head.c.tenant == new.tenant)
    connection.execute(moved.values(seq=last.seq, hash=last.hash))


def receipts(connection: Connection, tenant: str, after: int, limit: int) -> tuple[Receipt, ...]:
    wanted = select(receipt).where(receipt.c.tenant == tenant, receipt.c.seq > after)
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
    action = entry.action
    values: dict[str, object] = {
        "tenant": action.who.tenant,
        "kind": f"action.{action.state}",
        "action_id": action.id,
        "thread_id": action.thread_id,
        "attempt": 0,
        "created": timestamp(now),
    }
    if connection.dialect.name != "postgresql":
        values["id"] = select(func.coalesce(func.max(outbox.c.id), 0) + 1).scalar_subquery()
    connection.execute(outbox.insert().values(values))


def untold(connection: Connection, now: datetime, limit: int) -> tuple[OutboxRow, ...]:
    wanted = select(
        outbox.c.id,
        outbox.c.tenant,
        outbox.c.kind,
        outbox.c.action_id,
        outbox.c.thread_id,
        outbox.c.created,
    ).where(
        outbox.c.sent_at.is_(None),
        or_(outbox.c.next_at.is_(None), outbox.c.next_at <= timestamp(now)),
    )
    rows = connection.execute(wanted.order_by(outbox.c.id).limit(limit))
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
    which = (outbox.c.tenant == bindparam("of"), outbox.c.id == bindparam("number"))
    marked = update(outbox).where(*which).values(values)
    if again:
        marked = marked.values(attempt=outbox.c.attempt + 1)
    connection.execute(marked, [{"of": row.tenant, "number": row.id} for row in rows])
