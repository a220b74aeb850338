"""One append in its transaction: what is new, who is who, rows, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from onboarding.events import Addition, Appended, Link, Numbered
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
from onboarding.types import Event

MOST_KNOWN: Final = 100_000
_DUPLICATE: Final = Appended(None, duplicate=True)
_ERASED: Final = Appended(None, erased=True)


class Written(NamedTuple):
    """The answers, in the order of what was given, and the events as they are in the log now."""

    answers: tuple[Appended, ...]
    stored: tuple[Numbered, ...]


class Appending:
    """Of one log and process. Memberships that were written are remembered, so that most events
    write none; what another process changed is corrected by the next that differs."""

    def __init__(self, statements: Statements, mac: Mac) -> None:
        self._statements = statements
        self._mac = mac
        self._members: set[tuple[str, str, str]] = set()

    def __call__(
        self, connection: Connection, tenant: str, additions: Sequence[Addition]
    ) -> Written:
        """All of it is of one transaction."""
        self._statements.take(connection, tenant)
        alive = self._alive(connection, tenant, additions)
        first = _first(each for each in additions if each.event.message_id in alive)
        known = self._known(connection, tenant, first)
        new = [each for id, each in first.items() if id not in known]
        refused = {
            each.event.message_id
            for each in new
            if each.link is not None and not _linked(connection, tenant, each.link)
        }
        switched = self._joined(connection, tenant, new)
        stored = self._stored(connection, tenant, new)
        numbers = {event.message_id: number for number, event in stored}
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
        return Written(tuple(done), stored)

    def forget(self, tenant: str, user: str) -> None:
        """Of the memberships that are remembered."""
        self._members = {each for each in self._members if each[:2] != (tenant, user)}

    def _alive(
        self, connection: Connection, tenant: str, additions: Sequence[Addition]
    ) -> set[str]:
        """Message ids of events that no tombstone stands against."""
        ids = {each.event.message_id for each in additions}
        if not self._statements.forgot(connection, tenant):
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

    def _known(
        self, connection: Connection, tenant: str, first: Mapping[str, Addition]
    ) -> frozenset[str]:
        if not first:
            return frozenset()
        at = min(each.event.received_at for each in first.values())
        return self._statements.note(connection, tenant, list(first), micros(at))

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
    ) -> tuple[Numbered, ...]:
        if not new:
            return ()
        accounts = _accounts(connection, tenant, new)
        numbers = self._statements.numbers(connection, len(new))
        stored = tuple(
            Numbered(number, _placed(each.event, accounts))
            for number, each in zip(numbers, new, strict=True)
        )
        self._statements.insert(connection, [row_of(each.event, each.number) for each in stored])
        return stored


def _whose(addition: Addition) -> str:
    return addition.event.user or f"~{addition.event.anonymous}"


def _placed(event: Event, accounts: Mapping[str, str]) -> Event:
    """In the primary account of its user where it names none."""
    primary = accounts.get(event.user or "")
    return event if event.account or primary is None else replace(event, account=primary)


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
