"""A year of messages to people in forty zones, with both changes of the clock, judged by a clock on
the wall and by counting: nothing that was promised is ever broken, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import heapq
import os
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboarding.interventions import (
    Cap,
    Channel,
    Klass,
    Message,
    OnCap,
    Quiet,
    Reason,
    Scope,
    Silence,
    Standing,
    State,
    Window,
)
from onboarding.interventions.channel import Again, Result, Sent
from onboarding.interventions.choices import Choice, Wish, topics_of
from onboarding.interventions.governor import House
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.store import Claim, Rules, Wanted
from onboarding.types import Person
from tests.onboarding.interventions.making import DAY, HOUR, MINUTE
from tests.onboarding.interventions.test_zones import ZONES

DAYS = int(os.environ.get("EMBARK_TEST_INTERVENTION_DAYS", "365"))
A_DAY = float(os.environ.get("EMBARK_TEST_INTERVENTIONS_A_DAY", "0.25"))
"""Messages that are planned a day for each person."""
START = datetime(2026, 1, 1, tzinfo=UTC)
FROM, TO = time(20), time(8)
HOUSE = House(
    zone="UTC",
    quiet=Quiet(FROM, TO),
    caps={
        Channel.IN_APP: (Cap(3, DAY, Window.CALENDAR),),
        Channel.EMAIL: (
            Cap(1, DAY, Window.ROLLING),
            Cap(4, 7 * DAY, Window.CALENDAR),
            Cap(5, 3 * DAY, Window.ROLLING, Scope.ACCOUNT),
        ),
        Channel.SMS: (Cap(2, 3 * DAY, Window.ROLLING), Cap(6, 7 * DAY, Window.ROLLING, Scope.USER)),
    },
)
KINDS, JOURNEYS = ("tips", "news", "help"), ("first@1", "second@3", "third@2")


@dataclass(slots=True)
class Year:
    """A run; `sends` are those that the channel took."""

    rng: Random
    zones: list[str]
    house: House = HOUSE
    failing: float = 0.05
    sends: list[tuple[datetime, Message]] = field(default_factory=list)
    choices: dict[str, list[tuple[datetime, Choice]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    hushed: dict[str, list[tuple[datetime, datetime]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    store: MemoryDeliveries = field(init=False)

    def __post_init__(self) -> None:
        self.store = MemoryDeliveries(Rules(house=self.house))

    @property
    def people(self) -> list[tuple[Person, str]]:
        return [(Person("t", f"p{n}", f"a{n // 4}"), zone) for n, zone in enumerate(self.zones)]

    async def run(self, days: int, a_day: float) -> None:
        zones = {person.user: zone for person, zone in self.people}
        queue: list[tuple[datetime, int, object]] = []
        count = 0
        for person, _ in self.people:
            for at, wish in self._wishes(person, days, a_day):
                heapq.heappush(queue, (at, count, wish))
                count += 1
        while queue:
            now, _, what = heapq.heappop(queue)
            due: datetime | None
            if isinstance(what, Message):
                (planned,) = await self.store.plan([what], now)
                name, due = planned.id, planned.due
            elif isinstance(what, str):
                name, due = what, await self._look(what, zones, now)
            else:
                await self._said(what, now)
                continue
            if due is not None:
                count += 1
                heapq.heappush(queue, (max(due, now), count, name))

    async def _said(self, what: object, now: datetime) -> None:
        match what:
            case (Person() as person, Choice() as choice):
                await self.store.choose(person, choice)
                self.choices[person.user].append((now, choice))
            case (Person() as person, Silence() as silence):
                await self.store.hush(person, silence, now + 10 * MINUTE)
                self.hushed[person.user].append((now, now + 10 * MINUTE))
            case _:
                raise AssertionError(what)

    async def _look(self, name: str, zones: dict[str, str], now: datetime) -> datetime | None:
        found = await self.store.delivery("t", name)
        assert found is not None
        user = found.message.person.user
        claim = await self.store.claim(found, Standing(zone=zones[user]), now)
        if isinstance(claim, Claim):
            result: Result = Again() if self.rng.random() < self.failing else Sent()
            after = await self.store.settle(claim.delivery, result, now, self.rng)
            assert after is not None
            if isinstance(result, Sent):
                self.sends.append((now, found.message))
            return after.due if after.state is State.RETRY else None
        if claim is None:  # woken earlier, and done with since
            again = await self.store.delivery("t", name)
            assert again is not None
            return again.due if again.state is State.HELD and again.due > now else None
        return claim.due if claim.state is State.HELD else None

    def _wishes(self, person: Person, days: int, a_day: float) -> list[tuple[datetime, object]]:
        rng, found = self.rng, list[tuple[datetime, object]]()
        for n in range(round(days * a_day)):
            at = START + days * DAY * rng.random()
            found.append((at, self._message(person, n, at)))
        for _ in range(max(1, days // 40)):
            at = START + days * DAY * rng.random()
            found.append((at, (person, self._choice(at))))
            at = START + days * DAY * rng.random()
            found.append((at, (person, rng.choice(list(Silence)))))
        return found

    def _message(self, person: Person, n: int, at: datetime) -> Message:
        rng = self.rng
        return Message(
            person=person,
            channel=rng.choice((Channel.IN_APP, Channel.EMAIL, Channel.EMAIL, Channel.SMS)),
            kind=rng.choice(KINDS),
            template="x",
            journey=rng.choice(JOURNEYS),
            step=f"s{n}",
            klass=Klass.TRANSACTIONAL if rng.random() < 0.03 else Klass.ORDINARY,
            exclusive=rng.choice((None, None, "g")),
            priority=rng.randrange(5),
            on_cap=rng.choice((OnCap.DEFER, OnCap.DEFER, OnCap.SKIP)),
            not_before=at + rng.random() * DAY if rng.random() < 0.3 else None,
            counts=rng.random() < 0.95,
        )

    def _choice(self, at: datetime) -> Choice:
        rng = self.rng
        topic = rng.choice((*(f"kind/{kind}" for kind in KINDS), "journey/second"))
        channel = rng.choice((None, Channel.EMAIL, Channel.SMS))
        draw = rng.random()
        if draw < 0.7:
            return Choice(topic, Wish.SNOOZE, at, channel, at + 7 * DAY * rng.random())
        return Choice(topic, Wish.OPT_OUT if draw < 0.9 else Wish.NEVER, at, channel)

    # what must hold

    def check(self) -> None:
        zones = {person.user: ZoneInfo(zone) for person, zone in self.people}
        ordinary = [(at, m) for at, m in self.sends if not m.exempt]
        for at, made in ordinary:
            self._check_one(at, made, zones[made.person.user])
        for person, zone in self.people:
            own = [(at, m) for at, m in ordinary if m.person == person]
            self._check_gaps(own)
            self._check_caps(own, ZoneInfo(zone))
        for account in {m.person.account for _, m in ordinary}:
            mails = [
                at
                for at, m in ordinary
                if m.counts and m.person.account == account and m.channel is Channel.EMAIL
            ]
            assert most_within(mails, 3 * DAY) <= 5
        keys = Counter(m.key for _, m in self.sends)
        assert max(keys.values(), default=1) == 1

    def _check_one(self, at: datetime, made: Message, zone: ZoneInfo) -> None:
        wall = at.astimezone(zone).time()
        if made.channel is not Channel.IN_APP:
            assert TO <= wall < FROM, (at, zone)
        for said, choice in self.choices[made.person.user]:
            about = choice.topic in topics_of(made) and choice.channel in (None, made.channel)
            if said < at and about:
                assert choice.wish is Wish.SNOOZE, (at, choice)
        last = {
            (c.topic, c.channel): c.until
            for said, c in self.choices[made.person.user]
            if said < at and c.wish is Wish.SNOOZE
        }
        for (topic, channel), until in last.items():
            if topic in topics_of(made) and channel in (None, made.channel):
                assert until is not None
                assert until <= at
        assert not any(a < at < b for a, b in self.hushed[made.person.user])

    def _check_gaps(self, own: list[tuple[datetime, Message]]) -> None:
        for channel, gap in self.house.gaps.items():
            times = [at for at, m in own if m.channel is channel]
            assert all(b - a >= gap for a, b in pairwise(times))

    def _check_caps(self, own: list[tuple[datetime, Message]], zone: ZoneInfo) -> None:
        of = {c: [at for at, m in own if m.counts and m.channel is c] for c in Channel}
        assert most_within(of[Channel.EMAIL], DAY) <= 1
        assert most_within(of[Channel.SMS], 3 * DAY) <= 2
        days = Counter(at.astimezone(zone).date() for at in of[Channel.IN_APP])
        assert max(days.values(), default=0) <= 3
        weeks = Counter(at.astimezone(zone).isocalendar()[:2] for at in of[Channel.EMAIL])
        assert max(weeks.values(), default=0) <= 4
        every = [(at, m) for at, m in own if m.counts]  # in the order in which they went out
        for n, (at, made) in enumerate(every):
            if made.channel is Channel.SMS:
                assert sum(at - 7 * DAY < other <= at for other, _ in every[: n + 1]) <= 6

    async def check_ends(self) -> Counter[str]:
        rows = await self.store.deliveries("t", Wanted(limit=10**9))
        ended: Counter[str] = Counter()
        for row in rows:
            assert row.state in (State.SENT, State.SUPPRESSED, State.EXPIRED, State.DEAD)
            assert (row.reason is None) == (row.state is State.SENT)
            assert row.changed_at is not None
            assert row.changed_at <= row.deadline + HOUR
            ended[f"{row.state.value} {row.reason or ''}".strip()] += 1
        sent = {m.id for _, m in self.sends}
        assert {row.id for row in rows if row.state is State.SENT} == sent
        return ended


def most_within(times: list[datetime], span: timedelta) -> int:
    ordered = sorted(times)
    ends = (bisect_right(ordered, at + span - timedelta.resolution) for at in ordered)
    return max((end - n for n, end in enumerate(ends)), default=0)


async def test_a_year_over_forty_zones() -> None:
    year = Year(Random(7), list(ZONES))
    await year.run(DAYS, A_DAY)
    year.check()
    ended = await year.check_ends()
    assert ended["sent"] > 1000 * DAYS / 365
    for reason in (Reason.UNSUBSCRIBED, Reason.NEVER):
        assert ended[f"suppressed {reason}"] > 0


@settings(deadline=None, max_examples=int(os.environ.get("EMBARK_TEST_GOVERNOR_EXAMPLES", "8")))
@given(st.integers(0, 2**32), st.lists(st.sampled_from(ZONES), min_size=1, max_size=5))
def test_any_crowded_fortnight(seed: int, zones: list[str]) -> None:
    year = Year(Random(seed), zones, failing=0.2)
    asyncio.run(_fortnight(year))


async def _fortnight(year: Year) -> None:
    await year.run(14, 3)
    year.check()
    await year.check_ends()


@pytest.mark.parametrize(
    "broken",
    [
        House(zone="UTC", quiet=None, caps=HOUSE.caps),
        House(zone="UTC", caps={}),
        House(zone="UTC", caps=HOUSE.caps, gaps={}),
    ],
)
async def test_the_checks_find_what_is_broken(broken: House) -> None:
    """So that the test above cannot pass for nothing."""
    year = Year(Random(3), list(ZONES[:8]), house=broken)
    await year.run(20, 3)
    year.house = HOUSE
    with pytest.raises(AssertionError):
        year.check()
