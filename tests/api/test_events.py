"""Events over HTTP: Segment's shapes, paths and credentials; caps; results one by one."""

from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from typing_extensions import override

from api import errors, event_stream, events
from api.events import MAX_BYTES, EventDesk, WriteKeys
from guardrails.store import StoreUnavailableError
from onboarding.events import Addition, Appended
from onboarding.events.intake import Intake, IntakeParts
from onboarding.events.memory import MemoryEventLog
from tests.contracts.events import mac
from tests.onboarding.events.parts import House, house, track
from tools.types import Actor, Principal

KEY = "write-key-0123456789"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class AwayLog(MemoryEventLog):
    """One that does not answer while `away`."""

    away = False

    @override
    async def append(self, tenant: str, additions: Sequence[Addition]) -> tuple[Appended, ...]:
        if self.away:
            raise StoreUnavailableError("away")
        return await super().append(tenant, additions)


async def identify(token: str) -> Actor | None:
    people = {"ana-token": "ana", "bo-token": "bo"}
    if token not in people:
        return None
    return Actor(Principal("t", people[token], "acme"), frozenset())


def app_of(home: House) -> FastAPI:
    parts = IntakeParts(home.catalogue, home.log, home.log, home.consents, home.seal)
    desk = EventDesk("t", Intake(parts), WriteKeys([KEY]), lambda: NOW, identify)
    app = FastAPI()
    app.include_router(events.router(desk))
    app.include_router(event_stream.router(desk))
    errors.install(app)
    return app


@pytest.fixture
def home(tmp_path: Path) -> House:
    found = house(tmp_path)
    found.log = AwayLog(mac)
    return found


@pytest.fixture
async def http(home: House) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(home))
    bearer = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://e", headers=bearer
    ) as client:
        yield client


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    return [each["status"] for each in answer.json()["results"]]


async def test_a_batch_has_a_result_for_each(http: httpx.AsyncClient) -> None:
    batch = [track("m1"), track("m2", rows="x"), "no message", track("m1")]
    answer = await http.post("/v1/events", json={"batch": batch})
    assert statuses(answer) == ["stored", "quarantined", "refused", "duplicate"]
    second = answer.json()["results"][1]
    assert second == {
        "messageId": "m2",
        "status": "quarantined",
        "reasons": [{"code": "datatype_mismatch", "field": "rows"}],
        "dropped": [],
        "warnings": ["bad_uuid"],
    }


@pytest.mark.parametrize("path", ["events", "batch"])
async def test_a_single_message_is_taken_there_too(http: httpx.AsyncClient, path: str) -> None:
    assert statuses(await http.post(f"/v1/{path}", json=track("m1"))) == ["stored"]


@pytest.mark.parametrize("kind", ["track", "identify", "page", "group"])
async def test_segments_own_paths_say_the_kind(
    http: httpx.AsyncClient, home: House, kind: str
) -> None:
    message = {**track("m1"), "groupId": "acme", "traits": {}, "type": "wrong"}
    assert statuses(await http.post(f"/v1/{kind}", json=message)) == ["stored"]
    assert (await home.log.read("t", "g"))[0].event.kind.value == kind


async def test_basic_credentials_hold_the_key(http: httpx.AsyncClient) -> None:
    def basic(name: str) -> dict[str, str]:
        return {"authorization": "Basic " + base64.b64encode(f"{name}:".encode()).decode()}

    assert statuses(await http.post("/v1/track", json=track("m1"), headers=basic(KEY)))
    for wrong in (basic("other"), basic(""), {"authorization": "Basic ???"}):
        answer = await http.post("/v1/track", json=track("m1"), headers=wrong)
        assert (answer.status_code, answer.json()["code"]) == (401, "write_key_invalid")


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer nobody", f"Digest {KEY}", KEY])
async def test_nobody_sends_nothing(http: httpx.AsyncClient, home: House, said: str) -> None:
    answer = await http.post("/v1/events", json=track("m1"), headers={"authorization": said})
    assert answer.status_code == 401
    assert await home.log.read("t", "g") == ()


async def test_a_person_speaks_of_themself_alone(http: httpx.AsyncClient, home: House) -> None:
    batch = [track("m1"), track("m2") | {"userId": "bo"}]
    answer = await http.post(
        "/v1/events", json={"batch": batch}, headers={"authorization": "Bearer ana-token"}
    )
    assert statuses(answer) == ["stored", "refused"]
    assert [each.event.user for each in await home.log.read("t", "g")] == ["ana"]


async def test_a_packed_body(http: httpx.AsyncClient) -> None:
    packed = gzip.compress(orjson.dumps({"batch": [track("m1")]}))
    headers = {"content-encoding": "gzip"}
    assert statuses(await http.post("/v1/batch", content=packed, headers=headers)) == ["stored"]
    for wrong in (packed[:-9], b"no gzip"):
        answer = await http.post("/v1/batch", content=wrong, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_gzip")
    bomb = gzip.compress(b" " * 50_000_000)
    answer = await http.post("/v1/batch", content=bomb, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    answer = await http.post("/v1/batch", content=b"", headers={"content-encoding": "br"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b"7", 422),
        (b'{"batch": []}', 422),
        (b'{"batch": {}}', 422),
        (orjson.dumps({"batch": [{}] * 501}), 422),
        (b'{"batch": ["' + b"a" * MAX_BYTES + b'"]}', 413),
    ],
)
async def test_what_is_no_batch(http: httpx.AsyncClient, body: bytes, status: int) -> None:
    assert (await http.post("/v1/events", content=body)).status_code == status


async def test_five_hundred_fit(http: httpx.AsyncClient) -> None:
    batch = [track(f"m{place}") for place in range(500)]
    answer = await http.post("/v1/events", json={"batch": batch})
    assert statuses(answer) == ["stored"] * 500


async def test_nothing_is_acknowledged_while_the_database_is_away(
    http: httpx.AsyncClient, home: House
) -> None:
    assert isinstance(home.log, AwayLog)
    home.log.away = True
    answer = await http.post("/v1/events", json=track("m1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"]
    home.log.away = False
    assert statuses(await http.post("/v1/events", json=track("m1"))) == ["stored"]


async def test_where_no_events_are_taken(http: httpx.AsyncClient) -> None:
    app = FastAPI()
    app.include_router(events.router(None))
    errors.install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://e") as none:
        answer = await none.post("/v1/events", json=track("m1"))
    assert (answer.status_code, answer.json()["code"]) == (404, "events_off")


def test_a_key_is_no_word() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        WriteKeys(["short"])


async def test_a_flood_of_malformed_messages_gets_answers(http: httpx.AsyncClient) -> None:
    odd: list[Any] = [None, 1, "x", [], {}, {"type": None}, {"type": "track", "userId": {}},
                      {"type": "page", "userId": "a", "properties": [], "context": 7},
                      {"type": "identify", "userId": "a", "traits": "none"},
                      {"type": "track", "userId": "\ud800".encode("utf-8", "replace").decode(),
                       "event": "x" * 200}]  # fmt: skip
    answer = await http.post("/v1/events", json={"batch": odd})
    assert len(statuses(answer)) == len(odd)
