"""What people chose, whether they are busy, which addresses are refused; a person's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Engine, delete

from guardrails.refs import stamp
from onboarding.interventions.choices import Choice
from onboarding.interventions.types import Channel, Reason, Silence
from onboarding.store.interventions import keeping
from onboarding.store.interventions.asking import chosen, lock, silences_of
from onboarding.store.interventions.rows import choice_of, choice_row
from onboarding.store.interventions.tables import choice, refused, silence
from onboarding.store.interventions.transacting import OneWriter
from onboarding.store.interventions.writing import put
from onboarding.types import Person


class SqlPeople:
    """The part of `SqlDeliveries` that is about people, not about messages."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = OneWriter(engine)

    async def choose(self, person: Person, said: Choice) -> None:
        row = {"tenant": person.tenant, "subject": person.user, **choice_row(said)}
        await self._put_under_lock(person, lambda c: put(c, choice, row))

    async def unchoose(self, person: Person, said: Choice) -> bool:
        gone = delete(choice).where(
            choice.c.tenant == person.tenant,
            choice.c.subject == person.user,
            choice.c.topic == said.topic,
            choice.c.wish == said.wish.value,
            choice.c.channel == (said.channel.value if said.channel else ""),
        )
        return await self._transactions.write(person.tenant, lambda c: c.execute(gone).rowcount > 0)

    async def choices(self, person: Person) -> tuple[Choice, ...]:
        wanted = chosen(person.tenant, person.user)
        rows = await self._transactions.read(
            person.tenant, lambda c: c.execute(wanted).mappings().all()
        )
        return tuple(choice_of(row) for row in rows)

    async def hush(self, person: Person, kind: Silence, until: datetime) -> None:
        row = {
            "tenant": person.tenant,
            "subject": person.user,
            "silence": kind.value,
            "until": stamp(until),
        }
        await self._put_under_lock(person, lambda c: put(c, silence, row))

    async def silences(self, person: Person, now: datetime) -> Mapping[Silence, datetime]:
        return await self._transactions.read(person.tenant, lambda c: silences_of(c, person, now))

    async def _put_under_lock(self, person: Person, work: Callable[[Connection], None]) -> None:
        """Once it returns, no send that is decided later overlooks it."""

        def locked(connection: Connection) -> None:
            lock(connection, person)
            work(connection)

        await self._transactions.write(person.tenant, locked)

    async def refuse(
        self, tenant: str, channel: Channel, address: str, reason: Reason, now: datetime
    ) -> None:
        row = {
            "tenant": tenant,
            "channel": channel.value,
            "address": address,
            "reason": reason.value,
            "at": stamp(now),
        }
        await self._transactions.write(tenant, lambda c: put(c, refused, row))

    async def accept(self, tenant: str, channel: Channel, address: str) -> bool:
        gone = delete(refused).where(
            refused.c.tenant == tenant,
            refused.c.channel == channel.value,
            refused.c.address == address,
        )
        return await self._transactions.write(tenant, lambda c: c.execute(gone).rowcount > 0)

    async def rows(self, tenant: str, user: str) -> tuple[tuple[str, Mapping[str, object]], ...]:
        return await self._transactions.read(tenant, lambda c: keeping.rows(c, tenant, user))

    async def erase(self, tenant: str, user: str) -> int:
        def work(connection: Connection) -> int:
            lock(connection, Person(tenant, user))
            return keeping.erase(connection, tenant, user)

        return await self._transactions.write(tenant, work)
