"""One append in its transaction: what is new, who is who, rows, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from onboarding.events import Addition, Appended, Link
from onboarding.events.keeping import Mac
from onboarding.store.events.dialects import Statements
from onboarding.store.events.joining import join
from onboarding.store.events.rows import micros, row_of
from onboarding.store.events.tables import (
    event_alias,
    event_member,
    event_quarantine,
    event_tombstone,
    product_event,
)

MOST_KNOWN: Final = 100_000
_DUPLICATE: Final = Appended(None, duplicate=True)
_ERASED: Final = Appended(None, erased=True)


class Appending:
    """Of one log and process. Memberships that were written are remembered, so that most events
    write none; what another process changed is corrected by the next that differs."""

    def __init__(self, statements: Statements, mac: Mac) -> None:
        self._statements = statements
        self._mac = mac
        self._members: set[tuple[str, str, str]] = set()

    def __call__(
        self, connection: Connection, tenant: str, additions: Sequence[Addition]
    ) -> tuple[Appended, ...]:
        """In order. All of it is of one transaction."""
        self._statements.take(connection, tenant)
        alive = self._alive(connection, tenant, additions)
        first = _first(each for each in additions if each.event.message_id in alive)
        fresh = self._fresh(connection, tenant, first)
        new = [each for id, each in first.items() if id in fresh]
        refused = {
            each.event.message_id
            for each in new
            if each.link is not None and not _linked(connection, tenant, each.link)
        }
        switched = self._joined(connection, tenant, new)
        numbers = self._stored(connection, tenant, new)
        _heal(connection, tenant, [each for each in additions if each.heals])
        done: list[Appended] = []
        for each in additions:
            id = each.event.message_id
            if id not in alive:
                done.append(_ERASED)
            elif id not in numbers:
                done.append(_DUPLICATE)
            else:
                number = numbers.pop(id)  # a second copy in the same batch is a duplicate
                done.append(Appended(number, False, False, id in refused, id in switched))
        return tuple(done)

    def forget(self, tenant: str, user: str) -> None:
        """Of the memberships that are remembered."""
        self._members = {each for each in self._members if each[:2] != (tenant, user)}

    def _alive(
        self, connection: Connection, tenant: str, additions: Sequence[Addition]
    ) -> set[str]:
        """Message ids of events that no tombstone stands against."""
        ids = {each.event.message_id for each in additions}
        there = select(event_tombstone.c.at).where(event_tombstone.c.tenant == tenant).limit(1)
        if connection.execute(there).first() is None:
            return ids
        macs = {each.event.message_id: self._mac(tenant, _whose(each)) for each in additions}
        wanted = event_tombstone.c.subject_mac.in_(sorted(set(macs.values())))
        found = select(event_tombstone.c.subject_mac, event_tombstone.c.at).where(
            event_tombstone.c.tenant == tenant, wanted
        )
        at = {row.subject_mac: row.at for row in connection.execute(found)}
        return ids - {
            each.event.message_id
            for each in additions
            if micros(each.event.occurred_at) <= at.get(macs[each.event.message_id], -(2**63))
        }

    def _fresh(
        self, connection: Connection, tenant: str, first: Mapping[str, Addition]
    ) -> set[str]:
        if not first:
            return set()
        at = min(micros(each.event.received_at) for each in first.values())
        return self._statements.fresh(connection, tenant, list(first), at)

    def _joined(self, connection: Connection, tenant: str, new: Sequence[Addition]) -> set[str]:
        """Message ids by which somebody's primary account became another."""
        unknown = [
            each
            for each in new
            if (member := each.membership) is not None
            and (member.primary or (tenant, member.user, member.account) not in self._members)
        ]
        if not unknown:
            return set()
        switched = join(connection, tenant, unknown)
        if len(self._members) >= MOST_KNOWN:
            self._members.clear()
        self._members |= {
            (tenant, each.membership.user, each.membership.account)
            for each in unknown
            if each.membership is not None
        }
        return switched

    def _stored(
        self, connection: Connection, tenant: str, new: Sequence[Addition]
    ) -> dict[str, int]:
        if not new:
            return {}
        accounts = _accounts(connection, tenant, new)
        numbers = dict(
            zip(
                (each.event.message_id for each in new),
                self._statements.numbers(connection, len(new)),
                strict=True,
            )
        )
        rows = [
            row_of(
                each.event,
                numbers[each.event.message_id],
                each.event.account or accounts.get(each.event.user or ""),
            )
            for each in new
        ]
        self._statements.insert(connection, rows)
        return numbers


def _whose(addition: Addition) -> str:
    return addition.event.user or f"~{addition.event.anonymous}"


def _first(additions: Iterable[Addition]) -> dict[str, Addition]:
    found: dict[str, Addition] = {}
    for each in additions:
        found.setdefault(each.event.message_id, each)
    return found


def _accounts(connection: Connection, tenant: str, new: Sequence[Addition]) -> dict[str, str]:
    """Primary account by user, of events that name none."""
    users = {e.user for each in new if (e := each.event).account is None and e.user is not None}
    if not users:
        return {}
    c = event_member.c
    own = select(c.user, c.account).where(c.tenant == tenant, c.user.in_(sorted(users)), c.primary)
    return {row.user: row.account for row in connection.execute(own)}


def _linked(connection: Connection, tenant: str, link: Link) -> bool:
    """False where it is refused: a visitor is one user, and a user is no visitor."""
    c = event_alias.c
    mine = (c.tenant == tenant) & (c.anonymous == link.anonymous)
    known = connection.execute(select(c.user).where(mine)).scalar()
    if known is not None:
        return bool(known == link.user)
    e = product_event.c
    is_user = select(e.number).where(e.tenant == tenant, e.user == link.anonymous).limit(1)
    if connection.execute(is_user).first() is not None:
        return False
    row = {"anonymous": link.anonymous, "user": link.user, "message_id": link.message_id}
    connection.execute(insert(event_alias).values(tenant=tenant, at=micros(link.at), **row))
    return True


def _heal(connection: Connection, tenant: str, healed: Sequence[Addition]) -> None:
    ids = [each.event.message_id for each in healed]
    c = event_quarantine.c
    if ids:
        gone = delete(event_quarantine).where(c.tenant == tenant, c.message_id.in_(ids))
        connection.execute(gone)
