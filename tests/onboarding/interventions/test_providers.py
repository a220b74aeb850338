"""Providers that fail and come back: they are left alone meanwhile, no try is wasted on them, and
what may have gone out is asked about. Real servers on loopback."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from typing_extensions import override

from onboarding.interventions import Channel, Delivery, Message, Reason, State
from onboarding.interventions.channel import (
    Again,
    Away,
    ChannelAdapter,
    Contact,
    Effect,
    Refused,
    Result,
    Sent,
    Unsure,
)
from onboarding.interventions.governor import House
from onboarding.store.interventions.contacts import MemoryContacts
from onboarding.store.interventions.mail import Mail
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.recording import RecordingChannel
from onboarding.store.interventions.shielding import Shielded
from onboarding.store.interventions.sms import Sms, SmsPolicy
from onboarding.store.interventions.store import Rules, Wanted
from onboarding.store.interventions.worker import Worker, WorkerPolicy
from onboarding.types import Person
from tests.contracts.channel import parcel_of
from tests.onboarding.interventions.making import ANA, DAY, HOUR, MINUTE, NOON, mail, message
from tests.onboarding.interventions.receivers import Provider, ask, broken, mail_server, provider
from tests.onboarding.interventions.test_channels import policy
from tests.onboarding.interventions.test_worker import FILLED, Bench
from tools.breaker import Breaker, BreakerPolicy

PEOPLE = [Person("t", f"p{n}") for n in range(9)]
OPEN_S = 30.0
AFTER = timedelta(seconds=1.5 * OPEN_S)
"""No breaker is open for longer."""
FREE = Rules(
    house=House(zone="UTC", quiet=None, gaps={}, caps={}),
    effects={Channel.EMAIL: Effect.ONCE, Channel.SMS: Effect.ONCE},
)


@dataclass
class Floor:
    """A worker that sends one after the other, and a clock that is set."""

    at: datetime = NOON
    store: MemoryDeliveries = field(default_factory=lambda: MemoryDeliveries(FREE))

    def shielded(self, adapter: ChannelAdapter) -> Shielded:
        def timer() -> float:
            return (self.at - NOON).total_seconds()

        breaker = Breaker(BreakerPolicy(failures=3, open_s=OPEN_S), Random(1))
        return Shielded(adapter, breaker, timer)

    def worker(self, *adapters: ChannelAdapter, **more: Any) -> Worker:
        contacts = MemoryContacts(
            {
                (person.user, channel): Contact(f"{person.user}@h.example")
                for person in PEOPLE
                for channel in (Channel.EMAIL, Channel.SMS)
            }
        )
        given = {"policy": WorkerPolicy(at_once=1, send_s=5.0), **more}
        channels = {adapter.channel: adapter for adapter in adapters}
        return Bench(self.store, contacts=contacts).worker(channels=channels, **given)

    async def visit(self, worker: Worker, later: timedelta = timedelta(0)) -> dict[str, int]:
        self.at += later
        return dict(await worker.visit(self.at))

    async def states(self) -> Counter[tuple[State, Reason | None, int]]:
        rows = await self.store.deliveries("t", Wanted())
        return Counter((row.state, row.reason, row.attempts) for row in rows)


def mails() -> list[Message]:
    return [mail(person=person, **FILLED) for person in PEOPLE]


async def test_a_mail_server_that_hangs_up_is_left_alone_until_it_is_back() -> None:
    floor = Floor()
    await floor.store.plan(mails(), NOON)
    async with broken() as hanging:
        worker = floor.worker(floor.shielded(Mail(policy(hanging.port), lambda: floor.at)))
        assert await floor.visit(worker) == {"retry": 3}
        assert hanging.calls == 3
        assert await floor.visit(worker) == {}
        away = (State.HELD, Reason.PROVIDER_AWAY, 0)
        assert (await floor.states())[away] == len(PEOPLE) - 3
        assert await floor.visit(worker, timedelta(seconds=1)) == {}
        assert hanging.calls == 3
        await floor.visit(worker, AFTER)
        assert hanging.calls == 4, "one probe"
    async with mail_server(port=hanging.port) as server:
        for _ in range(5):
            await floor.visit(worker, AFTER)
        assert len(server.taken) == len(PEOPLE)
        assert len({str(each["Message-ID"]) for each in server.taken}) == len(PEOPLE)
    assert {state for state, *_ in await floor.states()} == {State.SENT}


async def test_what_is_too_late_ends_while_its_provider_is_away() -> None:
    floor = Floor()
    await floor.store.plan([mail(person=p, max_delay=MINUTE, **FILLED) for p in PEOPLE], NOON)
    async with broken() as hanging:
        worker = floor.worker(floor.shielded(Mail(policy(hanging.port), lambda: floor.at)))
        await floor.visit(worker)
        await floor.visit(worker)
        calls = hanging.calls
        floor.at += MINUTE
        shut = floor.shielded(RecordingChannel(Channel.EMAIL, Effect.ONCE, [Again()] * 3))
        for _ in range(3):
            await shut.send(parcel_of(shut, "ana@h.example"))
        assert await floor.visit(floor.worker(shut)) == {"expired": len(PEOPLE)}
        assert hanging.calls == calls


async def test_a_busy_provider_is_asked_by_one_when_its_time_is_over() -> None:
    floor = Floor()
    texts = [message(channel=Channel.SMS, person=person, **FILLED) for person in PEOPLE]
    await floor.store.plan(texts, NOON)
    async with provider() as server:
        server.how = "busy"
        worker = floor.worker(floor.shielded(Sms(SmsPolicy(server.url, "t", "A"), ask)))
        await floor.visit(worker)
        assert server.calls == 3
        await floor.visit(worker)
        server.how = ""
        for _ in range(6):
            await floor.visit(worker, AFTER)
        assert len(server.taken) == len(PEOPLE)
        assert server.calls == 3 + len(PEOPLE)
    assert {state for state, *_ in await floor.states()} == {State.SENT}


async def test_a_provider_that_is_away_holds_up_no_other_channel() -> None:
    """Neither by hanging, nor by filling what is looked at."""
    floor, stop = Floor(), asyncio.Event()

    class Hanging(RecordingChannel):
        @override
        async def send(self, parcel: object) -> Result:
            await asyncio.sleep(60)
            return Sent()

    app = RecordingChannel(Channel.IN_APP, Effect.INBOX)
    now = datetime.now(UTC)
    await floor.store.plan([mail(person=p, priority=1, **FILLED) for p in PEOPLE], now)
    worker = floor.worker(
        Hanging(Channel.EMAIL, Effect.ONCE),
        app,
        policy=WorkerPolicy(most=3, at_once=2, send_s=30),
        timer=asyncio.get_running_loop().time,
    )
    serving = asyncio.create_task(worker.serve(stop, lambda: datetime.now(UTC), idle_s=5.0))
    await asyncio.sleep(0.05)
    await floor.store.plan([message("app", person=person, **FILLED) for person in PEOPLE], now)
    worker.wake()
    async with asyncio.timeout(1.0):  # three visits of three, and no pause of 5 s between them
        while len(app.taken) < len(PEOPLE):  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
    serving.cancel()
    await asyncio.wait({serving})


@pytest.mark.parametrize(
    ("result", "shut"),
    [
        (Sent(), False),
        (Refused(), False),
        (Again(answered=True), False),
        (Again(), True),
        (Unsure(), True),
    ],
)
async def test_who_answers_is_there(result: Result, shut: bool) -> None:
    floor = Floor()
    shielded = floor.shielded(RecordingChannel(Channel.EMAIL, Effect.ONCE, [result] * 3))
    for _ in range(3):
        assert await shielded.send(parcel_of(shielded, "ana@h.example")) == result
    after = await shielded.send(parcel_of(shielded, "ana@h.example"))
    assert isinstance(after, Away) == shut == bool(shielded.rests)


async def test_an_answer_between_failures_keeps_it_open() -> None:
    floor = Floor()
    results: list[Result] = [Again(), Again(), Sent(), Again(), Again()]
    shielded = floor.shielded(RecordingChannel(Channel.EMAIL, Effect.ONCE, results))
    for _ in results:
        assert not isinstance(await shielded.send(parcel_of(shielded, "a@h.example")), Away)
    assert not shielded.rests


@pytest.fixture
async def telling() -> AsyncIterator[Provider]:
    """A provider that takes twice as twice, and says what it has."""
    async with provider() as server:
        yield server


def unkeyed(server: Provider, **more: Any) -> Sms:
    given = {"keyed": False, "tells": True, **more}
    return Sms(SmsPolicy(server.url, "t", "A", **given), ask)


async def unknown(floor: Floor, server: Provider, worker: Worker) -> Message:
    made = message(channel=Channel.SMS, person=PEOPLE[0], **FILLED)
    await floor.store.plan([made], NOON)
    server.how = "drops"
    assert await floor.visit(worker) == {"unknown": 1}
    return made


async def test_what_it_took_is_sent(telling: Provider) -> None:
    floor = Floor()
    worker = floor.worker(unkeyed(telling))
    made = await unknown(floor, telling, worker)
    assert telling.asked == 0
    assert await floor.visit(worker, MINUTE) == {}
    found = await floor.store.delivery("t", made.id)
    assert found is not None
    assert (found.state, found.provider_id, telling.calls) == (State.SENT, f"p-{made.id}", 1)


async def test_what_never_came_is_sent_again(telling: Provider) -> None:
    floor = Floor()
    worker = floor.worker(unkeyed(telling))
    made = await unknown(floor, telling, worker)
    telling.taken.clear()
    telling.how = ""
    await floor.visit(worker, MINUTE)
    found = await floor.store.delivery("t", made.id)
    assert found is not None
    assert found.state is State.RETRY
    assert await floor.visit(worker, HOUR) == {"sent": 1}
    assert list(telling.taken) == [made.id]


async def test_what_it_could_not_send_has_failed(telling: Provider) -> None:
    floor = Floor()
    worker = floor.worker(unkeyed(telling))
    made = await unknown(floor, telling, worker)
    telling.status = "undelivered"
    await floor.visit(worker, MINUTE)
    found = await floor.store.delivery("t", made.id)
    assert found is not None
    assert (found.state, found.reason) == (State.DEAD, Reason.REFUSED)


@pytest.mark.parametrize("why", ["mute", "cannot"])
async def test_who_says_nothing_is_not_asked_for_ever(telling: Provider, why: str) -> None:
    floor = Floor()
    told: list[Delivery] = []
    worker = floor.worker(unkeyed(telling, tells=why == "mute"), told=told.append)
    made = await unknown(floor, telling, worker)
    telling.how = "mute"
    for minutes in (1, 1, 2, 4, 8, 16, 28, 60, 600):
        await floor.visit(worker, minutes * MINUTE)
    found = await floor.store.delivery("t", made.id)
    assert found is not None
    assert (found.state, found.reason) == (State.UNKNOWN, Reason.NEEDS_PERSON)
    assert telling.asked == (7 if why == "mute" else 0)
    assert telling.calls == 1, "never sent again"
    assert [each.state for each in told] == [State.UNKNOWN]
    assert await floor.visit(worker, DAY) == {}


async def test_a_mail_server_cannot_be_asked() -> None:
    adapter: ChannelAdapter = Mail(policy(1), lambda: NOON)
    store = MemoryDeliveries(FREE)
    (planned,) = await store.plan([mail(person=ANA, **FILLED)], NOON)
    assert await adapter.found(planned) is None
    assert await Floor().shielded(adapter).found(planned) is None
