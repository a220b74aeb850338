"""Outbound webhooks: signed, sent to a server that is really there, tried again, switched off."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harbor.receiving import Receiver, Sent, receiving
from tests.harbor.running import Harbor, running_harbor

EVERY = ["import.completed", "import.failed", "connection.failing", "member.joined",
         "invite.expired"]  # fmt: skip
CSV = "event,user_id,occurred_at\nopened,u1,2026-11-01T00:00:00Z\n"
INVITE = {"email": "zoe@x.example", "role": "viewer"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(running: Harbor) -> Harbor:
    running.reset()
    return running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def _hook(harbor: Harbor, receiver: Receiver, *events: str) -> dict[str, Any]:
    body = {"url": receiver.url + "/hook", "events": list(events or EVERY)}
    made = harbor.call("POST", "/v1/webhooks", json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def _import(harbor: Harbor, text: str = CSV) -> str:
    files = {"file": ("rows.csv", text.encode())}
    upload = harbor.call("POST", "/v1/uploads", files=files).json()["id"]
    started = harbor.call("POST", "/v1/imports", json={"upload_id": upload, "mode": "full"})
    return str(started.json()["id"])


def _body(sent: Sent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sent.body)
    return found


def _deliveries(harbor: Harbor, hook: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = harbor.call("GET", f"/v1/webhooks/{hook}/deliveries").json()[
        "items"
    ]
    return found


def _until(harbor: Harbor, hook: str, tries: int) -> dict[str, Any]:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        found = _deliveries(harbor, hook)
        if found and found[0]["tries"] >= tries:
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(_deliveries(harbor, hook))


def _state(harbor: Harbor, hook: str) -> str:
    items = harbor.call("GET", "/v1/webhooks").json()["items"]
    return str(next(item["state"] for item in items if item["id"] == hook))


def _genuine(secret: str, sent: Sent) -> bool:
    """As the documentation tells receivers to check."""
    parts = dict(item.split("=", 1) for item in sent.headers["harbor-signature"].split(","))
    wanted = hmac.new(secret.encode(), parts["t"].encode() + b"." + sent.body, hashlib.sha256)
    fresh = abs(time.time() - int(parts["t"])) <= 300
    return fresh and hmac.compare_digest(wanted.hexdigest(), parts["v1"])


def test_an_import_that_ended_is_told_signed(harbor: Harbor, receiver: Receiver) -> None:
    hook = _hook(harbor, receiver)
    started = _import(harbor)
    (sent,) = receiver.wait(1)
    body = _body(sent)

    assert _genuine(hook["signing_secret"], sent)
    assert not _genuine("whsec_another", sent)
    assert sent.headers["harbor-delivery"] == body["id"]
    assert (body["type"], body["data"]["import_id"]) == ("import.completed", started)
    assert (body["data"]["state"], body["data"]["rows"]) == ("succeeded", 1)
    assert _until(harbor, hook["id"], 1)["state"] == "delivered"


def test_what_fails_and_who_joins_and_what_expires_is_told(
    harbor: Harbor, receiver: Receiver
) -> None:
    _hook(harbor, receiver)
    link = harbor.call("POST", "/v1/invite-links", json={"role": "viewer"}).json()
    joins = {"token": link["token"], "name": "Ana", "password": "a long enough one",
             "email": "ana@x.example"}  # fmt: skip
    harbor.client.post("/v1/invites/accept", json=joins).raise_for_status()
    body = {"kind": "stripe", "credentials": {"restricted_key": "rk_live_1"}}
    made = harbor.call("POST", "/v1/connections", json=body).json()["id"]
    harbor.call("POST", f"/v1/connections/{made}/check").raise_for_status()
    harbor.fault("start_import", "partial")
    started = {"connection_id": made, "mode": "full"}
    harbor.call("POST", "/v1/imports", json=started).raise_for_status()
    receiver.wait(3)
    harbor.call("POST", "/v1/invites", json=INVITE).raise_for_status()
    harbor.ahead(days=6.9)
    time.sleep(1.5)
    assert len(receiver.got) == 3
    harbor.ahead(days=7.1)
    told = {_body(sent)["type"]: _body(sent)["data"] for sent in receiver.wait(4)}

    assert set(told) == {"member.joined", "import.failed", "connection.failing", "invite.expired"}
    assert told["import.failed"]["error"]["code"] == "HBR-107"
    assert told["connection.failing"]["connection_id"] == made
    assert told["member.joined"]["email"] == "ana@x.example"
    assert told["invite.expired"]["email"] == INVITE["email"]


def test_only_what_was_asked_for_is_sent(harbor: Harbor, receiver: Receiver) -> None:
    hook = _hook(harbor, receiver, "import.failed")
    _import(harbor)
    files = "".join(f"opened,,{n}\n" for n in range(9))
    _import(harbor, CSV + files)

    assert _body(receiver.wait(1)[0])["type"] == "import.failed"
    assert len(_deliveries(harbor, hook["id"])) == 1


def test_a_refused_delivery_is_tried_nine_times_in_a_day(
    harbor: Harbor, receiver: Receiver
) -> None:
    hook = _hook(harbor, receiver)
    receiver.status = 500
    _import(harbor)
    minutes = (0, 1, 5, 15, 45, 120, 300, 720, 1440)
    for tries, after in enumerate(minutes, 1):
        harbor.ahead(minutes=after + 0.2)
        found = _until(harbor, hook["id"], tries)
        assert found["result"] == "500"
        assert found["state"] == ("failed" if tries == len(minutes) else "waiting")
    harbor.ahead(days=2)
    time.sleep(0.5)

    assert len({sent.headers["harbor-delivery"] for sent in receiver.got}) == 1
    assert len(receiver.got) == 9


def test_a_retry_that_arrives_ends_the_trying(harbor: Harbor, receiver: Receiver) -> None:
    hook = _hook(harbor, receiver)
    receiver.status = 301
    _import(harbor)
    assert _until(harbor, hook["id"], 1)["result"] == "301"
    receiver.status = 204
    harbor.ahead(minutes=2)

    done = _until(harbor, hook["id"], 2)
    assert (done["state"], done["result"], done["next_try_at"]) == ("delivered", "204", None)
    assert len(receiver.got) == 2, "redirects are not followed"


def test_a_webhook_without_success_for_three_days_is_off_until_a_test_arrives(
    harbor: Harbor, receiver: Receiver
) -> None:
    hook = _hook(harbor, receiver)["id"]
    receiver.status = 503
    _import(harbor)
    _until(harbor, hook, 1)
    harbor.ahead(days=2.9)
    _until(harbor, hook, 2)
    assert _state(harbor, hook) == "on"
    harbor.ahead(days=3.1)
    first = _until(harbor, hook, 3)
    assert (_state(harbor, hook), first["state"]) == ("off", "failed")
    count = len(_deliveries(harbor, hook))
    _import(harbor)
    assert len(_deliveries(harbor, hook)) == count
    path = f"/v1/webhooks/{hook}"
    again = f"{path}/deliveries/{first['id']}/redeliver"
    assert harbor.call("POST", again).status_code == 409
    assert harbor.call("POST", f"{path}/enable").status_code == 409
    receiver.status = 200
    assert harbor.call("POST", f"{path}/enable").json()["state"] == "on"
    assert _body(receiver.got[-1])["type"] == "webhook.test"


def test_a_delivery_is_sent_again_by_hand_under_its_id(harbor: Harbor, receiver: Receiver) -> None:
    hook = _hook(harbor, receiver)["id"]
    _import(harbor)
    done = _until(harbor, hook, 1)
    path = f"/v1/webhooks/{hook}/deliveries"
    assert harbor.call("POST", f"{path}/{done['id']}/redeliver").status_code == 202
    first, second = receiver.wait(2)

    assert first.headers["harbor-delivery"] == second.headers["harbor-delivery"] == done["id"]
    assert first.body == second.body
    assert harbor.call("POST", f"{path}/dlv_other/redeliver").status_code == 404
    harbor.ahead(days=15)
    time.sleep(0.5)
    harbor.sign_in()
    assert _deliveries(harbor, hook) == []


@pytest.mark.parametrize("url", ["http://hooks.x.example/a", "https:///a", "ftp://127.0.0.1/a"])
def test_only_https_may_be_told(harbor: Harbor, url: str) -> None:
    body = {"url": url, "events": ["alert.fired"]}
    assert harbor.call("POST", "/v1/webhooks", json=body).status_code == 422


def test_the_secret_is_shown_once_and_lies_nowhere_in_the_open(
    harbor: Harbor, receiver: Receiver
) -> None:
    secret = _hook(harbor, receiver)["signing_secret"]

    assert secret not in harbor.call("GET", "/v1/webhooks").text
    assert secret not in harbor.client.get("/_sandbox/state?volatile=true").text


def test_what_was_on_its_way_when_harbor_was_killed_is_sent_by_the_next(
    tmp_path: Path, receiver: Receiver
) -> None:
    with running_harbor(tmp_path) as harbor:
        hook = _hook(harbor, receiver)
        receiver.go.clear()
        _import(harbor)
        receiver.wait(1)
        harbor.kill()
    receiver.go.set()
    (tmp_path / "demo.json").unlink()
    with running_harbor(tmp_path) as harbor:
        first, second = receiver.wait(2)
        assert _until(harbor, hook["id"], 1)["state"] == "delivered"
    assert first.headers["harbor-delivery"] == second.headers["harbor-delivery"]
    assert _genuine(hook["signing_secret"], second)
