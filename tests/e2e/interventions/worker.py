"""A worker process that dies at a chosen point, and goes on where another died.

Run by the driver as a fork of a process that has imported everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import httpx2
import structlog

from onboarding.interventions import Cap, Channel, Message, Scope, Standing, Window
from onboarding.interventions.channel import ChannelAdapter, Contact, Effect
from onboarding.interventions.governor import House
from onboarding.interventions.links import Links
from onboarding.interventions.retrying import Retrying
from onboarding.interventions.templating import Templates
from onboarding.store.interventions.in_app import InApp, Pushed
from onboarding.store.interventions.mail import Mail, MailPolicy, Security
from onboarding.store.interventions.posting import Reply, Request, RequestError
from onboarding.store.interventions.shielding import Shielded
from onboarding.store.interventions.sms import Sms, SmsPolicy
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.store.interventions.store import Rules
from onboarding.store.interventions.worker import Worker, WorkerParts, WorkerPolicy
from onboarding.types import Person
from tests.e2e.killing.failpoints import SQL_POINTS, Failpoints, points
from tests.e2e.killing.parts import engine_of
from tools.breaker import Breaker, BreakerPolicy

TENANT = "t"
KEY = b"a key of links for these tests, long"
CALLS: tuple[str, ...] = ("due", "claim", "hand_over", "begin", "settle", "lapse")
CALLS += ("doubtful", "resolve", "of", "of_all", "send", "found", "ask")
EACH = 2
"""Messages that one person may get, whatever was planned."""
_DAY = timedelta(days=1)
RULES = Rules(
    house=House(
        zone="UTC",
        quiet=None,
        gaps={},
        caps={c: (Cap(EACH, _DAY, Window.ROLLING, Scope.USER),) for c in Channel},
    ),
    lease=timedelta(seconds=0.8),
    retrying=Retrying(
        tries=20,
        first=timedelta(seconds=0.05),
        longest=timedelta(seconds=0.2),
        ask_after=timedelta(seconds=0.8),
        patience=timedelta(seconds=20),
    ),
    effects={Channel.EMAIL: Effect.ONCE, Channel.SMS: Effect.ONCE},
)
POINTS = (*points(CALLS), *SQL_POINTS)


@dataclass(frozen=True, slots=True)
class Config:
    """`deliveries` is a URL, with its schema behind `#`."""

    deliveries: str
    smtp: int
    http: int
    kill_at: str = ""
    seed: int = 0


class _Contacts:
    async def of(self, person: Person, channel: Channel) -> Contact | None:
        return Contact(f"{person.user}@h.example" if channel is Channel.EMAIL else "+491")


class _Standings:
    async def of_all(self, messages: Sequence[Message], now: datetime) -> tuple[Standing, ...]:
        return tuple(Standing(zone="UTC") for _ in messages)


async def ask(request: Request) -> Reply:
    try:
        async with httpx2.AsyncClient() as client:
            answer = await client.request(
                request.method, request.url, headers=dict(request.headers), content=request.body
            )
    except httpx2.ConnectError as failure:
        raise RequestError("unreachable", sent=False) from failure
    except httpx2.HTTPError as failure:
        raise RequestError("no_answer", sent=True) from failure
    return Reply(answer.status_code, dict(answer.headers), answer.content)


def clock() -> datetime:
    return datetime.now(UTC)


def run(config: Config) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(_serve(config))


async def _serve(config: Config) -> None:
    failpoints, engine = Failpoints(config.kill_at), engine_of(config.deliveries)
    failpoints.within(engine)
    store, contacts, standings = SqlDeliveries(engine, RULES), _Contacts(), _Standings()
    asking, url = _Asking(), f"http://127.0.0.1:{config.http}/"
    failpoints.around(asking, CALLS)

    async def push(_person: Person, shown: Pushed) -> None:
        """An open page, which shows an id once."""
        request = Request("POST", url, {"idempotency-key": shown.id}, b"{}", 5.0)
        try:
            await asking.ask(request)
        except RequestError as failure:
            raise ConnectionError from failure

    channels: Mapping[Channel, ChannelAdapter] = {
        Channel.IN_APP: InApp(push),
        Channel.EMAIL: _shielded(
            Mail(
                MailPolicy("127.0.0.1", config.smtp, "Acme <a@acme.example>", Security.NONE), clock
            )
        ),
        Channel.SMS: _shielded(
            Sms(SmsPolicy(url, "token", "Acme", keyed=False, tells=True), asking.ask)
        ),
    }
    for thing in (store, contacts, standings, *channels.values()):
        failpoints.around(thing, CALLS)
    worker = Worker(
        WorkerParts(
            tenant=TENANT,
            store=store,
            channels=channels,
            contacts=contacts,
            standings=standings,
            templates=Templates.load(),
            links=Links("https://app.example/v1", KEY),
            key=KEY,
            rng=Random(config.seed),
            policy=WorkerPolicy(at_once=4, send_s=0.6),
        )
    )
    await worker.serve(asyncio.Event(), clock, idle_s=0.02)


def _shielded(adapter: ChannelAdapter) -> Shielded:
    return Shielded(adapter, Breaker(BreakerPolicy(failures=2, open_s=0.1), Random(1)))


class _Asking:
    """Named, so that its call is a point."""

    async def ask(self, request: Request) -> Reply:
        return await ask(request)
