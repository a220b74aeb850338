"""How far people are with guides: the statements, each on a connection of its caller's
transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, select

from guardrails.refs import code, owner, ref, stamp
from onboarding.journeys import GuideMark, GuideState
from onboarding.store.journeys.statements import inserting
from onboarding.store.journeys.tables import journey_guide

G = journey_guide.c
_KEY = list(journey_guide.primary_key.columns)


def guide_marks(connection: Connection, tenant: str, user: str) -> tuple[GuideMark, ...]:
    wanted = select(journey_guide).where(of_person(tenant, user)).order_by(G.guide)
    return tuple(_mark_of(row) for row in connection.execute(wanted).mappings())


def note(connection: Connection, tenant: str, user: str, mark: GuideMark) -> GuideMark:
    """What stands afterwards; the person is locked."""
    there = of_person(tenant, user) & (G.guide == mark.guide)
    row = connection.execute(select(journey_guide).where(there)).mappings().one_or_none()
    stands = mark if row is None else _mark_of(row).with_(mark)
    new = inserting(connection)(journey_guide).values(mark_row(tenant, user, stands))
    over = {name: new.excluded[name] for name in ("version", "state", "stop", "shown_at", "at")}
    connection.execute(new.on_conflict_do_update(index_elements=_KEY, set_=over))
    return stands


def hand_over_guides(connection: Connection, tenant: str, old: str, new: str) -> None:
    """What `old` saw, `new` saw."""
    for mark in guide_marks(connection, tenant, old):
        note(connection, tenant, new, mark)
    forget_guides(connection, tenant, old)


def forget_guides(connection: Connection, tenant: str, user: str) -> int:
    return connection.execute(delete(journey_guide).where(of_person(tenant, user))).rowcount


def of_person(tenant: str, user: str) -> ColumnElement[bool]:
    return (G.tenant == tenant) & (G.subject == user)


def old_marks(tenant: str, before: datetime, keep: frozenset[str]) -> ColumnElement[bool]:
    old = (G.tenant == tenant) & (G.at < stamp(before))
    return old & G.subject.not_in(sorted(keep)) if keep else old


def mark_row(tenant: str, user: str, mark: GuideMark) -> dict[str, Any]:
    """Raises ValueError for what is no reference, name or zoned time."""
    return {
        "tenant": owner(tenant),
        "subject": ref("user", user),
        "guide": code("guide", mark.guide),
        "version": mark.version,
        "state": mark.state.value,
        "stop": mark.stop,
        "shown_at": stamp(mark.shown_at),
        "at": stamp(mark.at),
    }


def _mark_of(row: RowMapping) -> GuideMark:
    return GuideMark(
        guide=row["guide"],
        version=row["version"],
        state=GuideState(row["state"]),
        shown_at=datetime.fromisoformat(row["shown_at"]),
        at=datetime.fromisoformat(row["at"]),
        stop=row["stop"],
    )
