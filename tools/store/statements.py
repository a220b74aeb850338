"""Every statement of the journal, built once: building them costs more than running them.

Values are bound by name; those of a WHERE are called `at_...`, so that an UPDATE may set the same
column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BindParameter,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from tools.journal import DENIED, ENDED, State
from tools.tables import action, approval, compensation, outbox, standing_consent


def inserts(table: Table) -> Mapping[str, postgresql.Insert | sqlite.Insert]:
    """By dialect: both can say what to do on a conflict, each in its own words."""
    return {"postgresql": postgresql.insert(table), "sqlite": sqlite.insert(table)}


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
ENTRIES = select(
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


def _locked(wanted: Select[Any], skip: bool = False) -> Select[Any]:
    """SQLite knows no row locks and needs none: its transactions follow each other."""
    return wanted.with_for_update(of=action, skip_locked=skip)


def _one_action() -> tuple[ColumnElement[bool], ...]:
    return action.c.tenant == bindparam("at_tenant"), action.c.id == bindparam("at_id")


def _of_action() -> tuple[ColumnElement[bool], ...]:
    return (
        approval.c.tenant == bindparam("at_tenant"),
        approval.c.action_id == bindparam("at_id"),
    )


_UNSTARTED = [State.PROPOSED.value, State.PENDING.value, State.APPROVED.value]
_NOW: BindParameter[str] = bindparam("at_now")

ENTRY = ENTRIES.where(*_one_action())
LOCKED = _locked(ENTRY)
BY_KEY = ENTRIES.where(
    action.c.tenant == bindparam("at_tenant"), action.c.idem_key == bindparam("at_key")
)
CLAIMABLE = _locked(ENTRIES.where(action.c.id == bindparam("at_id")), skip=True)
LAPSED = _locked(
    ENTRIES.where(action.c.state == State.STARTED.value, action.c.lease_until <= _NOW)
    .order_by(action.c.lease_until)
    .limit(1),
    skip=True,
)
READY = _locked(
    ENTRIES.where(action.c.state == State.APPROVED.value, _ALONE)
    .order_by(action.c.ordinal)
    .limit(1),
    skip=True,
)
OVERDUE = _locked(
    ENTRIES.where(action.c.state.in_(_UNSTARTED), action.c.expires <= _NOW)
    .order_by(action.c.ordinal)
    .limit(bindparam("at_most")),
    skip=True,
)
UNRESOLVED = (
    ENTRIES.where(action.c.state == State.UNKNOWN.value)
    .order_by(action.c.ordinal)
    .limit(bindparam("at_most"))
)
STEPS = _locked(
    ENTRIES.where(
        action.c.tenant == bindparam("at_tenant"), action.c.parent == bindparam("at_parent")
    ).order_by(action.c.ordinal)
)
MOVE = update(action).where(
    *_one_action(),
    action.c.state == bindparam("at_state"),
    action.c.digest == bindparam("at_digest"),
    action.c.fence == bindparam("at_fence"),
)
LAPSE = update(action).where(
    action.c.state == State.STARTED.value, action.c.worker == bindparam("at_worker")
)
DENIED_SINCE = (
    select(action.c.id)
    .where(
        action.c.tenant == bindparam("at_tenant"),
        action.c.subject == bindparam("at_subject"),
        action.c.state == State.REFUSED.value,
        action.c.content == bindparam("at_content"),
        action.c.reason == DENIED,
        action.c.changed > bindparam("at_since"),
    )
    .limit(1)
)
TAKE_UNDO = update(compensation).where(
    compensation.c.tenant == bindparam("at_tenant"),
    compensation.c.action_id == bindparam("at_id"),
    compensation.c.taken_by.is_(None),
)
ADD_UNDO = compensation.insert()

APPROVALS = (
    select(approval)
    .where(*_of_action(), approval.c.decision == "approve")
    .order_by(approval.c.place)
)
PLACES = select(func.count()).select_from(approval).where(*_of_action())
CONSUME = update(approval).where(
    *_of_action(),
    approval.c.decision == "approve",
    approval.c.digest == bindparam("at_digest"),
    approval.c.consumed_at.is_(None),
)
CONSENTS = select(standing_consent.c.tool).where(
    standing_consent.c.tenant == bindparam("at_tenant"),
    standing_consent.c.subject == bindparam("at_subject"),
    standing_consent.c.given,
)

PROPOSE = {
    dialect: new.on_conflict_do_nothing().returning(action.c.id)
    for dialect, new in inserts(action).items()
}
DECIDE = {
    dialect: new.on_conflict_do_nothing().returning(approval.c.id)
    for dialect, new in inserts(approval).items()
}
DENY = {
    dialect: new.on_conflict_do_update(
        index_elements=["tenant", "action_id", "approver"], set_={"decision": "deny"}
    )
    for dialect, new in inserts(approval).items()
}
CONSENT = {
    dialect: new.on_conflict_do_update(
        index_elements=["tenant", "subject", "tool"], set_={"given": new.excluded.given}
    )
    for dialect, new in inserts(standing_consent).items()
}

TELL = outbox.insert()
UNTOLD = (
    select(
        outbox.c.id,
        outbox.c.tenant,
        outbox.c.kind,
        outbox.c.action_id,
        outbox.c.thread_id,
        outbox.c.created,
    )
    .where(outbox.c.sent_at.is_(None), or_(outbox.c.next_at.is_(None), outbox.c.next_at <= _NOW))
    .order_by(outbox.c.id)
    .limit(bindparam("at_most"))
)
SENT = update(outbox).where(
    outbox.c.tenant == bindparam("at_tenant"), outbox.c.id == bindparam("at_number")
)
LATER = SENT.values(attempt=outbox.c.attempt + 1)


def ordinal_of(tenant: str, action_id: str) -> ScalarSelect[int]:
    """Null where there is no such action: nothing is older."""
    older = action.alias()
    which = (older.c.tenant == tenant, older.c.id == action_id)
    return select(older.c.ordinal).where(*which).scalar_subquery()


# SQLite numbers nothing but its own row ids; it has one writer, so the next number is free.
NEXT_ORDINAL = select(func.coalesce(func.max(action.c.ordinal), 0) + 1)
NEXT_NEWS = select(func.coalesce(func.max(outbox.c.id), 0) + 1)
