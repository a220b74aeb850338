"""Rows in SQL, inside one transaction: SQLite behind its one writer, PostgreSQL by row locks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from tools.journal import DENIED, ENDED, Approval, OutboxRow, Receipt, State
from tools.store import tail
from tools.store.codec import Codec, approval_of
from tools.store.deciding import OPEN
from tools.store.moving import timestamp
from tools.store.rows import Entry, Found, Head
from tools.tables import action, approval, compensation, standing_consent
from tools.types import Principal

Clock = Callable[[], datetime]
_PARENT = action.alias("parent_action")
_ALONE = or_(
    action.c.parent.is_(None),
    exists(
        select(_PARENT.c.id).where(
            _PARENT.c.tenant == action.c.tenant,
            _PARENT.c.id == action.c.parent,
            _PARENT.c.state.in_(sorted(ENDED)),
        )
    ),
)
_ENTRIES = select(
    action,
    compensation.c.id.label("undo_id"),
    compensation.c.tool.label("undo_tool"),
    compensation.c.tool_version.label("undo_tool_version"),
    compensation.c.args.label("undo_args"),
    compensation.c.etag.label("undo_etag"),
).select_from(
    action.outerjoin(
        compensation,
        and_(compensation.c.tenant == action.c.tenant, compensation.c.action_id == action.c.id),
    )
)


class SqlRows:
    """`clock` None: the time of the database server."""

    def __init__(self, connection: Connection, codec: Codec, clock: Clock | None) -> None:
        self._connection = connection
        self._codec = codec
        self._clock = clock
        self._server = connection.dialect.name == "postgresql"
        self._insert = postgresql.insert if self._server else sqlite.insert

    def now(self) -> datetime:
        if self._clock is not None:
            return self._clock()
        at: datetime = self._connection.execute(select(func.clock_timestamp())).scalar_one()
        return at.astimezone(UTC)

    def mac(self, who: Principal, data: bytes) -> str:
        return self._codec.mac(who, data)

    # --- actions --------------------------------------------------------------------------------

    def entry(self, tenant: str, action_id: str) -> Entry | None:
        return self._one(_ENTRIES.where(*_is(tenant, action_id)))

    def locked(self, tenant: str, action_id: str) -> Entry | None:
        return self._one(_locked(_ENTRIES.where(*_is(tenant, action_id))))

    def by_key(self, tenant: str, idem_key: str) -> Entry | None:
        return self._one(_ENTRIES.where(action.c.tenant == tenant, action.c.idem_key == idem_key))

    def claimable(self, action_id: str) -> Entry | None:
        return self._one(_locked(_ENTRIES.where(action.c.id == action_id), skip=True))

    def due(self, now: datetime) -> Entry | None:
        ran_out = and_(
            action.c.state == State.STARTED.value, action.c.lease_until <= timestamp(now)
        )
        lapsed = _ENTRIES.where(ran_out).order_by(action.c.lease_until).limit(1)
        ready = _ENTRIES.where(action.c.state == State.APPROVED.value, _ALONE)
        ready = ready.order_by(action.c.ordinal).limit(1)
        found = self._one(_locked(lapsed, skip=True))
        return found or self._one(_locked(ready, skip=True))

    def overdue(self, now: datetime, limit: int) -> tuple[Entry, ...]:
        late = _ENTRIES.where(
            action.c.state.in_([state.value for state in OPEN]),
            action.c.expires <= timestamp(now),
        )
        return self._many(_locked(late.order_by(action.c.ordinal).limit(limit), skip=True))

    def unresolved(self, limit: int) -> tuple[Entry, ...]:
        unknown = _ENTRIES.where(action.c.state == State.UNKNOWN.value)
        return self._many(unknown.order_by(action.c.ordinal).limit(limit))

    def find(self, found: Found) -> tuple[Entry, ...]:
        wanted = [action.c.tenant == found.tenant]
        for column, value in (
            (action.c.subject, found.subject),
            (action.c.parent, found.parent),
            (action.c.thread_id, found.thread_id),
        ):
            if value is not None:
                wanted.append(column == value)
        if found.states:
            wanted.append(action.c.state.in_([state.value for state in found.states]))
        ordered = _ENTRIES.where(*wanted).order_by(action.c.ordinal)
        return self._many(ordered.limit(found.limit))

    def steps(self, tenant: str, parent: str) -> tuple[Entry, ...]:
        of = _ENTRIES.where(action.c.tenant == tenant, action.c.parent == parent)
        return self._many(_locked(of.order_by(action.c.ordinal)))

    def insert(self, entry: Entry) -> bool:
        values = self._codec.new(entry)
        if not self._server:
            values["ordinal"] = select(func.coalesce(func.max(action.c.ordinal), 0) + 1)
            values["ordinal"] = values["ordinal"].scalar_subquery()
        new = self._insert(action).values(values).on_conflict_do_nothing()
        return self._connection.execute(new.returning(action.c.id)).first() is not None

    def move(self, before: Entry, after: Entry) -> bool:
        moved = (
            update(action)
            .where(
                *_is(*before.key),
                action.c.state == before.state.value,
                action.c.digest == before.action.digest,
                action.c.fence == before.action.fence,
            )
            .values(self._codec.changed(before, after) or {"state": before.state.value})
        )
        if self._connection.execute(moved).rowcount != 1:
            return False
        undo = self._codec.compensation(after) if before.action.undo is None else None
        if undo is not None:
            self._connection.execute(compensation.insert().values(undo))
        return True

    def lapse(self, worker: str, now: datetime) -> int:
        held = (action.c.state == State.STARTED.value, action.c.worker == worker)
        ended = update(action).where(*held).values(lease_until=timestamp(now))
        return self._connection.execute(ended).rowcount

    def lock_subject(self, tenant: str, subject: str) -> None:
        if self._server:
            named = {"name": f"{len(tenant)}/{tenant}/{subject}"}
            self._connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), named
            )

    def denied_since(self, entry: Entry, since: datetime) -> bool:
        who = entry.action.who
        denied = select(action.c.id).where(
            action.c.tenant == who.tenant,
            action.c.subject == who.subject,
            action.c.state == State.REFUSED.value,
            action.c.content == entry.content,
            action.c.reason == DENIED,
            action.c.changed > timestamp(since),
        )
        return self._connection.execute(denied.limit(1)).first() is not None

    def take_undo(self, tenant: str, action_id: str, by: str) -> bool:
        free = and_(compensation.c.tenant == tenant, compensation.c.action_id == action_id)
        taken = update(compensation).where(free, compensation.c.taken_by.is_(None))
        return self._connection.execute(taken.values(taken_by=by)).rowcount == 1

    # --- approvals and consents -----------------------------------------------------------------

    def approvals(self, tenant: str, action_id: str) -> tuple[Approval, ...]:
        given = select(approval).where(*_of(tenant, action_id), approval.c.decision == "approve")
        rows = self._connection.execute(given.order_by(approval.c.place)).mappings()
        return tuple(approval_of(row) for row in rows)

    def add_approval(self, given: Approval, entry: Entry) -> bool:
        signed_in = given.auth_time
        row = self._decision(entry, given.approver, self.now())
        row |= {
            "id": given.id,
            "digest": given.digest,
            "channel": given.channel,
            "decision": "approve",
            "policy_hash": given.policy_hash,
            "auth_time": None if signed_in is None else timestamp(signed_in),
        }
        new = self._insert(approval).values(row).on_conflict_do_nothing()
        return self._connection.execute(new.returning(approval.c.id)).first() is not None

    def deny(self, entry: Entry, by: str, now: datetime) -> None:
        """A denial takes the place of the same person's yes."""
        row = self._decision(entry, by, now) | {
            "id": f"{entry.action.id}/{by}",
            "digest": entry.action.digest,
            "channel": "",
            "decision": "deny",
            "policy_hash": "",
        }
        new = self._insert(approval).values(row)
        self._connection.execute(
            new.on_conflict_do_update(
                index_elements=["tenant", "action_id", "approver"], set_={"decision": "deny"}
            )
        )

    def _decision(self, entry: Entry, by: str, now: datetime) -> dict[str, Any]:
        tenant, action_id = entry.key
        place = select(func.count()).select_from(approval).where(*_of(tenant, action_id))
        return {
            "tenant": tenant,
            "action_id": action_id,
            "approver": by,
            "place": place.scalar_subquery(),
            "created": timestamp(now),
            "expires": timestamp(entry.action.expires),
        }

    def consume(self, entry: Entry, now: datetime) -> int:
        live = (
            *_of(*entry.key),
            approval.c.decision == "approve",
            approval.c.digest == entry.action.digest,
            approval.c.consumed_at.is_(None),
        )
        used = update(approval).where(*live).values(consumed_at=timestamp(now))
        return self._connection.execute(used).rowcount

    def consents(self, tenant: str, subject: str) -> frozenset[str]:
        given = select(standing_consent.c.tool).where(
            standing_consent.c.tenant == tenant,
            standing_consent.c.subject == subject,
            standing_consent.c.given,
        )
        return frozenset(self._connection.execute(given).scalars())

    def set_consent(self, tenant: str, subject: str, tool: str, given: bool) -> None:
        row = {"tenant": tenant, "subject": subject, "tool": tool, "given": given}
        keys = ["tenant", "subject", "tool"]
        said = self._insert(standing_consent).values(row)
        self._connection.execute(
            said.on_conflict_do_update(index_elements=keys, set_={"given": given})
        )

    # --- what is written behind a move ----------------------------------------------------------

    def head(self, tenant: str) -> Head:
        return tail.head(self._connection, tenant)

    def add_receipt(self, receipt: Receipt, head: Head) -> None:
        tail.add_receipt(self._connection, receipt, head)

    def receipts(self, tenant: str, after: int, limit: int) -> tuple[Receipt, ...]:
        return tail.receipts(self._connection, tenant, after, limit)

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

    # --- reading --------------------------------------------------------------------------------

    def _one(self, wanted: Select[Any]) -> Entry | None:
        row = self._connection.execute(wanted).mappings().first()
        return None if row is None else self._codec.entry(row)

    def _many(self, wanted: Select[Any]) -> tuple[Entry, ...]:
        rows = self._connection.execute(wanted).mappings().all()
        return tuple(self._codec.entry(row) for row in rows)


def _is(tenant: str, action_id: str) -> tuple[ColumnElement[bool], ...]:
    return action.c.tenant == tenant, action.c.id == action_id


def _of(tenant: str, action_id: str) -> tuple[ColumnElement[bool], ...]:
    return approval.c.tenant == tenant, approval.c.action_id == action_id


def _locked(wanted: Select[Any], skip: bool = False) -> Select[Any]:
    """SQLite knows no row locks and needs none: its transactions follow each other."""
    return wanted.with_for_update(of=action, skip_locked=skip)
