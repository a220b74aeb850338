"""Rows in SQL, inside one transaction: SQLite behind its one writer, PostgreSQL by row locks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, Update, func, select, text

from tools.journal import Approval, OutboxRow, Receipt
from tools.store import statements as st
from tools.store import tail
from tools.store.codec import Codec, approval_of
from tools.store.moving import timestamp
from tools.store.rows import NO_PARENT, Entry, Found, Head
from tools.tables import action
from tools.types import Principal

Clock = Callable[[], datetime]
Values = dict[str, Any]


class SqlRows:
    """`clock` None: the time of the database server."""

    def __init__(self, connection: Connection, codec: Codec, clock: Clock | None) -> None:
        self._connection = connection
        self._codec = codec
        self._clock = clock
        self._dialect = connection.dialect.name
        self._server = self._dialect == "postgresql"

    def now(self) -> datetime:
        if self._clock is not None:
            return self._clock()
        at: datetime = self._connection.execute(select(func.clock_timestamp())).scalar_one()
        return at.astimezone(UTC)

    def mac(self, who: Principal, data: bytes) -> str:
        return self._codec.mac(who, data)

    # --- actions --------------------------------------------------------------------------------

    def entry(self, tenant: str, action_id: str) -> Entry | None:
        return self._one(st.ENTRY, at_tenant=tenant, at_id=action_id)

    def locked(self, tenant: str, action_id: str) -> Entry | None:
        return self._one(st.LOCKED, at_tenant=tenant, at_id=action_id)

    def by_key(self, tenant: str, idem_key: str) -> Entry | None:
        return self._one(st.BY_KEY, at_tenant=tenant, at_key=idem_key)

    def claimable(self, action_id: str) -> Entry | None:
        return self._one(st.CLAIMABLE, at_id=action_id)

    def due(self, now: datetime) -> Entry | None:
        return self._one(st.LAPSED, at_now=timestamp(now)) or self._one(st.READY)

    def overdue(self, now: datetime, limit: int) -> tuple[Entry, ...]:
        return self._many(st.OVERDUE, at_now=timestamp(now), at_most=limit)

    def unresolved(self, limit: int) -> tuple[Entry, ...]:
        return self._many(st.UNRESOLVED, at_most=limit)

    def steps(self, tenant: str, parent: str) -> tuple[Entry, ...]:
        return self._many(st.STEPS, at_tenant=tenant, at_parent=parent)

    def find(self, found: Found) -> tuple[Entry, ...]:
        wanted = [action.c.tenant == found.tenant]
        for column, value in (
            (action.c.subject, found.subject),
            (action.c.parent, found.parent or None),
            (action.c.thread_id, found.thread_id),
        ):
            if value is not None:
                wanted.append(column == value)
        if found.parent == NO_PARENT:
            wanted.append(action.c.parent.is_(None))
        if found.states:
            wanted.append(action.c.state.in_([state.value for state in found.states]))
        if found.before is not None:
            wanted.append(action.c.ordinal < st.ordinal_of(found.tenant, found.before))
        newest = st.ENTRIES.where(*wanted).order_by(action.c.ordinal.desc()).limit(found.limit)
        return self._many(newest)[::-1]

    def insert(self, entry: Entry) -> bool:
        values = self._codec.new(entry)
        if not self._server:
            values["ordinal"] = self._connection.execute(st.NEXT_ORDINAL).scalar_one()
        return self._connection.execute(st.PROPOSE[self._dialect], values).first() is not None

    def move(self, before: Entry, after: Entry) -> bool:
        tenant, action_id = before.key
        which = {
            "at_tenant": tenant,
            "at_id": action_id,
            "at_state": before.state.value,
            "at_digest": before.action.digest,
            "at_fence": before.action.fence,
        }
        values = self._codec.changed(before, after) or {"state": before.state.value}
        if self._changed(st.MOVE, {**values, **which}) != 1:
            return False
        undo = self._codec.compensation(after) if before.action.undo is None else None
        if undo is not None:
            self._connection.execute(st.ADD_UNDO, undo)
        return True

    def lapse(self, worker: str, now: datetime) -> int:
        return self._changed(st.LAPSE, {"at_worker": worker, "lease_until": timestamp(now)})

    def lock_subject(self, tenant: str, subject: str) -> None:
        if self._server:
            named = {"name": f"{len(tenant)}/{tenant}/{subject}"}
            self._connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), named
            )

    def denied_since(self, entry: Entry, since: datetime) -> bool:
        who = entry.action.who
        which = {
            "at_tenant": who.tenant,
            "at_subject": who.subject,
            "at_content": entry.content,
            "at_since": timestamp(since),
        }
        return self._connection.execute(st.DENIED_SINCE, which).first() is not None

    def take_undo(self, tenant: str, action_id: str, by: str) -> bool:
        which = {"at_tenant": tenant, "at_id": action_id}
        return self._changed(st.TAKE_UNDO, {**which, "taken_by": by}) == 1

    # --- approvals and consents -----------------------------------------------------------------

    def approvals(self, tenant: str, action_id: str) -> tuple[Approval, ...]:
        which = {"at_tenant": tenant, "at_id": action_id}
        rows = self._connection.execute(st.APPROVALS, which).mappings()
        return tuple(approval_of(row) for row in rows)

    def add_approval(self, given: Approval, entry: Entry) -> bool:
        signed_in = given.auth_time
        row = self._decision(entry, given.approver, self.now()) | {
            "id": given.id,
            "digest": given.digest,
            "channel": given.channel,
            "decision": "approve",
            "policy_hash": given.policy_hash,
            "auth_time": None if signed_in is None else timestamp(signed_in),
        }
        return self._connection.execute(st.DECIDE[self._dialect], row).first() is not None

    def deny(self, entry: Entry, by: str, now: datetime) -> None:
        row = self._decision(entry, by, now) | {
            "id": f"{entry.action.id}/{by}",
            "digest": entry.action.digest,
            "channel": "",
            "decision": "deny",
            "policy_hash": "",
        }
        self._connection.execute(st.DENY[self._dialect], row)

    def _decision(self, entry: Entry, by: str, now: datetime) -> Values:
        tenant, action_id = entry.key
        which = {"at_tenant": tenant, "at_id": action_id}
        return {
            "tenant": tenant,
            "action_id": action_id,
            "approver": by,
            "place": self._connection.execute(st.PLACES, which).scalar_one(),
            "created": timestamp(now),
            "expires": timestamp(entry.action.expires),
        }

    def consume(self, entry: Entry, now: datetime) -> int:
        tenant, action_id = entry.key
        which = {"at_tenant": tenant, "at_id": action_id, "at_digest": entry.action.digest}
        return self._changed(st.CONSUME, {**which, "consumed_at": timestamp(now)})

    def consents(self, tenant: str, subject: str) -> frozenset[str]:
        which = {"at_tenant": tenant, "at_subject": subject}
        return frozenset(self._connection.execute(st.CONSENTS, which).scalars())

    def set_consent(self, tenant: str, subject: str, tool: str, given: bool) -> None:
        row = {"tenant": tenant, "subject": subject, "tool": tool, "given": given}
        self._connection.execute(st.CONSENT[self._dialect], row)

    # --- what is written behind a move ----------------------------------------------------------

    def head(self, tenant: str) -> Head:
        return tail.head(self._connection, tenant)

    def add_receipt(self, receipt: Receipt, head: Head) -> None:
        tail.add_receipt(self._connection, receipt, head)

    def receipts(
        self, tenant: str, after: int, limit: int, subject: str | None = None
    ) -> tuple[Receipt, ...]:
        return tail.receipts(self._connection, tenant, after, limit, subject)

    def receipts_of(self, tenant: str, action_id: str) -> tuple[Receipt, ...]:
        return tail.receipts_of(self._connection, tenant, action_id)

    def tell(self, entry: Entry, now: datetime) -> None:
        tail.tell(self._connection, entry, now)

    def outbox(self, now: datetime, limit: int) -> tuple[OutboxRow, ...]:
        return tail.untold(self._connection, now, limit)

    def sent(self, rows: Sequence[OutboxRow], now: datetime) -> None:
        tail.mark(self._connection, rows, {"sent_at": timestamp(now)})

    def later(self, rows: Sequence[OutboxRow], until: datetime) -> None:
        tail.mark(self._connection, rows, {"next_at": timestamp(until)}, again=True)

    def remind(self, entry: Entry, now: datetime, due: datetime) -> bool:
        return tail.remind(self._connection, entry, now, due)

    def hush(self, tenant: str, thread_id: str, now: datetime) -> int:
        return tail.hush(self._connection, tenant, thread_id, now)

    # --- running --------------------------------------------------------------------------------

    def _one(self, wanted: Select[Any], **values: object) -> Entry | None:
        row = self._connection.execute(wanted, values).mappings().first()
        return None if row is None else self._codec.entry(row)

    def _many(self, wanted: Select[Any], **values: object) -> tuple[Entry, ...]:
        rows = self._connection.execute(wanted, values).mappings().all()
        return tuple(self._codec.entry(row) for row in rows)

    def _changed(self, change: Update, values: Values) -> int:
        return self._connection.execute(change, values).rowcount
