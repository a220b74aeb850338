"""Statements on what is kept: lists, effects, a person's copy and erasure, age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, Update, delete, func, select, update

from guardrails.refs import stamp
from onboarding.interventions.effectiveness import Effect, Group
from onboarding.interventions.moves import LIVE
from onboarding.interventions.types import Channel, Reason, State
from onboarding.store.interventions.asking import WAITS
from onboarding.store.interventions.store import Wanted
from onboarding.store.interventions.tables import OF_PERSON, delivery, outbox, token
from onboarding.types import Person


def due(
    tenant: str, now: datetime, limit: int, channel: Channel | None
) -> Select[tuple[object, ...]]:
    found = select(delivery).where(
        delivery.c.tenant == tenant, delivery.c.state.in_(WAITS), delivery.c.due <= stamp(now)
    )
    if channel is not None:
        found = found.where(delivery.c.channel == channel.value)
    return found.order_by(delivery.c.priority, delivery.c.due, delivery.c.id).limit(limit)


def over(tenant: str, now: datetime) -> Select[tuple[object, ...]]:
    """Claims whose lease is."""
    return select(delivery).where(
        delivery.c.tenant == tenant,
        delivery.c.state == State.CLAIMED.value,
        delivery.c.lease_until <= stamp(now),
    )


def doubtful(tenant: str, now: datetime, limit: int) -> Select[tuple[object, ...]]:
    found = select(delivery).where(
        delivery.c.tenant == tenant,
        delivery.c.state == State.UNKNOWN.value,
        delivery.c.due <= stamp(now),
        delivery.c.reason != Reason.NEEDS_PERSON.value,
    )
    return found.order_by(delivery.c.due, delivery.c.id).limit(limit)


def postpone(
    connection: Connection, tenant: str, names: Sequence[str], until: datetime, now: datetime
) -> int:
    its = (delivery.c.tenant == tenant) & delivery.c.id.in_(names) & delivery.c.state.in_(WAITS)
    mine = select(delivery.c.id).where(its).order_by(delivery.c.id)
    found = list(connection.scalars(mine.with_for_update(skip_locked=True)))
    changed = (
        update(delivery)
        .where(delivery.c.tenant == tenant, delivery.c.id.in_(found))
        .values(
            state=State.HELD.value,
            reason=Reason.PROVIDER_AWAY.value,
            due=stamp(until),
            changed_at=stamp(now),
        )
    )
    return connection.execute(changed).rowcount


def listed(tenant: str, wanted: Wanted) -> Select[tuple[object, ...]]:
    found = select(delivery).where(delivery.c.tenant == tenant)
    if wanted.user is not None:
        found = found.where(delivery.c.subject == wanted.user)
    if wanted.channel is not None:
        found = found.where(delivery.c.channel == wanted.channel.value)
    if wanted.states:
        found = found.where(delivery.c.state.in_([state.value for state in wanted.states]))
    return found.order_by(delivery.c.changed_at.desc(), delivery.c.id).limit(wanted.limit)


def achieved(person: Person, journey: str | None, now: datetime, within: timedelta) -> Update:
    done = update(delivery).where(
        delivery.c.tenant == person.tenant,
        delivery.c.subject == person.user,
        delivery.c.sent_at > stamp(now - within),
        delivery.c.sent_at <= stamp(now),
        delivery.c.achieved_at.is_(None),
    )
    if journey is not None:
        done = done.where(delivery.c.name == journey)
    return done.values(achieved_at=stamp(now))


def effects(connection: Connection, tenant: str, since: datetime) -> tuple[Effect, ...]:
    nothing = func.coalesce(delivery.c.reason, "") == Reason.NULL.value
    columns = (delivery.c.name, delivery.c.step, nothing.label("withheld"))
    counted = (
        select(*columns, func.count().label("people"), func.count(delivery.c.achieved_at))
        .where(delivery.c.tenant == tenant, delivery.c.sent_at >= stamp(since))
        .group_by(*columns)
    )
    groups: dict[str, dict[bool, Group]] = {}
    for name, step, is_nothing, people, succeeded in connection.execute(counted):
        groups.setdefault(f"{name}/{step}", {})[bool(is_nothing)] = Group(people, succeeded)
    none = Group(0, 0)
    return tuple(
        Effect(name, groups[name].get(False, none), groups[name].get(True, none))
        for name in sorted(groups)
    )


def rows(
    connection: Connection, tenant: str, user: str
) -> tuple[tuple[str, Mapping[str, object]], ...]:
    found: list[tuple[str, Mapping[str, object]]] = []
    for table in OF_PERSON:
        own = select(table).where(table.c.tenant == tenant, table.c.subject == user)
        name = table.name.removeprefix("intervention_")
        for row in connection.execute(own).mappings():
            found.append((name, {key: row[key] for key in row if key != "tenant"}))
    return tuple(found)


def erase(connection: Connection, tenant: str, user: str) -> int:
    """The keys of what was sent go with it: they are hashes of the person's reference."""
    ids = select(delivery.c.id).where(delivery.c.tenant == tenant, delivery.c.subject == user)
    connection.execute(delete(outbox).where(outbox.c.tenant == tenant, outbox.c.delivery.in_(ids)))
    gone = 0
    for table in OF_PERSON:
        own = delete(table).where(table.c.tenant == tenant, table.c.subject == user)
        gone += connection.execute(own).rowcount
    return gone


def age(
    connection: Connection, tenant: str, before: datetime, keep: frozenset[str], limit: int
) -> int:
    wanted = _old(tenant, before, keep).order_by(delivery.c.changed_at).limit(limit)
    ids = list(connection.scalars(wanted))
    for table, column in ((outbox, outbox.c.delivery), (token, token.c.delivery)):
        connection.execute(delete(table).where(table.c.tenant == tenant, column.in_(ids)))
    own = delete(delivery).where(delivery.c.tenant == tenant, delivery.c.id.in_(ids))
    return connection.execute(own).rowcount


def aged(connection: Connection, tenant: str, before: datetime, keep: frozenset[str]) -> int:
    found = _old(tenant, before, keep).subquery()
    return int(connection.scalar(select(func.count()).select_from(found)) or 0)


def _old(tenant: str, before: datetime, keep: frozenset[str]) -> Select[tuple[str]]:
    return select(delivery.c.id).where(
        delivery.c.tenant == tenant,
        delivery.c.state.not_in([state.value for state in sorted(LIVE)]),
        delivery.c.changed_at < stamp(before),
        delivery.c.subject.not_in(sorted(keep)),
    )
