"""The worker: what is due goes out by its channel; eight at once, none twice and no cap passed."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest

from onboarding.interventions import (
    Cap,
    Channel,
    Delivery,
    Klass,
    Message,
    OnCap,
    Reason,
    Scope,
    Standing,
    State,
    Window,
)
from onboarding.interventions.channel import (
    ChannelAdapter,
    Contact,
    ContactsUnavailableError,
    Effect,
    Parcel,
    Refused,
    Result,
    Sent,
)
from onboarding.interventions.governor import House
from onboarding.interventions.links import Links, address_mac
from onboarding.interventions.nulls import is_null
from onboarding.interventions.templating import Templates
from onboarding.store.interventions.contacts import MemoryContacts
from onboarding.store.interventions.in_app import InApp
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.recording import RecordingChannel
from onboarding.store.interventions.sql import SqlDeliveries, upgrade
from onboarding.store.interventions.store import DeliveryStore, Rules, Wanted
from onboarding.store.interventions.watches import SqlWatches
from onboarding.store.interventions.worker import Worker, WorkerParts, WorkerPolicy
from onboarding.types import Person
from tests.crowding import crowding, stretched
from tests.guardrails.databases import postgres, sqlite
from tests.onboarding.interventions.making import ANA, BO, DAY, HOUR, NOON, mail, message
from tests.onboarding.interventions.test_helping import desk_of, failed

KEY = b"a key of links for these tests, long"
TEMPLATES = Templates.load()
RULES = Rules(house=House(zone="UTC"), effects={Channel.EMAIL: Effect.ONCE})
FILLED: dict[str, Any] = {"template": "next-step", "values": {"step": "Connect"}}


@dataclass
class Now:
    """How things stand, by user; who is not in it may be written to."""

    standing: dict[str, Standing] = field(default_factory=dict)
    away: bool = False

    async def of_all(
        self, messages: Sequence[Message], now: datetime
    ) -> tuple[Standing | None, ...]:
        if self.away:
            return tuple(None for _ in messages)
        return tuple(self.standing.get(m.person.user, Standing(zone="UTC")) for m in messages)


@dataclass
class Bench:
    """A worker over twins."""

    store: DeliveryStore = field(default_factory=lambda: MemoryDeliveries(RULES))
    now: Now = field(default_factory=Now)
    mail: RecordingChannel = field(
        default_factory=lambda: RecordingChannel(Channel.EMAIL, Effect.ONCE)
    )
    app: RecordingChannel = field(
        default_factory=lambda: RecordingChannel(Channel.IN_APP, Effect.INBOX)
    )
    contacts: MemoryContacts = field(
        default_factory=lambda: MemoryContacts(
            {
                ("ana", Channel.EMAIL): Contact("ana@h.example", "de", "Europe/Berlin"),
                ("bo", Channel.EMAIL): Contact("bo@h.example"),
            }
        )
    )

    def worker(self, **more: Any) -> Worker:
        channels: Mapping[Channel, ChannelAdapter] = {
            Channel.EMAIL: self.mail,
            Channel.IN_APP: self.app,
        }
        parts = WorkerParts(
            tenant="t",
            store=self.store,
            channels=channels,
            contacts=self.contacts,
            standings=self.now,
            templates=TEMPLATES,
            links=Links("https://app.example/v1", KEY),
            key=KEY,
            rng=Random(1),
            policy=WorkerPolicy(send_s=0.2, sender="Acme"),
            timer=lambda: 0.0,
        )
        return Worker(replace(parts, **more))

    async def sent(self, *messages: Message, at: datetime = NOON) -> Mapping[str, int]:
        await self.store.plan(messages, at)
        return await self.worker().visit(at)

    async def row(self, made: Message) -> tuple[State, Reason | None]:
        found = await self.store.delivery("t", made.id)
        assert found is not None
        return found.state, found.reason


async def test_what_is_due_goes_out_in_the_persons_language() -> None:
    bench = Bench()
    found = await bench.sent(mail(**FILLED), message("later", not_before=NOON + HOUR, **FILLED))
    assert found == {"sent": 1}
    (parcel,) = bench.mail.taken
    assert parcel.text.subject == "Ein guter nächster Schritt: Connect"
    assert parcel.contact.address == "ana@h.example"
    assert parcel.unsubscribe is not None
    assert parcel.unsubscribe in parcel.text.footer
    assert parcel.text.html is not None
    assert parcel.unsubscribe in parcel.text.html
    assert await bench.worker().visit(NOON) == {}


async def test_a_security_notice_has_no_way_out() -> None:
    bench = Bench()
    values: dict[str, Any] = {"template": "security-notice", "values": {"what": "a new sign-in"}}
    await bench.sent(mail(klass=Klass.TRANSACTIONAL, **values))
    (parcel,) = bench.mail.taken
    assert (parcel.unsubscribe, parcel.text.footer) == (None, "")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (mail(person=Person("t", "eve"), **FILLED), Reason.NO_ADDRESS),
        (mail(template="nothing"), Reason.BAD_TEMPLATE),
        (mail(template="next-step"), Reason.BAD_TEMPLATE),
        (message(channel=Channel.WEBHOOK, **FILLED), Reason.NO_CHANNEL),
    ],
)
async def test_what_cannot_be_sent_says_why(made: Message, reason: Reason) -> None:
    bench = Bench()
    assert await bench.sent(made) == {"dead": 1}
    assert await bench.row(made) == (State.DEAD, reason)


async def test_a_bounce_closes_the_address_for_everybody() -> None:
    bench = Bench()
    bench.mail = RecordingChannel(
        Channel.EMAIL, Effect.ONCE, [Refused(Reason.BOUNCED, address=True)]
    )
    assert await bench.sent(mail(**FILLED)) == {"dead": 1}
    later = mail("b", **FILLED)
    assert await bench.sent(later, at=NOON + DAY) == {"suppressed": 1}
    assert await bench.row(later) == (State.SUPPRESSED, Reason.ADDRESS_REFUSED)


class Slow:
    """Never answers."""

    def __init__(self, effect: Effect) -> None:
        self.channel = Channel.EMAIL
        self.effect = effect
        self.calls = 0

    async def send(self, parcel: Parcel) -> Result:
        self.calls += 1
        await asyncio.sleep(60)
        return Sent()

    async def found(self, delivery: Delivery) -> None:
        """It says nothing later, either."""


async def test_a_channel_that_does_not_answer_is_not_asked_twice() -> None:
    bench, slow, made = Bench(), Slow(Effect.ONCE), mail(**FILLED)
    await bench.store.plan([made], NOON)
    worker = bench.worker(channels={Channel.EMAIL: slow})
    assert await worker.visit(NOON) == {"unknown": 1}
    assert await worker.visit(NOON + 2 * DAY) == {}
    assert slow.calls == 1
    assert await bench.row(made) == (State.UNKNOWN, Reason.NEEDS_PERSON)


@pytest.mark.parametrize("which", ["contacts", "standings"])
async def test_who_cannot_be_asked_about_waits(which: str) -> None:
    class Away:
        async def of(self, person: object, channel: object) -> None:
            raise ContactsUnavailableError

    bench, made = Bench(), mail(**FILLED)
    await bench.store.plan([made], NOON)
    bench.now.away = which == "standings"
    away = bench.worker(contacts=Away()) if which == "contacts" else bench.worker()
    assert await away.visit(NOON) == {}
    assert await bench.row(made) == (State.PLANNED, None)
    bench.now.away = False
    assert await bench.worker().visit(NOON) == {"sent": 1}


async def test_the_last_look_is_at_the_time_of_sending() -> None:
    bench, made = Bench(), mail(**FILLED)
    await bench.store.plan([made], NOON)
    bench.now.standing["ana"] = Standing(goal_reached=True)
    assert await bench.worker().visit(NOON) == {"suppressed": 1}
    assert bench.mail.taken == []


async def test_the_zone_of_the_directory_counts_where_no_other_is_known() -> None:
    bench, made = Bench(), mail(**FILLED)
    bench.now.standing["ana"] = Standing()
    late = NOON.replace(hour=19, minute=30)
    assert await bench.sent(made, at=late) == {"held": 1}
    assert await bench.row(made) == (State.HELD, Reason.QUIET_HOURS)


async def test_a_digest_is_one_mail() -> None:
    bench = Bench(MemoryDeliveries(replace(RULES, house=House(zone="UTC"))))
    kept: dict[str, Any] = {"on_cap": OnCap.DIGEST, **FILLED}
    await bench.sent(mail("first", **kept))
    rest = [mail(step, **{**kept, "values": {"step": step}}) for step in "abc"]
    assert await bench.sent(*rest, at=NOON + 5 * HOUR) == {"held": 3}
    assert await bench.worker().visit(NOON + DAY) == {"sent": 1}
    _, digest = bench.mail.taken
    assert digest.text.subject == "3 Dinge für Sie"
    assert all(f"Schritt: {step}" in digest.text.body for step in "abc")
    states = Counter([await bench.row(each) for each in rest])
    assert states == {(State.SENT, None): 1, (State.SUPPRESSED, Reason.IN_DIGEST): 2}


async def test_a_digest_of_one_is_the_message_itself() -> None:
    bench = Bench()
    await bench.sent(mail("first", on_cap=OnCap.DIGEST, **FILLED))
    await bench.sent(mail("second", on_cap=OnCap.DIGEST, **FILLED), at=NOON + 5 * HOUR)
    await bench.worker().visit(NOON + DAY)
    assert bench.mail.taken[1].text.subject == "Ein guter nächster Schritt: Connect"


async def test_goal_exit_stops_what_waits_at_once() -> None:
    bench, made = Bench(), mail(not_before=NOON + HOUR, **FILLED)
    await bench.store.plan([made], NOON)
    await bench.store.leave(ANA, "admin-first-value", Reason.GOAL_REACHED, NOON)
    assert await bench.worker().visit(NOON + HOUR) == {}
    assert await bench.row(made) == (State.SUPPRESSED, Reason.GOAL_REACHED)


async def test_in_app_is_pushed_and_lies_in_the_inbox() -> None:
    bench, pushed = Bench(), []

    async def push(person: Person, shown: object) -> None:
        pushed.append((person, shown))

    await bench.store.plan([message(**FILLED)], NOON)
    await bench.worker(channels={Channel.IN_APP: InApp(push)}).visit(NOON)
    assert [person for person, _ in pushed] == [ANA]
    found = await bench.store.deliveries("t", Wanted("ana", Channel.IN_APP, [State.SENT]))
    assert len(found) == 1


async def test_it_serves_until_it_is_stopped() -> None:
    bench, stop = Bench(), asyncio.Event()
    await bench.store.plan([mail(**FILLED)], NOON)
    served = asyncio.create_task(bench.worker().serve(stop, lambda: NOON, idle_s=0.01))
    await asyncio.sleep(0.1)
    stop.set()
    await asyncio.wait_for(served, 1)
    assert len(bench.mail.taken) == 1


# eight at once

PEOPLE, EACH, WORKERS = 8, 6, 8
TIGHT = Rules(
    house=House(
        zone="UTC",
        gaps={},
        caps={
            Channel.EMAIL: (
                Cap(2, DAY, Window.ROLLING),
                Cap(5, DAY, Window.ROLLING, Scope.ACCOUNT),
            ),
            Channel.IN_APP: (Cap(3, DAY, Window.CALENDAR),),
        },
    ),
    effects={Channel.EMAIL: Effect.ONCE},
)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[DeliveryStore]]:
    """One for each worker, over the same rows."""
    with ExitStack() as closing:
        if request.param == "memory":
            yield [MemoryDeliveries(TIGHT)] * WORKERS
            return
        made = sqlite(tmp_path, upgrade) if request.param == "sqlite" else postgres(upgrade)
        engine = closing.enter_context(made)
        yield [SqlDeliveries(engine, TIGHT) for _ in range(WORKERS)]


async def test_eight_workers_send_nothing_twice_and_pass_no_cap(
    stores: list[DeliveryStore],
) -> None:
    people = [Person("t", f"p{n}", f"a{n % 3}") for n in range(PEOPLE)]
    planned = [
        message(f"s{n}", person, channel=channel, max_delay=9 * DAY, **FILLED)
        for person in people
        for n, channel in enumerate([Channel.EMAIL, Channel.IN_APP] * (EACH // 2))
    ]
    await stores[0].plan(planned, NOON)
    contacts = {(p.user, Channel.EMAIL): Contact(f"{p.user}@h.example") for p in people}
    bench = Bench(contacts=MemoryContacts(contacts))
    workers = [bench.worker(store=store) for store in stores]
    by_day: list[set[str]] = []
    for day in range(4):
        before = {parcel.id for parcel in (*bench.mail.taken, *bench.app.taken)}
        now = NOON + day * DAY
        await asyncio.gather(*(worker.visit(now) for worker in workers))
        taken = [*bench.mail.taken, *bench.app.taken]
        by_day.append({parcel.id for parcel in taken} - before)
    names = [parcel.id for parcel in (*bench.mail.taken, *bench.app.taken)]
    assert len(names) == len(set(names))
    for sent in by_day:
        _check_caps([made for made in planned if made.id in sent])
    assert {made.id for made in planned} == set(names), "held back for good"


def _check_caps(sent: list[Message]) -> None:
    users: dict[tuple[str, Channel], int] = defaultdict(int)
    accounts: Counter[str | None] = Counter()
    for made in sent:
        users[made.person.user, made.channel] += 1
        accounts[made.person.account] += made.channel is Channel.EMAIL
    assert max((n for (_, c), n in users.items() if c is Channel.EMAIL), default=0) <= 2
    assert max((n for (_, c), n in users.items() if c is Channel.IN_APP), default=0) <= 3
    assert max(accounts.values(), default=0) <= 5


async def test_leaving_while_workers_send_loses_nothing(stores: list[DeliveryStore]) -> None:
    planned = [message(f"s{n}", BO, not_before=NOON, **FILLED) for n in range(30)]
    await stores[0].plan(planned, NOON)
    bench = Bench()
    visits = (bench.worker(store=store).visit(NOON) for store in stores[1:])
    left, *_ = await asyncio.gather(stores[0].leave(BO, None, Reason.JOURNEY_LEFT, NOON), *visits)
    states = Counter([row.state for row in await stores[0].deliveries("t", Wanted(limit=100))])
    assert states[State.SUPPRESSED] == left
    assert states[State.SENT] == len(bench.app.taken)
    assert sum(states.values()) == 30
    assert not states[State.CLAIMED]


def test_an_address_has_one_form() -> None:
    one = address_mac(KEY, "t", Channel.EMAIL, "Ana@H.example ")
    assert one == address_mac(KEY, "t", Channel.EMAIL, "ana@h.example")
    assert one != address_mac(KEY, "t2", Channel.EMAIL, "ana@h.example")
    assert "ana" not in one


@pytest.mark.alone
async def test_from_friction_to_the_open_page_is_below_three_seconds(tmp_path: Path) -> None:
    """The import of 1,000 people fails at the same moment; a worker serves as it does in a server,
    beside the desk that finds the frictions, which is given 500 events at a time."""
    crowded = [crowding(0.1)]
    shown: dict[str, float] = {}

    async def push(person: Person, _shown: object) -> None:
        shown[person.user] = monotonic()

    people, stop = [Person("t", f"p{n}", f"a{n % 9}") for n in range(1000)], asyncio.Event()
    with sqlite(tmp_path, upgrade) as engine:
        bench = Bench(store=SqlDeliveries(engine, RULES))
        worker = bench.worker(channels={Channel.IN_APP: InApp(push)})
        serving = asyncio.create_task(worker.serve(stop, lambda: datetime.now(UTC)))
        began, now = monotonic(), datetime.now(UTC)
        desk, expected = desk_of(SqlWatches(engine)), set[str]()
        for half in (people[:500], people[500:]):
            made = await desk.take([(p, failed(at=now)) for p in half], now)
            worker.wake()
            expected |= {m.message.person.user for m in made if not is_null(m.message)}
        async with asyncio.timeout(30):
            while shown.keys() < expected:  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.02)
        stop.set()
        await serving
    assert 900 < len(expected) <= 1000
    took = sorted(at - began for at in shown.values())
    crowded.append(crowding(0.1))
    assert took[int(len(took) * 0.99)] < stretched(3.0, max(crowded))
