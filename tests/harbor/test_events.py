"""What people do in Harbor comes out as product events: in order, tried again, none lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harbor.receiving import Receiver, receiving
from tests.harbor.running import Harbor, running_harbor

FLAGS = ("--events-key", "secret-1", "--events-url")
CSV = "event,user_id,occurred_at\nopened,u1,2026-11-01T00:00:00Z\n"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def _listened(receiver: Receiver, folder: Path) -> Any:
    return running_harbor(folder, *FLAGS, receiver.url + "/v1/batch")


@pytest.fixture
def harbor(receiver: Receiver, tmp_path: Path) -> Iterator[Harbor]:
    with _listened(receiver, tmp_path) as found:
        yield found


def _events(receiver: Receiver) -> list[dict[str, Any]]:
    """All that were taken; what was answered with an error is not here."""
    return [event for sent in list(receiver.taken) for event in json.loads(sent.body)["batch"]]


def _tracks(receiver: Receiver) -> list[dict[str, Any]]:
    return [event for event in _events(receiver) if event["type"] == "track"]


def _names(receiver: Receiver) -> list[str]:
    """Each once: what was taken just before a stop may come again."""
    return list({event["messageId"]: event["event"] for event in _tracks(receiver)}.values())


def _wait(receiver: Receiver, count: int, wait_s: float = 20) -> list[str]:
    ends = time.monotonic() + wait_s
    while len(_names(receiver)) < count:
        assert time.monotonic() < ends, _names(receiver)
        time.sleep(0.02)
    return _names(receiver)


def _dashboards(harbor: Harbor, names: Iterator[int]) -> None:
    for number in names:
        body = {"name": f"D{number}"}
        harbor.call("POST", "/v1/dashboards", json=body).raise_for_status()


def _connect(harbor: Harbor, key: str) -> httpx.Response:
    body = {"kind": "stripe", "credentials": {"restricted_key": key}}
    made = harbor.call("POST", "/v1/connections", json=body).json()["id"]
    return harbor.call("POST", f"/v1/connections/{made}/check")


def _imported(harbor: Harbor, text: str) -> None:
    files = {"file": ("rows.csv", text.encode())}
    upload = harbor.call("POST", "/v1/uploads", files=files).json()["id"]
    body = {"upload_id": upload, "mode": "full"}
    made = harbor.call("POST", "/v1/imports", json=body).json()["id"]
    ends = time.monotonic() + 20
    while harbor.call("GET", f"/v1/imports/{made}").json()["state"] in ("queued", "running"):
        assert time.monotonic() < ends
        time.sleep(0.02)


def _code(secret: str) -> str:
    """RFC 6238, as an authenticator app computes it."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def _secured(harbor: Harbor) -> None:
    secret = harbor.call("POST", "/v1/me/mfa").json()["secret"]
    harbor.call("POST", "/v1/me/mfa/confirm", json={"code": _code(secret)}).raise_for_status()
    domain = harbor.call("POST", "/v1/domains", json={"domain": "x.example"}).json()
    record = {"name": "x.example", "txt": domain["record"]}
    harbor.client.put("/_sandbox/dns", json=record).raise_for_status()
    harbor.call("POST", f"/v1/domains/{domain['id']}/verify").raise_for_status()
    oidc = {"issuer": "https://login.x.example", "client_id": "c", "client_secret": "12345678"}
    harbor.call("PUT", "/v1/sso/oidc", json=oidc).raise_for_status()


def test_what_a_person_does_comes_out_in_its_order(harbor: Harbor, receiver: Receiver) -> None:
    session = harbor.session
    body = {"email": session["emails"]["owner"], "password": session["password"]}
    harbor.client.post("/v1/sign-in", json=body).raise_for_status()
    harbor.client.cookies.clear()
    _connect(harbor, "rk_live_1")
    assert _connect(harbor, "rk_live_revoked").status_code == 422
    _imported(harbor, CSV)
    _imported(harbor, CSV + "opened,,x\n")
    harbor.call("POST", "/v1/dashboards", json={"name": "A"}).raise_for_status()
    invite = {"email": "zoe@x.example", "role": "viewer"}
    harbor.call("POST", "/v1/invites", json=invite).raise_for_status()
    link = harbor.call("POST", "/v1/invite-links", json={"role": "viewer"}).json()["token"]
    joins = {"token": link, "name": "Al", "password": "a long enough one", "email": "al@x.example"}
    joined = harbor.client.post("/v1/invites/accept", json=joins).json()["user_id"]
    harbor.call("POST", "/v1/kits/fintech/apply").raise_for_status()
    _secured(harbor)
    plan = {"plan": "enterprise", "interval": "monthly"}
    harbor.call("PUT", "/v1/billing/plan", json=plan).raise_for_status()
    key = {"name": "etl", "scopes": ["data:read"]}
    harbor.call("POST", "/v1/api-keys", json=key).raise_for_status()
    alert = {"metric_id": "met_wau", "condition": "below", "threshold": 5}
    harbor.call("POST", "/v1/alerts", json=alert).raise_for_status()
    wanted = [
        "Signed In", "Connection Created", "Connection Checked", "Connection Created",
        "Connection Check Failed", "Import Started", "Import Finished", "Import Started",
        "Import Failed", "Dashboard Created", "Member Invited", "Invite Link Created",
        "Member Joined", "Kit Applied", "MFA Enabled", "Domain Added", "Domain Verified",
        "SSO Configured", "Plan Changed", "API Key Created", "Alert Created",
    ]  # fmt: skip
    assert _wait(receiver, len(wanted)) == wanted

    assert {sent.headers["authorization"] for sent in receiver.got} == {"Bearer secret-1"}
    by_name = {event["event"]: event for event in _tracks(receiver)}
    owner = session["members"]["owner"]
    for name, event in by_name.items():
        assert event["userId"] == (joined if name == "Member Joined" else owner)
        assert event["context"]["groupId"] == session["workspace"]
        late = datetime.now(UTC) - datetime.fromisoformat(event["timestamp"])
        assert 0 <= late.total_seconds() < 60
    assert by_name["Connection Check Failed"]["properties"]["error_code"] == "HBR-201"
    failed = by_name["Import Failed"]["properties"]
    assert (failed["connector"], failed["error_code"]) == ("csv", "HBR-403")
    everything = str(_events(receiver))
    assert "zoe@x.example" not in everything, "addresses of people stay in Harbor"


def test_what_a_program_does_is_the_workspaces(harbor: Harbor, receiver: Receiver) -> None:
    key = {"name": "etl", "scopes": ["dashboards:write"]}
    secret = harbor.call("POST", "/v1/api-keys", json=key).json()["key"]
    bearer = {"authorization": f"Bearer {secret}"}
    harbor.client.post("/v1/dashboards", json={"name": "A"}, headers=bearer).raise_for_status()
    _wait(receiver, 2)
    made = _events(receiver)[-1]

    assert "userId" not in made
    assert made["anonymousId"] == harbor.session["workspace"]


def test_what_was_refused_is_told_as_that_alone(harbor: Harbor, receiver: Receiver) -> None:
    assert harbor.call("POST", "/v1/dashboards", "viewer", json={"name": "A"}).status_code == 403
    assert harbor.call("POST", "/v1/dashboards", json={}).status_code == 422
    assert harbor.client.post("/v1/dashboards", json={"name": "A"}).status_code == 401
    harbor.call("POST", "/v1/dashboards", json={"name": "A"}).raise_for_status()
    assert _wait(receiver, 2) == ["Permission Denied", "Dashboard Created"]
    time.sleep(1)
    denied, made = _events(receiver)
    assert denied["userId"] == harbor.session["members"]["viewer"] != made["userId"]
    assert denied["properties"] == {"operation": "create_dashboard", "error_code": "forbidden"}


def test_a_program_that_asks_too_often_is_told(harbor: Harbor, receiver: Receiver) -> None:
    key = {"name": "etl", "scopes": ["data:read"]}
    secret = harbor.call("POST", "/v1/api-keys", json=key).json()["key"]
    bearer = {"authorization": f"Bearer {secret}"}
    codes = [harbor.client.get("/v1/connections", headers=bearer).status_code for _ in range(1100)]
    assert codes[-1] == 429
    _wait(receiver, 2)
    limited = _tracks(receiver)[1]
    assert (limited["event"], limited["properties"]["error_code"]) == ("Rate Limited", "HBR-303")
    assert limited["properties"]["retry_after_s"] > 0
    assert limited["anonymousId"] == harbor.session["workspace"]


def test_who_is_who_comes_along(harbor: Harbor, receiver: Receiver) -> None:
    said = {"email": "new@fresh.example", "password": "a long enough one", "name": "Nia",
            "workspace": "Fresh"}  # fmt: skip
    visitor = {"cookie": "ajs_anonymous_id=v-1"}
    made = harbor.client.post("/v1/sign-up", json=said, headers=visitor).json()
    link = harbor.call("POST", "/v1/invite-links", json={"role": "viewer"}).json()["token"]
    joins = {"token": link, "name": "Al", "password": "a long enough one", "email": "al@x.example"}
    joined = harbor.client.post("/v1/invites/accept", json=joins).json()["user_id"]
    path, anyhow = f"/v1/members/{joined}", {"if-match": "*"}
    harbor.call("PATCH", path, json={"role": "editor"}, headers=anyhow).raise_for_status()
    plan = {"plan": "enterprise", "interval": "yearly"}
    harbor.call("PUT", "/v1/billing/plan", json=plan).raise_for_status()
    _wait(receiver, 5)
    time.sleep(1)
    people = [event for event in _events(receiver) if event["type"] == "identify"]
    groups = [event for event in _events(receiver) if event["type"] == "group"]

    assert [event["userId"] for event in people] == [made["user_id"], joined, joined]
    assert people[0]["anonymousId"] == "v-1"
    assert people[0]["traits"].items() >= {
        "role": "owner", "plan": "growth", "email_domain": "fresh.example", "invited": False,
    }.items()  # fmt: skip
    assert (people[1]["traits"]["invited"], people[2]["traits"]["role"]) == (True, "editor")
    assert [event["groupId"] for event in groups] == [
        made["workspace_id"], harbor.session["workspace"], harbor.session["workspace"],
    ]  # fmt: skip
    assert (groups[0]["traits"]["members"], groups[0]["traits"]["trial"]) == (1, True)
    assert groups[2]["traits"]["plan"] == "enterprise"
    everything = str(_events(receiver))
    assert not any(name in everything for name in ("new@fresh", "Nia", "al@x.example"))


def test_after_an_error_the_same_events_come_again_in_order(
    harbor: Harbor, receiver: Receiver
) -> None:
    receiver.status = 500
    _dashboards(harbor, iter(range(5)))
    invite = {"email": "zoe@x.example", "role": "viewer"}
    harbor.call("POST", "/v1/invites", json=invite).raise_for_status()
    receiver.wait(2)
    receiver.status = 200
    assert _wait(receiver, 6) == ["Dashboard Created"] * 5 + ["Member Invited"]
    time.sleep(1)
    taken = _events(receiver)
    first = json.loads(receiver.got[0].body)["batch"][0]["messageId"]
    assert taken[0]["messageId"] == first
    assert len({event["messageId"] for event in taken}) == 6


def test_one_event_that_is_refused_does_not_hold_up_the_others(
    harbor: Harbor, receiver: Receiver
) -> None:
    receiver.go.clear()
    _dashboards(harbor, iter(range(1)))
    receiver.wait(1)
    _dashboards(harbor, iter(range(4)))
    invite = {"email": "zoe@x.example", "role": "viewer"}
    harbor.call("POST", "/v1/invites", json=invite).raise_for_status()
    receiver.unfit = b"Member Invited"
    receiver.go.set()
    harbor.call("POST", "/v1/api-keys", json={"name": "k", "scopes": ["data:read"]})
    assert _wait(receiver, 6) == ["Dashboard Created"] * 5 + ["API Key Created"]


def test_nothing_is_lost_over_kills(receiver: Receiver, tmp_path: Path) -> None:
    """Killed while the receiver fails, while it holds a batch, and while all is well."""
    with ExitStack() as runs:
        for place, (status, holds) in enumerate(((500, False), (200, True), (200, False))):
            harbor = runs.enter_context(_listened(receiver, tmp_path))
            receiver.status = status
            if holds:
                receiver.go.clear()
            _dashboards(harbor, iter(range(10)))
            harbor.call("POST", "/v1/alerts", json={
                "metric_id": "met_wau", "condition": "above", "threshold": place,
            }).raise_for_status()  # fmt: skip
            if status == 500 or holds:
                receiver.wait(len(receiver.got) + 1)
            harbor.kill()
            receiver.go.set()
            (tmp_path / "demo.json").unlink()
        runs.enter_context(_listened(receiver, tmp_path))
        names = _wait(receiver, 33)

    assert names == (["Dashboard Created"] * 10 + ["Alert Created"]) * 3
