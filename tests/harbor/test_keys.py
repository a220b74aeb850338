"""What programs meet: rate limits of keys, the events that they send, the month's limit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.harbor.running import Harbor, running_harbor

HEAD = "event,user_id,occurred_at,event_id\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(running: Harbor) -> Harbor:
    running.reset()
    return running


@dataclass
class Program:
    """Calls with an API key."""

    harbor: Harbor
    key: str

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        return self.harbor.client.request(method, path, headers=headers, **more)

    def send(self, *events: dict[str, Any], **more: Any) -> httpx.Response:
        return self.call("POST", "/v1/events", json={"events": events}, **more)


def _program(harbor: Harbor, *scopes: str, token: str | None = None) -> Program:
    bearer = {"authorization": f"Bearer {token or harbor.session['tokens']['owner']}"}
    body = {"name": "etl", "scopes": scopes, "expires_in_days": 365}
    made = harbor.client.post("/v1/api-keys", json=body, headers=bearer)
    assert made.status_code == 201, made.text
    return Program(harbor, made.json()["key"])


@pytest.fixture
def small(harbor: Harbor) -> tuple[Harbor, str]:
    """A workspace that fell back to Free when its trial ended, and its owner's token."""
    person = {"email": "o@small.example", "password": "a long enough one"}
    more = {"name": "O", "workspace": "Small"}
    harbor.client.post("/v1/sign-up", json={**person, **more}).raise_for_status()
    harbor.ahead(days=14.1)
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        token = harbor.client.post("/v1/tokens", json=person).raise_for_status().json()["token"]
        me = harbor.client.get("/v1/me", headers={"authorization": f"Bearer {token}"}).json()
        if me["plan"] == "free":
            return harbor, token
        time.sleep(0.1)
    raise TimeoutError("the trial goes on")


def _event(number: int, **more: Any) -> dict[str, Any]:
    return {"event": "report_exported", "user_id": "u-17", "event_id": f"e-{number}",
            "occurred_at": datetime.now(UTC).isoformat(), **more}  # fmt: skip


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- rates --------------------------------------------------------------------------------------


def test_a_key_is_told_where_it_stands_and_a_person_is_not_counted(harbor: Harbor) -> None:
    program = _program(harbor, "data:read")
    first, second = (program.call("GET", "/v1/metrics") for _ in range(2))

    assert first.headers["ratelimit-limit"] == "3000"
    left = [int(answer.headers["ratelimit-remaining"]) for answer in (first, second)]
    assert left == [2999, 2998]
    assert 0 < int(second.headers["ratelimit-reset"]) <= 60
    refused = program.call("GET", "/v1/dashboards")
    assert (refused.status_code, refused.headers["ratelimit-remaining"]) == (403, "2997")
    assert "ratelimit-limit" not in harbor.call("GET", "/v1/metrics").headers


def test_above_the_rate_a_key_waits_and_people_go_on(small: tuple[Harbor, str]) -> None:
    harbor, token = small
    program = _program(harbor, "data:read", token=token)
    answers = [program.call("GET", "/v1/metrics") for _ in range(25)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert len(refused) == 5, "twice the rate of 60 a minute, for ten seconds"
    assert {_code(answer) for answer in refused} == {(429, "HBR-303")}
    assert 0 < int(refused[0].headers["retry-after"]) <= 10
    assert refused[0].headers["ratelimit-limit"] == "60"
    bearer = {"authorization": f"Bearer {token}"}
    assert harbor.client.get("/v1/metrics", headers=bearer).status_code == 200
    harbor.ahead(days=14.1, seconds=30)
    assert program.call("GET", "/v1/metrics").status_code == 200


def test_the_minute_has_its_limit_too(small: tuple[Harbor, str]) -> None:
    harbor, token = small
    program = _program(harbor, "data:read", token=token)
    answers: list[httpx.Response] = []
    for step in range(5):
        harbor.ahead(days=14.1, seconds=11 * step)
        answers += [program.call("GET", "/v1/metrics") for _ in range(18)]

    assert sum(answer.status_code == 200 for answer in answers) == 60
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60


def test_keys_of_free_read_and_send_events_alone(small: tuple[Harbor, str]) -> None:
    harbor, token = small
    program = _program(harbor, "dashboards:write", "dashboards:read", "events:write", token=token)

    assert _code(program.call("POST", "/v1/dashboards", json={"name": "A"})) == (403, "HBR-901")
    assert program.call("GET", "/v1/dashboards").status_code == 200
    at = (datetime.now(UTC) + timedelta(days=14)).isoformat()
    assert program.send(_event(1, occurred_at=at)).json()["accepted"] == 1


# --- events -------------------------------------------------------------------------------------


def test_events_are_taken_and_known_ids_are_not_stored_twice(harbor: Harbor) -> None:
    program = _program(harbor, "events:write")
    events = [_event(n, properties={"pages": 12}) for n in range(3)]
    first = program.send(*events)
    again = program.send(*events, _event(3))

    assert (first.status_code, first.json()) == (
        202, {"accepted": 3, "stored": 3, "rejected": []},
    )  # fmt: skip
    assert (again.json()["accepted"], again.json()["stored"]) == (4, 1)
    metrics = harbor.call("GET", "/v1/metrics").json()["items"]
    assert {m["id"]: m["value"] for m in metrics}["met_events"] == 4
    assert harbor.call("GET", "/v1/billing").json()["events_used"] == 4


@pytest.mark.parametrize(
    "bad",
    [
        {"user_id": ""},
        {"event": "x" * 101},
        {"occurred_at": "yesterday"},
        {"occurred_at": "2026-11-20T10:00:00"},
        {"occurred_at": (datetime.now(UTC) + timedelta(hours=25)).isoformat()},
        {"occurred_at": (datetime.now(UTC) - timedelta(days=1900)).isoformat()},
        {"properties": {"note": "x" * 10_001}},
        {"properties": {f"p{n}": n for n in range(101)}},
    ],
)
def test_a_bad_event_does_not_spoil_the_others(harbor: Harbor, bad: dict[str, Any]) -> None:
    answer = _program(harbor, "events:write").send(_event(1), _event(2, **bad), _event(3)).json()

    assert (answer["accepted"], answer["stored"]) == (2, 2)
    (refused,) = answer["rejected"]
    assert (refused["index"], refused["event_id"]) == (1, "e-2")
    assert refused["reason"]


def test_a_request_has_its_limits(harbor: Harbor) -> None:
    program = _program(harbor, "events:write")

    assert program.send(*(_event(n) for n in range(501))).status_code == 422
    big = [_event(n, properties={"note": "x" * 9_000}) for n in range(120)]
    assert _code(program.send(*big)) == (413, "HBR-408")
    body = (part for part in [json.dumps({"events": big}).encode()])
    chunked = {"content-type": "application/json"}
    answer = program.call("POST", "/v1/events", content=body, headers=chunked)
    assert _code(answer) == (413, "HBR-408")
    assert _code(_program(harbor, "data:read").send(_event(1))) == (403, "HBR-703")


def test_a_repeated_key_gives_the_same_answer(harbor: Harbor) -> None:
    program = _program(harbor, "events:write")
    event, key = _event(1), {"idempotency-key": "batch-1"}
    first, again = (program.send(event, headers=key) for _ in range(2))

    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "ratelimit-remaining" in again.headers


def test_who_was_deleted_does_not_come_back(harbor: Harbor) -> None:
    program = _program(harbor, "events:write")
    program.send(_event(1), _event(2, user_id="u-18"))
    gone = {"user_ids": ["u-17"]}
    assert harbor.call("POST", "/v1/privacy/deletions", json=gone).json()["events_deleted"] == 1

    assert program.send(_event(1), _event(3, user_id="u-18")).json()["stored"] == 1
    metrics = harbor.call("GET", "/v1/metrics").json()["items"]
    assert {m["id"]: m["value"] for m in metrics}["met_events"] == 2


def test_on_free_intake_stops_at_the_months_limit(small: tuple[Harbor, str]) -> None:
    harbor, token = small
    bearer = {"authorization": f"Bearer {token}"}
    now = datetime.now(UTC) + timedelta(days=14)
    rows = "".join(f"e,u{n % 50},{now.isoformat()},{n}\n" for n in range(99_990))
    files = {"file": ("rows.csv", (HEAD + rows).encode())}
    upload = harbor.client.post("/v1/uploads", files=files, headers=bearer).json()["id"]
    _import(harbor, bearer, upload, "succeeded")
    program = _program(harbor, "events:write", token=token)

    def send(first: int, count: int) -> httpx.Response:
        return program.send(*(_event(n, occurred_at=now.isoformat())
                              for n in range(first, first + count)))  # fmt: skip

    assert _code(send(0, 11)) == (403, "HBR-406")
    assert send(0, 10).json()["stored"] == 10
    assert _code(send(20, 1)) == (403, "HBR-406")
    started = {"upload_id": upload, "mode": "full"}
    answer = harbor.client.post("/v1/imports", json=started, headers=bearer)
    assert _code(answer) == (403, "HBR-406")
    harbor.ahead(days=46)
    assert send(30, 1).json()["stored"] == 1, "a new month"


def _import(harbor: Harbor, bearer: dict[str, str], upload: str, wanted: str) -> None:
    started = {"upload_id": upload, "mode": "full"}
    made = harbor.client.post("/v1/imports", json=started, headers=bearer).json()["id"]
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        found = harbor.client.get(f"/v1/imports/{made}", headers=bearer).json()
        if found["state"] not in ("queued", "running"):
            assert found["state"] == wanted, found
            return
        time.sleep(0.1)
    raise TimeoutError(made)


def test_a_downgrade_holds_from_the_first_of_the_month(harbor: Harbor) -> None:
    answer = harbor.call("PUT", "/v1/billing/plan", json={"plan": "team"}).json()
    assert answer["effective"] == "end_of_period"
    assert harbor.call("GET", "/v1/me").json()["plan"] == "enterprise"
    harbor.ahead(days=32)
    harbor.sign_in()
    ends = time.monotonic() + 10
    while harbor.call("GET", "/v1/me").json()["plan"] != "team":
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert harbor.call("GET", "/v1/workspace").json()["next_plan"] is None
