"""What the host's backend tells is done once, and only if the host said it."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from api import Acts
from api.hooks import HostHooks
from guardrails.retention import UnderHoldError
from guardrails.store import StoreUnavailableError
from tests.api.minting import NOW
from tests.api.serving import app_of
from tests.api.twin import ScriptedAssistant
from tests.tools.acting.floor import Clock
from tests.tools.journal.databases import postgres, sqlite
from tests.tools.webhooks.test_signing import CLASSES, Message
from tools.webhooks import SeenMessages, prepare, read_secrets, signed
from tools.webhooks.signing import ID, TOLERANCE_S

OLD, NEW = (f"whsec_{base64.b64encode(bytes([n] * 32)).decode()}" for n in (1, 2))
SECRETS = read_secrets(f"{OLD} {NEW}")
REPLAYED, HONEST = 300, 30
PATH = "/v1/webhooks/host"


@dataclass
class Host:
    """The host's backend; `done` is what we did on its word."""

    http: httpx.AsyncClient
    clock: Clock
    done: list[tuple[str, str]] = field(default_factory=list)
    failure: Exception | None = None

    async def sends(
        self, kind: str, message_id: str = "m1", at: datetime | None = None, **data: Any
    ) -> httpx.Response:
        body = json.dumps({"type": kind, "data": data}).encode()
        return await self.raw(Message(signed(SECRETS, message_id, at or self.clock(), body), body))

    async def raw(self, message: Message) -> httpx.Response:
        kind = {"content-type": "application/json"}
        return await self.http.post(PATH, content=message.body, headers=message.headers | kind)

    async def does(self, what: str, about: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.done.append((what, about))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path) if request.param == "sqlite" else postgres() as engine:
        prepare(engine)
        yield engine


@pytest.fixture
async def host(engine: Engine) -> AsyncIterator[Host]:
    clock, there = Clock(NOW), list[Host]()

    def deed(what: str) -> Any:
        async def done(about: str) -> None:
            await there[0].does(what, about)

        return done

    hooks = HostHooks(
        SECRETS, SeenMessages(engine), clock, deed("erase"), deed("end"), deed("hide")
    )
    app = app_of(ScriptedAssistant(), acts=Acts(hooks=hooks))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        there.append(Host(http, clock))
        yield there[0]


async def test_what_the_host_tells_is_done(host: Host) -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("user.deleted", {"subject": "usr_1"}),
        ("access.revoked", {"subject": "usr_2", "why": "left"}),
        ("document.revoked", {"path": "guides/invite.md"}),
        ("invoice.paid", {"amount": 5}),
    ]
    for number, (kind, data) in enumerate(told):
        answer = await host.sends(kind, f"m{number}", **data)
        expected = "ignored" if kind == "invoice.paid" else "accepted"
        assert (answer.status_code, answer.json()) == (200, {"status": expected})
    assert host.done == [("erase", "usr_1"), ("end", "usr_2"), ("hide", "guides/invite.md")]


async def test_a_message_is_acted_on_once_whenever_it_comes_again(host: Host) -> None:
    for seconds in (0, 0, 5, TOLERANCE_S - 5):
        host.clock.pass_s(seconds)
        await host.sends("user.deleted", "m1", NOW, subject="usr_1")
        again = await host.sends("user.deleted", "m1", subject="usr_1")  # a try of its own
        assert again.json() == {"status": "repeated"}
    host.clock.pass_s(1)
    late = await host.sends("user.deleted", "m1", NOW, subject="usr_1")
    assert (late.status_code, late.json()["code"]) == (401, "webhook_refused")
    assert host.done == [("erase", "usr_1")]


async def test_what_could_not_be_done_may_come_again(host: Host) -> None:
    host.failure = UnderHoldError("usr_1")
    refused = await host.sends("user.deleted", subject="usr_1")
    assert (refused.status_code, refused.json()["code"]) == (409, "legal_hold")
    host.failure = StoreUnavailableError("away")
    away = await host.sends("user.deleted", subject="usr_1")
    assert (away.status_code, away.json()["code"]) == (503, "database_unavailable")
    host.failure = None
    assert (await host.sends("user.deleted", subject="usr_1")).json() == {"status": "accepted"}


async def test_forged_and_replayed_messages_do_nothing(host: Host) -> None:
    rng = Random(5)
    answers: Counter[tuple[int, str]] = Counter()
    for number in range(REPLAYED):
        forge = list(CLASSES)[number % len(CLASSES)]
        answer = await host.raw(_sendable(forge(rng)))
        answers[answer.status_code, answer.json()["code"]] += 1
    assert answers == {(401, "webhook_refused"): REPLAYED}
    assert host.done == []


async def test_good_messages_replayed_in_any_order_are_done_once_each(host: Host) -> None:
    rng = Random(6)
    sent = [f"m{number}" for number in range(HONEST)]
    again = [each for each in sent for _ in range(REPLAYED // HONEST)]
    rng.shuffle(again)
    answers: Counter[str] = Counter()
    for message_id in [*sent, *again]:
        answer = await host.sends("user.deleted", message_id, NOW, subject=message_id)
        answers[answer.json()["status"]] += 1
    assert answers == {"accepted": HONEST, "repeated": REPLAYED}
    assert host.done == [("erase", message_id) for message_id in sent]


def _sendable(message: Message) -> Message:
    """HTTP carries no line feed and nothing but Latin-1 in a header, and trims it."""
    headers = {
        name: value.encode("ascii", "replace").decode().replace("\n", "")
        for name, value in message.headers.items()
    }
    headers = {n: v if v == v.strip() else f"{v.strip()}!" for n, v in headers.items()}
    changed = headers != message.headers
    return Message(headers | ({ID: f"{headers.get(ID, '')}."} if changed else {}), message.body)


async def test_a_header_that_comes_twice_is_none(host: Host) -> None:
    body = json.dumps({"type": "user.deleted", "data": {"subject": "usr_1"}}).encode()
    good = signed(SECRETS, "m1", NOW, body)
    for name, value in good.items():
        doubled = [*good.items(), (name, value)]
        answer = await host.http.post(PATH, content=body, headers=doubled)
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "/"),
        (b"no json", "/"),
        (b'{"type": "user.deleted"}', "/data"),
        (b'{"type": "user.deleted", "data": {}}', "/subject"),
        (b'{"type": "user.deleted", "data": {"subject": ""}}', "/subject"),
        (b'{"type": "user.deleted", "data": {"subject": 7}}', "/subject"),
        (b'{"type": "document.revoked", "data": {"subject": "x"}}', "/path"),
    ],
)
async def test_rightly_signed_nonsense_is_named(host: Host, body: bytes, where: str) -> None:
    answer = await host.raw(Message(signed(SECRETS, "m1", NOW, body), body))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, where)
    assert host.done == []


async def test_without_a_secret_there_is_nothing_to_tell() -> None:
    transport = httpx.ASGITransport(app_of(ScriptedAssistant(), acts=Acts()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.post(PATH, content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (404, "webhooks_off")
