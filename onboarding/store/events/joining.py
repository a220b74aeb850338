"""Who is in which account, for a batch at a time: one reading, one writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from onboarding.events import Addition, Membership
from onboarding.store.events.rows import micros
from onboarding.store.events.tables import event_member

Own = dict[str, bool]
"""Accounts of one user, and whether each is primary."""


def join(connection: Connection, tenant: str, new: Sequence[Addition]) -> set[str]:
    """Of additions with a membership: message ids by which a primary account became another."""
    members = [each.membership for each in new if each.membership is not None]
    before = _members(connection, tenant, sorted({each.user for each in members}))
    after = {user: dict(own) for user, own in before.items()}
    switched = {
        each.event.message_id
        for each in new
        if each.membership is not None and _join(after.setdefault(each.membership.user, {}), each)
    }
    _write(connection, tenant, members, before, after)
    return switched


def _join(own: Own, addition: Addition) -> bool:
    member = addition.membership
    assert member is not None
    primary = next((account for account, is_primary in own.items() if is_primary), None)
    if primary is None or primary == member.account:
        own[member.account] = True
        return False
    own[member.account] = member.primary
    if member.primary:
        own[primary] = False
    return member.primary


def _members(connection: Connection, tenant: str, users: Sequence[str]) -> dict[str, Own]:
    c = event_member.c
    wanted = select(c.user, c.account, c.primary).where(c.tenant == tenant, c.user.in_(users))
    found: dict[str, Own] = {}
    for row in connection.execute(wanted):
        found.setdefault(row.user, {})[row.account] = row.primary
    return found


def _write(
    connection: Connection,
    tenant: str,
    members: Sequence[Membership],
    before: Mapping[str, Own],
    after: Mapping[str, Own],
) -> None:
    """What differs; when somebody was first seen in an account stays."""
    at = {(each.user, each.account): micros(each.at) for each in reversed(members)}
    rows = [
        {
            "tenant": tenant,
            "user": user,
            "account": account,
            "primary": is_primary,
            "at": at.get((user, account), 0),
        }
        for user, own in after.items()
        for account, is_primary in own.items()
        if before.get(user, {}).get(account) is not is_primary
    ]
    if not rows:
        return
    on_postgres = connection.dialect.name == "postgresql"
    new: Any = (postgresql if on_postgres else sqlite).insert(event_member)
    merged = new.on_conflict_do_update(
        index_elements=["tenant", "user", "account"], set_={"primary": new.excluded.primary}
    )
    connection.execute(merged, rows)
