"""Deliveries in SQL: SQLite by default, PostgreSQL by URL.

On PostgreSQL workers pass over rows that others hold, and one person's messages are decided on one
after the other; on SQLite there is one writer anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Connection, Engine, Select, bindparam, or_, select, update

from guardrails.refs import stamp
from guardrails.revisions import migrate
from onboarding.interventions.channel import Result
from onboarding.interventions.effectiveness import Effect as Measured
from onboarding.interventions.governor import Drop, Send, decide, may_join
from onboarding.interventions.settling import (
    Settled,
    governed,
    lapsed,
    may_go_out,
    planned,
    resolved,
    settled,
    stopped,
    told,
    waits_with,
)
from onboarding.interventions.types import (
    Channel,
    Delivery,
    Message,
    OnCap,
    Reason,
    Standing,
    State,
)
from onboarding.store.interventions import keeping
from onboarding.store.interventions.asking import (
    WAITS,
    case_of,
    every,
    lock,
    one,
    own,
    waiting,
)
from onboarding.store.interventions.blocks import hand_over
from onboarding.store.interventions.people_sql import SqlPeople
from onboarding.store.interventions.rows import delivery_of, whole_row
from onboarding.store.interventions.store import Claim, Given, Rules, Wanted
from onboarding.store.interventions.tables import delivery
from onboarding.store.interventions.writing import (
    give_back,
    insert_new,
    keep,
    take,
    take_key,
    wake,
)
from onboarding.types import Person

_UPGRADE_LOCK = 0x696E7465  # one process at a time makes the tables; any number serves


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "onboarding.store.interventions:migrations", _UPGRADE_LOCK)


class SqlDeliveries(SqlPeople):
    """Over an engine whose tables `upgrade` has made."""

    def __init__(self, engine: Engine, rules: Rules | None = None) -> None:
        super().__init__(engine)
        self._rules = rules or Rules()

    async def plan(self, messages: Sequence[Message], now: datetime) -> tuple[Delivery, ...]:
        if not messages:
            return ()
        tenants = {message.person.tenant for message in messages}
        if len(tenants) > 1:
            raise ValueError("messages of one tenant are planned at a time")
        tenant = tenants.pop()
        names = [message.id for message in messages]

        def work(connection: Connection) -> dict[str, Delivery]:
            insert_new(connection, [whole_row(planned(message, now)) for message in messages])
            wanted = select(delivery).where(delivery.c.tenant == tenant, delivery.c.id.in_(names))
            found = [delivery_of(row) for row in connection.execute(wanted).mappings()]
            return {each.id: each for each in found}

        found = await self._transactions.write(tenant, work)
        return tuple(found[name] for name in names)

    async def due(
        self, tenant: str, now: datetime, limit: int, channel: Channel | None = None
    ) -> tuple[Delivery, ...]:
        wanted = keeping.due(tenant, now, limit, channel)
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(delivery_of(row) for row in rows)

    async def claim(
        self,
        delivery: Delivery,
        standing: Standing,
        now: datetime,
        joining: Mapping[str, Standing] | None = None,
    ) -> Claim | Delivery | None:
        person = delivery.message.person
        by_mail = delivery.message.channel is Channel.EMAIL

        def work(connection: Connection) -> Claim | Delivery | None:
            lock(connection, person, account=by_mail)
            found = waiting(connection, person.tenant, delivery.id, now)
            if found is None:
                return None
            return self._governed(connection, found, standing, joining or {}, now)

        return await self._transactions.write(person.tenant, work)

    async def hand_over(
        self, tenant: str, given: Sequence[Given], now: datetime, rng: Random
    ) -> tuple[Delivery | None, ...]:
        if not given:
            return ()
        ruling = (self._rules, rng)
        after = await self._transactions.write(
            tenant, lambda c: hand_over(c, tenant, given, ruling, now)
        )
        return tuple(after.get(each.delivery.id) for each in given)

    async def postpone(
        self, tenant: str, deliveries: Sequence[str], until: datetime, now: datetime
    ) -> int:
        return await self._transactions.write(
            tenant, lambda c: keeping.postpone(c, tenant, deliveries, until, now)
        )

    def _governed(
        self,
        connection: Connection,
        found: Delivery,
        standing: Standing,
        joining: Mapping[str, Standing],
        now: datetime,
    ) -> Claim | Delivery:
        verdict = decide(case_of(connection, found, standing, now), self._rules.house, now)
        after = keep(connection, governed(found, verdict, now, self._rules.lease))
        if verdict == Drop(Reason.NULL, withheld=True):
            take_key(connection, after, now)
        if not isinstance(verdict, Send):
            wake(connection, after, now)
            return after
        take(connection, after, now)
        for name, how in joining.items():
            self._join(connection, after, name, how, now)
        return Claim(after, _parts(connection, after))

    def _join(
        self, connection: Connection, head: Delivery, name: str, how: Standing, now: datetime
    ) -> None:
        found = waiting(connection, head.message.person.tenant, name)
        if found is None or not waits_with(head, found):
            return
        if may_join(case_of(connection, found, how, now), self._rules.house, now):
            take_key(connection, found, now)
            joined = stopped(found, Reason.IN_DIGEST, now)
            keep(connection, joined, part_of=head.id, message=whole_row(found)["message"])

    async def begin(self, claim: Delivery, now: datetime) -> bool:
        tenant = claim.message.person.tenant
        begun = (
            update(delivery)
            .where(
                own(tenant, claim.id),
                delivery.c.state == State.CLAIMED.value,
                delivery.c.fence == claim.fence,
                delivery.c.lease_until > stamp(now),
            )
            .values(begun=True)
        )
        return await self._transactions.write(tenant, lambda c: c.execute(begun).rowcount == 1)

    async def settle(
        self, claim: Delivery, result: Result, now: datetime, rng: Random
    ) -> Delivery | None:
        def work(connection: Connection) -> Delivery | None:
            values = {"tenant": tenant, "id": claim.id, "fence": claim.fence}
            found = one(connection, _CLAIMED, values)
            if found is None:
                return None
            effect = self._rules.effect(claim.message.channel)
            after = settled(found, result, now, effect, (self._rules.retrying, rng))
            return _ended(connection, after, now)

        tenant = claim.message.person.tenant
        return await self._transactions.write(tenant, work)

    async def lapse(self, tenant: str, now: datetime) -> tuple[Delivery, ...]:
        over = keeping.over(tenant, now)

        def work(connection: Connection) -> tuple[Delivery, ...]:
            rules = self._rules
            return tuple(
                keep(
                    connection,
                    lapsed(each, now, rules.effect(each.message.channel), rules.retrying),
                )
                for each in every(connection, over)
            )

        return await self._if_any(tenant, over, work)

    async def doubtful(self, tenant: str, now: datetime, limit: int) -> tuple[Delivery, ...]:
        wanted, until = keeping.doubtful(tenant, now, limit), now + self._rules.lease

        def work(connection: Connection) -> tuple[Delivery, ...]:
            return tuple(
                keep(connection, replace(each, due=until)) for each in every(connection, wanted)
            )

        return await self._if_any(tenant, wanted, work)

    async def _if_any(
        self,
        tenant: str,
        wanted: Select[tuple[object, ...]],
        work: Callable[[Connection], tuple[Delivery, ...]],
    ) -> tuple[Delivery, ...]:
        """Looked for often and seldom there: who only looks takes no lock."""
        first = wanted.with_only_columns(delivery.c.id).limit(1)
        found = await self._transactions.read(tenant, lambda c: c.execute(first).first())
        return () if found is None else await self._transactions.write(tenant, work)

    async def resolve(
        self, delivery: Delivery, answer: Result | None, now: datetime, rng: Random
    ) -> Delivery | None:
        tenant = delivery.message.person.tenant

        def work(connection: Connection) -> Delivery | None:
            found = one(connection, _UNKNOWN, {"tenant": tenant, "id": delivery.id})
            if found is None:
                return None
            effect = self._rules.effect(found.message.channel)
            after = resolved(found, answer, now, effect, (self._rules.retrying, rng))
            return _ended(connection, after, now)

        return await self._transactions.write(tenant, work)

    async def tell(
        self, tenant: str, delivery_id: str, state: State, reason: Reason | None, now: datetime
    ) -> Delivery | None:
        named = or_(delivery.c.id == delivery_id, delivery.c.provider_id == delivery_id)
        wanted = select(delivery).where(delivery.c.tenant == tenant, named).limit(1)

        def work(connection: Connection) -> Delivery | None:
            found = one(connection, wanted.with_for_update())
            return None if found is None else keep(connection, told(found, state, reason, now))

        return await self._transactions.write(tenant, work)

    async def leave(
        self, person: Person, journey: str | None, reason: Reason, now: datetime
    ) -> int:
        wanted = select(delivery).where(
            delivery.c.tenant == person.tenant,
            delivery.c.subject == person.user,
            delivery.c.state.in_(WAITS),
        )
        if journey is not None:
            wanted = wanted.where(delivery.c.name == journey)

        def work(connection: Connection) -> int:
            lock(connection, person)
            rows = connection.execute(wanted.with_for_update()).mappings().all()
            for found in map(delivery_of, rows):
                wake(connection, keep(connection, stopped(found, reason, now)), now)
            return len(rows)

        return await self._transactions.write(person.tenant, work)

    async def delivery(self, tenant: str, delivery_id: str) -> Delivery | None:
        wanted = select(delivery).where(own(tenant, delivery_id))
        return await self._transactions.read(tenant, lambda c: one(c, wanted))

    async def deliveries(self, tenant: str, wanted: Wanted) -> tuple[Delivery, ...]:
        rows = await self._transactions.read(
            tenant, lambda c: c.execute(keeping.listed(tenant, wanted)).mappings().all()
        )
        return tuple(delivery_of(row) for row in rows)

    async def achieve(
        self, person: Person, journey: str | None, now: datetime, within: timedelta
    ) -> int:
        done = keeping.achieved(person, journey, now, within)
        return await self._transactions.write(
            person.tenant, lambda c: int(c.execute(done).rowcount)
        )

    async def effects(self, tenant: str, since: datetime) -> tuple[Measured, ...]:
        return await self._transactions.read(tenant, lambda c: keeping.effects(c, tenant, since))

    async def age(self, tenant: str, before: datetime, keep_of: frozenset[str], limit: int) -> int:
        return await self._transactions.write(
            tenant, lambda c: keeping.age(c, tenant, before, keep_of, limit)
        )

    async def aged(self, tenant: str, before: datetime, keep_of: frozenset[str]) -> int:
        return await self._transactions.read(
            tenant, lambda c: keeping.aged(c, tenant, before, keep_of)
        )


def _ended(connection: Connection, ended: Settled, now: datetime) -> Delivery:
    after = ended.delivery
    if not ended.token:
        give_back(connection, after.message.person.tenant, after.id)
    wake(connection, after, now)
    for part in _parts(connection, after) if not may_go_out(after) else ():
        keep(connection, part)  # without its values: the digest is out
    return keep(connection, after)


def _parts(connection: Connection, head: Delivery) -> tuple[Delivery, ...]:
    """Those that joined at this claim or at an earlier one."""
    if head.message.on_cap is not OnCap.DIGEST:
        return ()
    tenant = head.message.person.tenant
    wanted = select(delivery).where(delivery.c.tenant == tenant, delivery.c.part_of == head.id)
    found = connection.execute(wanted.order_by(delivery.c.id)).mappings().all()
    return tuple(delivery_of(row) for row in found)


_CLAIMED = (
    select(delivery)
    .where(
        delivery.c.tenant == bindparam("tenant"),
        delivery.c.id == bindparam("id"),
        delivery.c.fence == bindparam("fence"),
        delivery.c.state.in_([State.CLAIMED.value, State.UNKNOWN.value]),
    )
    .with_for_update()
)
_UNKNOWN = (
    select(delivery)
    .where(
        delivery.c.tenant == bindparam("tenant"),
        delivery.c.id == bindparam("id"),
        delivery.c.state == State.UNKNOWN.value,
    )
    .with_for_update()
)
