"""The log in memory: the twin. Keeps nothing beyond the process."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from onboarding.events.histories import history_of
from onboarding.events.keeping import Due, Mac
from onboarding.events.log import READ, RECENT, Addition, Appended, Link, Membership, Numbered
from onboarding.events.quarantine import Held
from onboarding.events.verdicts import Quarantined
from onboarding.types import Event, History, Person


@dataclass(slots=True)
class _Tenant:
    events: dict[int, Event] = field(default_factory=dict)
    last: int = 0
    messages: set[str] = field(default_factory=set)
    links: dict[str, Link] = field(default_factory=dict)
    members: dict[tuple[str, str], Membership] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    held: dict[str, Quarantined] = field(default_factory=dict)
    tombstones: dict[str, datetime] = field(default_factory=dict)


class MemoryEventLog:
    """An EventLog, its Quarantine and its EventKeeping."""

    def __init__(self, mac: Mac) -> None:
        self._mac = mac
        self._tenants: dict[str, _Tenant] = defaultdict(_Tenant)
        self._grown = asyncio.Condition()

    async def append(self, tenant: str, additions: Sequence[Addition]) -> tuple[Appended, ...]:
        here = self._tenants[tenant]
        done = tuple(self._one(here, tenant, each) for each in additions)
        async with self._grown:
            self._grown.notify_all()
        return done

    async def read(
        self,
        tenant: str,
        group: str,
        after: int | None = None,
        limit: int = READ,
        *,
        as_sent: bool = False,
    ) -> tuple[Numbered, ...]:
        here = self._tenants[tenant]
        start = here.positions.get(group, 0) if after is None else after
        found = [Numbered(n, e) for n, e in here.events.items() if n > start][:limit]
        return tuple(n if as_sent else Numbered(n.number, _known(here, n.event)) for n in found)

    async def ack(self, tenant: str, group: str, number: int) -> None:
        positions = self._tenants[tenant].positions
        positions[group] = max(positions.get(group, 0), number)

    async def position(self, tenant: str, group: str) -> int:
        return self._tenants[tenant].positions.get(group, 0)

    async def changed(self, tenant: str, after: int, within_s: float) -> bool:
        here = self._tenants[tenant]
        try:
            async with asyncio.timeout(within_s), self._grown:
                await self._grown.wait_for(lambda: here.last > after)
        except TimeoutError:
            return False
        return True

    async def history(self, person: Person, now: datetime, recent: int = RECENT) -> History:
        here = self._tenants[person.tenant]
        known = (_known(here, event) for event in here.events.values())
        theirs = [
            event
            for event in known
            if event.received_at <= now
            and (event.user == person.user or (person.account and event.account == person.account))
        ]
        return history_of(theirs, recent)

    async def aliases(self, tenant: str, user: str) -> tuple[str, ...]:
        links = self._tenants[tenant].links.values()
        return tuple(sorted(link.anonymous for link in links if link.user == user))

    async def accounts(self, tenant: str, user: str) -> tuple[Membership, ...]:
        members = self._tenants[tenant].members.values()
        own = [each for each in members if each.user == user]
        return tuple(sorted(own, key=lambda each: (not each.primary, each.account)))

    async def unmerge(self, tenant: str, anonymous: str) -> bool:
        return self._tenants[tenant].links.pop(anonymous, None) is not None

    async def hold(self, tenant: str, rows: Sequence[Quarantined]) -> None:
        here = self._tenants[tenant]
        for row in rows:
            if row.message_id not in here.messages:
                here.held.setdefault(row.message_id, row)

    async def held(
        self, tenant: str, since: datetime | None = None, after: str = "", limit: int = 500
    ) -> tuple[Quarantined, ...]:
        rows = sorted(self._tenants[tenant].held.items())
        wanted = [
            row for id, row in rows if id > after and (since is None or row.received_at >= since)
        ]
        return tuple(wanted[:limit])

    async def reasons(self, tenant: str) -> tuple[Held, ...]:
        counts: Counter[tuple[str, str]] = Counter()
        newest: dict[tuple[str, str], datetime] = {}
        for row in self._tenants[tenant].held.values():
            key = (row.name, str(row.reasons[0]))
            counts[key] += 1
            newest[key] = max(newest.get(key, row.received_at), row.received_at)
        rows = [Held(*key, count, newest[key]) for key, count in counts.items()]
        return tuple(sorted(rows, key=lambda each: (-each.count, each.name, each.reason)))

    async def release(self, tenant: str, message_ids: Sequence[str]) -> int:
        held = self._tenants[tenant].held
        return sum(held.pop(each, None) is not None for each in message_ids)

    async def kept(
        self, tenant: str, user: str, after: int = 0, limit: int = 500
    ) -> tuple[Numbered, ...]:
        here = self._tenants[tenant]
        theirs = [
            Numbered(n, known)
            for n, event in here.events.items()
            if n > after and (known := _known(here, event)).user == user
        ]
        return tuple(theirs[:limit])

    async def forget(self, tenant: str, user: str, now: datetime) -> int:
        here = self._tenants[tenant]
        before = await self.residue(tenant, user)
        names = [user, *(f"~{each}" for each in await self.aliases(tenant, user))]
        gone = [n for n, event in here.events.items() if _known(here, event).user == user]
        for number in gone:
            del here.events[number]
        for id in [id for id, row in here.held.items() if row.subject in names]:
            del here.held[id]
        here.links = {a: link for a, link in here.links.items() if link.user != user}
        here.members = {key: each for key, each in here.members.items() if each.user != user}
        here.tombstones.update({self._mac(tenant, name): now for name in names})
        return before

    async def residue(self, tenant: str, user: str) -> int:
        here = self._tenants[tenant]
        names = {user, *(f"~{each}" for each in await self.aliases(tenant, user))}
        return (
            sum(_known(here, event).user == user for event in here.events.values())
            + sum(row.subject in names for row in here.held.values())
            + sum(link.user == user for link in here.links.values())
            + sum(each.user == user for each in here.members.values())
        )

    async def sweep(self, tenant: str, due: Due, limit: int) -> int:
        here = self._tenants[tenant]
        gone = list(_due(here, due))[:limit]
        for number in gone:
            del here.events[number]
        return len(gone)

    async def due(self, tenant: str, due: Due) -> int:
        return len(list(_due(self._tenants[tenant], due)))

    async def sweep_quarantine(
        self, tenant: str, before: datetime, keep: Sequence[str], limit: int
    ) -> int:
        held = self._tenants[tenant].held
        old = [id for id, row in held.items() if row.received_at < before]
        return await self.release(
            tenant, [id for id in old if held[id].subject not in keep][:limit]
        )

    async def due_quarantine(self, tenant: str, before: datetime, keep: Sequence[str]) -> int:
        rows = self._tenants[tenant].held.values()
        return sum(row.received_at < before and row.subject not in keep for row in rows)

    def _one(self, here: _Tenant, tenant: str, addition: Addition) -> Appended:
        event = addition.event
        if addition.heals:
            here.held.pop(event.message_id, None)
        if event.message_id in here.messages:
            return Appended(None, duplicate=True)
        if self._is_erased(here, tenant, event):
            return Appended(None, erased=True)
        here.messages.add(event.message_id)
        switched = _join(here, addition.membership)
        refused = _link(here, addition.link)
        if event.account is None and event.user is not None:
            event = replace(event, account=_primary(here, event.user))
        here.last += 1
        here.events[here.last] = event
        return Appended(here.last, merge_refused=refused, switched=switched)

    def _is_erased(self, here: _Tenant, tenant: str, event: Event) -> bool:
        at = here.tombstones.get(self._mac(tenant, event.user or f"~{event.anonymous}"))
        return at is not None and event.occurred_at <= at


def _known(here: _Tenant, event: Event) -> Event:
    """With the user that an anonymous visitor is known as by now."""
    if event.user is not None or event.anonymous not in here.links:
        return event
    return replace(event, user=here.links[event.anonymous].user)


def _primary(here: _Tenant, user: str) -> str | None:
    own = (each.account for each in here.members.values() if each.user == user and each.primary)
    return next(own, None)


def _join(here: _Tenant, membership: Membership | None) -> bool:
    """Whether the primary account is another one than before."""
    if membership is None:
        return False
    key = (membership.user, membership.account)
    before = _primary(here, membership.user)
    primary = before is None or before == membership.account or membership.primary
    if primary and before is not None and before != membership.account:
        was = here.members[membership.user, before]
        here.members[membership.user, before] = replace(was, primary=False)
    first = here.members.get(key, membership).at
    here.members[key] = replace(membership, at=first, primary=primary)
    return primary and before not in {None, membership.account}


def _link(here: _Tenant, link: Link | None) -> bool:
    """Whether it was refused: a visitor is one user, and a user is no visitor."""
    if link is None:
        return False
    there = here.links.get(link.anonymous)
    if there is not None:
        return there.user != link.user
    if any(event.user == link.anonymous for event in here.events.values()):
        return True
    here.links[link.anonymous] = link
    return False


def _due(here: _Tenant, due: Due) -> Iterable[int]:
    for number, event in here.events.items():
        before = max(due.before, due.sooner.get(event.name, due.before))
        if event.received_at < before and _known(here, event).user not in due.keep:
            yield number
