"""Events reach their endpoints once they can, signed, in the name that they were given."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.api.serving import serving
from tests.tools.acting.floor import START, Clock, Floor
from tests.tools.journal.databases import postgres, sqlite
from tools.erasures import DISCLOSE, ERASE, KEEPER
from tools.http import Outbound, Reach
from tools.journal import JournalUnavailableError, OutboxRow
from tools.receipts.checkpoints import StoredCheckpoint
from tools.store.engine import open_engine
from tools.types import Principal, ToolCall
from tools.webhooks import (
    KINDS,
    Deliveries,
    Endpoint,
    Event,
    Secrets,
    SeenMessages,
    Sender,
    SenderParts,
    is_told,
    of_action,
    of_checkpoint,
    prepare,
    read_secrets,
    verified,
)
from tools.webhooks.sending import LEASE_S, SCHEDULE_S
from tools.webhooks.signing import KEPT_S

SECRET = read_secrets("whsec_" + base64.b64encode(bytes(32)).decode())
EVENT = Event("evt_1", "action.settled", START, "t", {"actionId": "a"})


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path) if request.param == "sqlite" else postgres() as engine:
        prepare(engine)
        prepare(engine)
        yield engine


@dataclass
class Receiver:
    """Somebody else's server: verifies, and answers as it is told to."""

    clock: Clock
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hook", self._hook, methods=["POST"])])

    async def _hook(self, request: Request) -> Response:
        body = await request.body()
        message_id = verified(SECRET, request.headers, body, self.clock())
        assert request.headers["content-type"] == "application/cloudevents+json"
        self.got.append((message_id, json.loads(body)))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)


@dataclass
class Post:
    receiver: Receiver
    sender: Sender
    deliveries: Deliveries
    clock: Clock
    url: str
    parts: SenderParts

    def another(self, *kinds: str) -> Sender:
        return Sender([Endpoint(self.url, SECRET, frozenset(kinds))], self.parts)


@asynccontextmanager
async def post(engine: Engine, secret: Secrets = SECRET) -> AsyncIterator[Post]:
    clock = Clock()
    receiver = Receiver(clock)
    async with serving(receiver.app()) as there:
        base = str(there.base_url).rstrip("/")
        url, place = f"{base}/hook", base.removeprefix("http://")
        async with Outbound(Reach(frozenset(), frozenset({place}))) as outbound:
            deliveries = Deliveries(engine)
            parts = SenderParts(deliveries, outbound.send, clock, Random(1))
            sender = Sender([Endpoint(url, secret, frozenset(KINDS))], parts)
            yield Post(receiver, sender, deliveries, clock, url, parts)


async def test_an_event_arrives_signed_and_its_row_is_gone(engine: Engine) -> None:
    async with post(engine) as here:
        await here.sender.tell(EVENT)
        assert await here.sender.visit("t") == 1
        ((message_id, said),) = here.receiver.got
        assert await here.sender.visit("t") == await here.deliveries.waiting("t") == 0
    assert (message_id, said["id"]) == ("evt_1", "evt_1")
    assert said == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "urn:embark:t",
        "type": "io.embark.action.settled.v1",
        "time": "2026-05-04T12:00:00.000000+00:00",
        "datacontenttype": "application/json",
        "data": {"actionId": "a"},
    }


async def test_told_twice_before_it_went_it_goes_once(engine: Engine) -> None:
    async with post(engine) as here:
        for _ in range(3):
            await here.sender.tell(EVENT)
        await here.sender.visit("t")
        assert len(here.receiver.got) == 1


async def test_only_what_somebody_wants_to_hear_is_told(engine: Engine) -> None:
    async with post(engine) as here:
        await here.another("action.unknown").tell(EVENT)
        assert await here.deliveries.waiting("t") == 0
        await here.another("action.unknown").tell(replace(EVENT, kind="action.unknown"))
        assert await here.deliveries.waiting("t") == 1


async def test_what_fails_is_tried_again_by_the_schedule_and_given_up(engine: Engine) -> None:
    async with post(engine) as here:
        here.receiver.statuses = [500, 302, 404, 429] * 3
        await here.sender.tell(EVENT)
        for pause in SCHEDULE_S:
            assert await here.sender.visit("t") == 1
            here.clock.pass_s(pause - 1)
            assert await here.sender.visit("t") == 0
            here.clock.pass_s(1 + pause / 10)
        assert await here.deliveries.waiting("t") == 1
        assert await here.sender.visit("t") == 1
        assert await here.deliveries.waiting("t") == 0
        ids = {message_id for message_id, _ in here.receiver.got}
        assert (len(here.receiver.got), ids) == (len(SCHEDULE_S) + 1, {"evt_1"})


async def test_who_answers_gone_hears_no_more_of_it(engine: Engine) -> None:
    async with post(engine) as here:
        here.receiver.statuses = [410]
        await here.sender.tell(EVENT)
        await here.sender.visit("t")
        assert await here.deliveries.waiting("t") == 0


async def test_where_nobody_listens_it_waits(engine: Engine) -> None:
    async with Outbound(Reach(frozenset(), frozenset({"127.0.0.1:9"}))) as outbound:
        clock, deliveries = Clock(), Deliveries(engine)
        parts = SenderParts(deliveries, outbound.send, clock, Random(1))
        for url in ("http://127.0.0.1:9/hook", "https://10.0.0.8/inside"):
            sender = Sender([Endpoint(url, SECRET, frozenset(KINDS))], parts)
            await sender.tell(EVENT)
            assert await sender.visit("t") == 1
        assert await deliveries.waiting("t") == 2
        clock.pass_s(10)
        await Sender([], parts).visit("t")  # of endpoints that were taken out nothing waits
        assert await deliveries.waiting("t") == 0


async def test_of_many_processes_one_sends_it(engine: Engine) -> None:
    async with post(engine) as here:
        for number in range(20):
            await here.sender.tell(replace(EVENT, id=f"evt_{number}"))
        others = [here.another(*KINDS) for _ in range(4)]
        for _ in range(4):
            await asyncio.gather(*(other.visit("t") for other in others))
        ids = sorted(message_id for message_id, _ in here.receiver.got)
        assert ids == sorted(f"evt_{number}" for number in range(20))


async def test_what_a_dead_process_took_is_taken_over(engine: Engine) -> None:
    async with post(engine) as here:
        await here.sender.tell(EVENT)
        assert len(await here.deliveries.due("t", here.clock())) == 1
        assert await here.sender.visit("t") == 0
        here.clock.pass_s(LEASE_S)
        assert await here.sender.visit("t") == 1
        assert len(here.receiver.got) == 1


async def test_of_another_tenant_nothing_is_sent(engine: Engine) -> None:
    async with post(engine) as here:
        await here.sender.tell(replace(EVENT, tenant="t2"))
        assert await here.sender.visit("t") == 0
        assert await here.sender.visit("t2") == 1


async def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    with pytest.raises(JournalUnavailableError):
        await Deliveries(engine).add(EVENT, ["https://x.example"], START)
    engine.dispose()


# --- what is told --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("action.succeeded", "action.settled"),
        ("action.failed", "action.settled"),
        ("action.refused", "action.settled"),
        ("action.compensated", "action.settled"),
        ("action.stuck", "action.settled"),
        ("action.unknown", "action.unknown"),
        ("action.pending", None),
        ("action.started", None),
        ("action.compensating", None),
        ("reminder", None),
    ],
)
async def test_what_ends_or_waits_for_a_person_is_told(kind: str, told: str | None) -> None:
    floor = Floor()
    action = await floor.pending({"name": "secret name", "value": "secret value"})
    row = OutboxRow(7, "t", kind, action.id, "th1", START)
    assert is_told(row) is (told is not None)
    if told is None:
        return
    event = of_action(row, action)
    assert event.kind == told
    assert event.id == of_action(row, action).id != of_action(replace(row, id=8), action).id
    assert event.data["actionId"] == action.id
    assert "secret" not in event.body()
    assert "ana" not in event.body()


async def test_an_erasure_is_told_without_whom_it_was_of() -> None:
    action = await Floor().pending()
    keeper = Principal("t", KEEPER, "")
    row = OutboxRow(7, "t", "action.succeeded", action.id, None, START)
    erased = replace(action, who=keeper, call=ToolCall(ERASE, "1", {"subject": "usr_9"}))
    event = of_action(row, replace(erased, receipt="rcpt_4"))
    assert event.kind == "erasure.completed"
    assert event.data == {"erasureId": action.id, "receipt": "rcpt_4"}
    assert "usr_9" not in event.body()
    shown = replace(erased, call=ToolCall(DISCLOSE, "1", {"subject": "usr_9"}))
    assert "usr_9" not in of_action(row, shown).body()


def test_a_checkpoint_goes_out_whole() -> None:
    stored = StoredCheckpoint("t", 128, "note\n", (), START)
    event = of_checkpoint(stored)
    assert (event.kind, event.data) == ("receipts.checkpoint", {"size": 128, "note": "note\n"})
    assert event.id != of_checkpoint(replace(stored, size=129)).id


# --- what came -----------------------------------------------------------------------------------


async def test_a_message_is_taken_once_in_a_day(engine: Engine) -> None:
    here, there = SeenMessages(engine), SeenMessages(engine)
    tries = (each.take("t", "host", "m1", START) for each in [here, there] * 8)
    assert sorted(await asyncio.gather(*tries)) == [False] * 15 + [True]
    assert await here.take("t", "host", "m2", START)
    assert await here.take("t", "other", "m1", START)
    assert await here.take("t2", "host", "m1", START)
    almost = START + timedelta(seconds=KEPT_S - 1)
    assert not await here.take("t", "host", "m1", almost)
    assert await here.take("t", "host", "m1", START + timedelta(seconds=KEPT_S))


async def test_what_could_not_be_done_may_come_again(engine: Engine) -> None:
    seen = SeenMessages(engine)
    assert await seen.take("t", "host", "m1", START)
    await seen.give_back("t", "host", "m1")
    assert await seen.take("t", "host", "m1", START)
