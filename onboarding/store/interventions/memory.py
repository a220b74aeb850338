"""The delivery log in memory: the twin. One event loop's, so a call that awaits nothing is one
transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from onboarding.interventions.capping import Counted, token_of
from onboarding.interventions.channel import Result
from onboarding.interventions.choices import Choices
from onboarding.interventions.effectiveness import Effect as Measured
from onboarding.interventions.effectiveness import Group
from onboarding.interventions.fixes import Tried
from onboarding.interventions.governor import Case, Drop, Rival, Send, decide, may_join
from onboarding.interventions.moves import LIVE, WAITING
from onboarding.interventions.nulls import is_null
from onboarding.interventions.settling import (
    Settled,
    bared,
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
    Reason,
    Standing,
    State,
)
from onboarding.store.interventions.people_memory import Key, MemoryPeople
from onboarding.store.interventions.rows import choice_row, token_row, whole_row
from onboarding.store.interventions.store import BACK, Claim, Given, Rules, Wanted
from onboarding.types import Person


class MemoryDeliveries(MemoryPeople):
    """Keeps nothing beyond the process."""

    def __init__(self, rules: Rules | None = None) -> None:
        super().__init__()
        self._rules = rules or Rules()
        self._rows: dict[Key, Delivery] = {}
        self._own: dict[Key, dict[str, None]] = {}  # ids by person, in the order of planning
        self._live: dict[Key, None] = {}
        self._tokens: dict[Key, Counted] = {}
        self._spent: dict[Key, dict[str, None]] = {}  # ids of tokens by person, and by account
        self._outbox: dict[Key, str] = {}
        self._joined: dict[Key, str] = {}
        self._achieved: dict[Key, datetime] = {}
        self.watched: dict[Key, tuple[Person, str, datetime]] = {}  # written by MemoryWatches
        self.tried: dict[Key, dict[tuple[str, str], list[Tried]]] = {}

    async def plan(self, messages: Sequence[Message], now: datetime) -> tuple[Delivery, ...]:
        def of(message: Message) -> Delivery:
            key = (message.person.tenant, message.id)
            return self._rows[key] if key in self._rows else self._keep(planned(message, now))

        return tuple(of(message) for message in messages)

    async def due(
        self, tenant: str, now: datetime, limit: int, channel: Channel | None = None
    ) -> tuple[Delivery, ...]:
        waiting = [d for d in self._alive(tenant) if d.state in WAITING and d.due <= now]
        found = [d for d in waiting if channel in (None, d.message.channel)]
        return tuple(sorted(found, key=lambda d: (d.message.priority, d.due, d.id))[:limit])

    async def claim(
        self,
        delivery: Delivery,
        standing: Standing,
        now: datetime,
        joining: Mapping[str, Standing] | None = None,
    ) -> Claim | Delivery | None:
        found = self._rows.get((delivery.message.person.tenant, delivery.id))
        if found is None or found.state not in WAITING or found.due > now:
            return None
        case = self._case(found, standing, now)
        verdict = decide(case, self._rules.house, now)
        after = self._keep(governed(found, verdict, now, self._rules.lease))
        if verdict == Drop(Reason.NULL, withheld=True):
            self._take_key(after)
        if not isinstance(verdict, Send):
            self._wake(after, now)
            return after
        self._take(after, now)
        return Claim(after, self._joining(after, joining or {}, now))

    async def hand_over(
        self, _tenant: str, given: Sequence[Given], now: datetime, rng: Random
    ) -> tuple[Delivery | None, ...]:
        after: list[Delivery | None] = []
        for each in given:
            found = await self.claim(each.delivery, each.standing, now)
            if isinstance(found, Claim):
                found = await self.settle(found.delivery, each.result, now, rng)
            after.append(found)
        return tuple(after)

    async def postpone(
        self, tenant: str, deliveries: Sequence[str], until: datetime, now: datetime
    ) -> int:
        found = [self._rows[tenant, each] for each in deliveries if (tenant, each) in self._rows]
        waiting = [each for each in found if each.state in WAITING]
        for each in waiting:
            held = replace(each, state=State.HELD, reason=Reason.PROVIDER_AWAY, due=until)
            self._keep(replace(held, changed_at=now))
        return len(waiting)

    async def begin(self, claim: Delivery, now: datetime) -> bool:
        found = self._claimed(claim)
        if found is None or found.state is not State.CLAIMED or _over(found, now):
            return False
        self._keep(replace(found, begun=True))
        return True

    async def settle(
        self, claim: Delivery, result: Result, now: datetime, rng: Random
    ) -> Delivery | None:
        found = self._claimed(claim)
        if found is None or found.state not in (State.CLAIMED, State.UNKNOWN):
            return None
        effect = self._rules.effect(found.message.channel)
        return self._ended(settled(found, result, now, effect, (self._rules.retrying, rng)), now)

    async def doubtful(self, tenant: str, now: datetime, limit: int) -> tuple[Delivery, ...]:
        found = [
            d
            for d in self._of(tenant)
            if d.state is State.UNKNOWN and d.reason is not Reason.NEEDS_PERSON and d.due <= now
        ]
        found.sort(key=lambda d: (d.due, d.id))
        until = now + self._rules.lease
        return tuple(self._keep(replace(each, due=until)) for each in found[:limit])

    async def resolve(
        self, delivery: Delivery, answer: Result | None, now: datetime, rng: Random
    ) -> Delivery | None:
        found = self._rows.get((delivery.message.person.tenant, delivery.id))
        if found is None or found.state is not State.UNKNOWN:
            return None
        effect = self._rules.effect(found.message.channel)
        return self._ended(resolved(found, answer, now, effect, (self._rules.retrying, rng)), now)

    def _ended(self, ended: Settled, now: datetime) -> Delivery:
        after = ended.delivery
        if not ended.token:
            self._give_back(after)
        for name, head in self._joined.items() if not may_go_out(after) else ():
            if head == after.id and name[0] == after.message.person.tenant:
                self._rows[name] = bared(self._rows[name])
        self._wake(after, now)
        return self._keep(after)

    async def lapse(self, tenant: str, now: datetime) -> tuple[Delivery, ...]:
        found = [d for d in self._alive(tenant) if d.state is State.CLAIMED and _over(d, now)]
        rules = self._rules
        return tuple(
            self._keep(lapsed(d, now, rules.effect(d.message.channel), rules.retrying))
            for d in found
        )

    async def tell(
        self, tenant: str, delivery: str, state: State, reason: Reason | None, now: datetime
    ) -> Delivery | None:
        found = self._rows.get((tenant, delivery)) or next(
            (d for d in self._of(tenant) if d.provider_id == delivery), None
        )
        return None if found is None else self._keep(told(found, state, reason, now))

    async def leave(
        self, person: Person, journey: str | None, reason: Reason, now: datetime
    ) -> int:
        found = [
            d
            for d in self._of(person.tenant, person.user)
            if d.state in WAITING and journey in (None, _name(d.message.journey))
        ]
        for each in found:
            self._wake(self._keep(stopped(each, reason, now)), now)
        return len(found)

    async def delivery(self, tenant: str, delivery: str) -> Delivery | None:
        return self._rows.get((tenant, delivery))

    async def deliveries(self, tenant: str, wanted: Wanted) -> tuple[Delivery, ...]:
        found = [
            d
            for d in self._of(tenant, wanted.user)
            if wanted.channel in (None, d.message.channel)
            and (not wanted.states or d.state in wanted.states)
        ]
        found.sort(key=lambda d: d.id)
        found.sort(key=lambda d: d.changed_at or d.planned_at, reverse=True)
        return tuple(found[: wanted.limit])

    async def achieve(
        self, person: Person, journey: str | None, now: datetime, within: timedelta
    ) -> int:
        found = [
            (person.tenant, d.id)
            for d in self._of(person.tenant, person.user)
            if d.sent_at is not None
            and now - within < d.sent_at <= now
            and journey in (None, _name(d.message.journey))
            and (person.tenant, d.id) not in self._achieved
        ]
        self._achieved.update((key, now) for key in found)
        return len(found)

    async def effects(self, tenant: str, since: datetime) -> tuple[Measured, ...]:
        groups: dict[str, dict[bool, list[int]]] = {}
        for each in self._of(tenant):
            withheld = each.reason is Reason.NULL
            if each.sent_at is None or each.sent_at < since:
                continue
            name = f"{_name(each.message.journey)}/{each.message.step}"
            group = groups.setdefault(name, {False: [0, 0], True: [0, 0]})[withheld]
            group[0] += 1
            group[1] += (tenant, each.id) in self._achieved
        return tuple(
            Measured(name, Group(*groups[name][False]), Group(*groups[name][True]))
            for name in sorted(groups)
        )

    async def rows(self, tenant: str, user: str) -> tuple[tuple[str, Mapping[str, object]], ...]:
        own = (tenant, user)
        found: list[tuple[str, Mapping[str, object]]] = [
            ("delivery", whole_row(d)) for d in self._of(tenant, user)
        ]
        found += [
            ("token", token_row(tenant, self._tokens[tenant, n])) for n in self._spent.get(own, {})
        ]
        found += [("choice", choice_row(c)) for c in self._choices.get(own, {}).values()]
        found += [("watch", {"state": self.watched[own][1]})] if own in self.watched else []
        fixes = (tried for each in self.tried.get(own, {}).values() for tried in each)
        found += [("fix", {"fix": each.fix, "at": each.at}) for each in fixes]
        silences = self._silences.get(own, {})
        return (*found, *(("silence", {"silence": s, "until": u}) for s, u in silences.items()))

    async def erase(self, tenant: str, user: str) -> int:
        gone = len(await self.rows(tenant, user))
        self._drop([(tenant, d.id) for d in self._of(tenant, user)])
        self._choices.pop((tenant, user), None)
        self._silences.pop((tenant, user), None)
        self.watched.pop((tenant, user), None)
        self.tried.pop((tenant, user), None)
        return gone

    async def age(self, tenant: str, before: datetime, keep: frozenset[str], limit: int) -> int:
        old = sorted(self._old(tenant, before, keep), key=lambda d: d.changed_at or d.planned_at)
        self._drop([(tenant, d.id) for d in old[:limit]])
        return min(limit, len(old))

    async def aged(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return len(self._old(tenant, before, keep))

    def _old(self, tenant: str, before: datetime, keep: frozenset[str]) -> list[Delivery]:
        return [
            d
            for d in self._of(tenant)
            if d.state not in LIVE
            and (d.changed_at or d.planned_at) < before
            and d.message.person.user not in keep
        ]

    def _of(self, tenant: str, user: str | None = None) -> list[Delivery]:
        if user is None:
            return [d for (owner, _), d in self._rows.items() if owner == tenant]
        return [self._rows[tenant, name] for name in self._own.get((tenant, user), ())]

    def _alive(self, tenant: str) -> list[Delivery]:
        return [self._rows[key] for key in self._live if key[0] == tenant]

    def _claimed(self, claim: Delivery) -> Delivery | None:
        found = self._rows.get((claim.message.person.tenant, claim.id))
        return found if found is not None and found.fence == claim.fence else None

    def _keep(self, delivery: Delivery) -> Delivery:
        person = delivery.message.person
        key = (person.tenant, delivery.id)
        self._rows[key] = bared(delivery)
        self._own.setdefault((person.tenant, person.user), {})[delivery.id] = None
        if delivery.state in LIVE:
            self._live[key] = None
        else:
            self._live.pop(key, None)
        return delivery

    def _case(self, delivery: Delivery, standing: Standing, now: datetime) -> Case:
        message, person = delivery.message, delivery.message.person
        own = (person.tenant, person.user)
        address = standing.address
        return Case(
            delivery,
            standing,
            Choices(tuple(self._choices.get(own, {}).values())),
            tuple(self._counted(delivery, now)),
            tuple(self._rivals(delivery, now)),
            self._silences.get(own, {}),
            address is not None and (person.tenant, message.channel, address) in self._refused,
            self._outbox.get((person.tenant, message.key), delivery.id) != delivery.id,
            is_null(message),
        )

    def _counted(self, delivery: Delivery, now: datetime) -> Iterable[Counted]:
        person = delivery.message.person
        ids = dict(self._spent.get((person.tenant, person.user), {}))
        if person.account is not None:
            ids |= self._spent.get((person.tenant, _account(person.account)), {})
        for name in ids:
            token = self._tokens[person.tenant, name]
            if name != delivery.id and token.at > now - BACK:
                yield token

    def _rivals(self, delivery: Delivery, now: datetime) -> Iterable[Rival]:
        message = delivery.message
        if message.exclusive is None:
            return
        for each in self._of(message.person.tenant, message.person.user):
            other = each.message
            begun = other.not_before is None or other.not_before <= now
            if each.state in LIVE and other.exclusive == message.exclusive and begun:
                yield Rival(each.id, other.journey, other.priority, each.planned_at)

    def _take(self, delivery: Delivery, now: datetime) -> None:
        message, person = delivery.message, delivery.message.person
        self._take_key(delivery)
        if message.exempt:
            return
        self._tokens[person.tenant, delivery.id] = token_of(delivery, now)
        for whose in _spenders(message):
            self._spent.setdefault((person.tenant, whose), {})[delivery.id] = None

    def _take_key(self, delivery: Delivery) -> None:
        message = delivery.message
        self._outbox[message.person.tenant, message.key] = delivery.id

    def _give_back(self, delivery: Delivery) -> None:
        message, tenant = delivery.message, delivery.message.person.tenant
        self._untake(delivery)
        if self._outbox.get((tenant, message.key)) == delivery.id:
            del self._outbox[tenant, message.key]

    def _joining(
        self, head: Delivery, joining: Mapping[str, Standing], now: datetime
    ) -> tuple[Delivery, ...]:
        """Those that joined at an earlier claim, and those that may now."""
        tenant = head.message.person.tenant
        for name, standing in joining.items():
            found = self._rows.get((tenant, name))
            if found is None or not waits_with(head, found):
                continue
            if may_join(self._case(found, standing, now), self._rules.house, now):
                self._joined[tenant, name] = head.id
                self._take_key(found)
                self._live.pop((tenant, name))
                self._rows[tenant, name] = stopped(found, Reason.IN_DIGEST, now)
        parts = [n for (t, n), of in self._joined.items() if t == tenant and of == head.id]
        return tuple(self._rows[tenant, name] for name in sorted(parts))

    def _wake(self, delivery: Delivery, now: datetime) -> None:
        """Others of the exclusive group need not wait until they would look again."""
        message = delivery.message
        if message.exclusive is None or delivery.state in LIVE:
            return
        for each in self._of(message.person.tenant, message.person.user):
            waits = each.state is State.HELD and each.reason is Reason.EXCLUSIVE
            if waits and each.message.exclusive == message.exclusive and each.due > now:
                self._keep(replace(each, due=now))

    def _untake(self, delivery: Delivery) -> None:
        tenant = delivery.message.person.tenant
        if self._tokens.pop((tenant, delivery.id), None) is not None:
            for whose in _spenders(delivery.message):
                self._spent[tenant, whose].pop(delivery.id, None)

    def _drop(self, keys: Iterable[Key]) -> None:
        for key in keys:
            gone = self._rows.pop(key)
            self._give_back(gone)
            del self._own[key[0], gone.message.person.user][key[1]]
            for left in (self._live, self._joined, self._achieved):
                left.pop(key, None)


def _over(delivery: Delivery, now: datetime) -> bool:
    return delivery.lease_until is not None and delivery.lease_until <= now


def _name(journey: str) -> str:
    return journey.partition("@")[0]


def _account(account: str) -> str:
    """No reference of a person has a blank."""
    return f"account {account}"


def _spenders(message: Message) -> tuple[str, ...]:
    """By whom a token is looked up: the account's caps are of e-mail alone."""
    person = message.person
    if person.account is None or message.channel is not Channel.EMAIL:
        return (person.user,)
    return (person.user, _account(person.account))
