"""Harbor's policy file against Harbor itself: what is done by it is undone by it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tools.canonical import new_id
from tools.configured.tool import NOTHING_TO_RESTORE
from tools.credentials import BearerToken, MemoryCredentials
from tools.lint import lint
from tools.policy import load_policy
from tools.sources import Opened, SourceParts, open_sources
from tools.tool import ForbiddenError, PartialError, ToolError
from tools.types import Attempt, Done, Principal, ToolCall
from tools.validation import validate

HARBOR = Path(__file__).parents[3] / "examples" / "harbor"
TIMES = {"created_at", "updated_at", "history"}  # a version history grows by design
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass
class House:
    """A running Harbor, its tools, and the people who signed in."""

    opened: Opened
    demo: Mapping[str, Any]
    client: httpx.AsyncClient

    def who(self, role: str = "owner") -> Principal:
        return Principal("harbor", self.demo["members"][role], self.demo["workspace"])

    def call(self, key: str, **arguments: Any) -> ToolCall:
        manifest = self.opened.by_key[key].manifest
        validate(manifest, arguments)
        return ToolCall(manifest.name, manifest.version, arguments)

    async def do(self, call: ToolCall, role: str = "owner", etag: str | None = None) -> Done:
        """As the executor does it: look, run, and where it can be told, see that it happened."""
        tool = self.opened.by_key[call.tool]
        target = await tool.look(call, self.who(role))
        attempt = Attempt(new_id(), 1, 1, etag or target.etag)
        if not tool.manifest.reads_only and etag is not None:
            assert target.etag == etag
        done = await tool.run(call, self.who(role), attempt)
        if tool.entry.read_back is not None:
            seen = await tool.read_back(call, self.who(role), replace(attempt, resumed=True))
            assert seen is not None
        return done

    async def run(self, key: str, **arguments: Any) -> Done:
        return await self.do(self.call(key, **arguments))

    async def state(self) -> Any:
        """Every object, without times and without what lies in the bin."""
        whole = (await self.client.get("/_sandbox/state?volatile=true")).json()
        return {
            kind: [_lasting(each) for each in objects if not each.get("deleted_at")]
            for kind, objects in whole.items()
        }

    async def fault(self, operation: str, kind: str) -> None:
        body = {"operation_id": operation, "fault": kind}
        (await self.client.put("/_sandbox/faults", json=body)).raise_for_status()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One process for all tests; each starts it anew within."""
    folder = tmp_path_factory.mktemp("harbor")
    command = [sys.executable, "-m", "harbor", "--data", str(folder), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--sandbox", "--seed-demo"],
        cwd=HARBOR,
        env={**os.environ, "PYTHONPATH": str(HARBOR)},
    )
    try:
        yield _ready(folder / "demo.json", process)
    finally:
        process.terminate()
        process.wait()


def _ready(file: Path, process: subprocess.Popen[bytes]) -> str:
    for _ in range(1200):
        assert process.poll() is None, "Harbor did not start"
        time.sleep(0.05)
        if file.exists():
            base = str(json.loads(file.read_text())["base_url"])
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{base}/openapi.json", trust_env=False)
                return base
    raise TimeoutError("Harbor is not ready")


@pytest_asyncio.fixture
async def house(address: str) -> AsyncIterator[House]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        demo = (await client.post("/_sandbox/reset")).json()
        credentials = MemoryCredentials(lambda: NOW)
        for role, member in demo["members"].items():
            who = Principal("harbor", member, demo["workspace"])
            await credentials.store(who, "harbor", BearerToken(demo["tokens"][role]))
        place = frozenset({address.removeprefix("http://")})
        parts = SourceParts(credentials, lambda: NOW, place, {"harbor": address})
        opened = await open_sources(load_policy(HARBOR / "tools.yaml"), parts)
        yield House(opened, demo, client)
        await opened.aclose()


def _lasting(thing: Mapping[str, Any]) -> dict[str, Any]:
    """What is not set and what is set to nothing are the same."""
    return {n: value for n, value in thing.items() if n not in TIMES and value is not None}


async def test_the_policy_fits_the_product(house: House) -> None:
    assert [str(problem) for problem in house.opened.problems] == []
    file = load_policy(HARBOR / "tools.yaml")
    assert [f for f in lint(file, house.opened.by_key) if f.level == "error"] == []
    assert len(house.opened.by_key) == len(file.policy.tools)


async def test_every_list_can_be_read(house: House) -> None:
    for key, tool in house.opened.by_key.items():
        if tool.manifest.reads_only and not tool.required() and key != "preview_day_one_dashboard":
            done = await house.run(key)
            assert done.result, key


async def prepared(house: House) -> dict[str, Any]:
    """One of each thing that can be changed."""
    dashboard = await house.run("create_dashboard", name="Weekly")
    alert = await house.run(
        "create_alert", metric_id="met_wau", condition="below", threshold=100, name="Users"
    )
    connection = await house.run(
        "connect_postgresql", host="db.example.com", database="app", username="r", password="s3cret"
    )
    first = house.call("set_connection_schedule", connection_id=connection.effect_ref, every="24h")
    target = await house.opened.by_key["set_connection_schedule"].look(first, house.who())
    assert target.notes == (NOTHING_TO_RESTORE,)
    assert (await house.do(first)).undo is None
    await house.run("get_security")  # makes the settings explicit
    return {
        "dashboard": dashboard.effect_ref,
        "alert": alert.effect_ref,
        "connection": connection.effect_ref,
        "member": house.demo["members"]["viewer"],
    }


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("create_invite", {"email": "zoe@brightline.example", "role": "viewer"}),
    ("create_invites_bulk", {"emails": ["a@x.example", "b@x.example"], "role": "editor"}),
    ("create_invite_link", {"role": "viewer"}),
    ("change_member_role", {"member_id": "member", "role": "editor"}),
    ("connect_stripe", {"restricted_key": "rk_live_12345678"}),
    ("connect_webhook", {"name": "orders"}),
    ("update_connection", {"connection_id": "connection", "name": "Production"}),
    ("set_connection_schedule", {"connection_id": "connection", "every": "6h", "at": "03:00"}),
    ("create_dashboard", {"name": "Monthly"}),
    ("update_dashboard", {"dashboard_id": "dashboard", "name": "Numbers"}),
    ("delete_dashboard", {"dashboard_id": "dashboard"}),
    ("share_dashboard", {"dashboard_id": "dashboard", "visibility": "workspace"}),
    ("create_alert", {"metric_id": "met_mau", "condition": "above", "threshold": 5}),
    ("update_alert", {"alert_id": "alert", "threshold": 50}),
    ("mute_alert", {"alert_id": "alert", "until": "2026-11-22T00:00:00Z"}),
    ("record_kit", {"name": "fintech", "dashboards": ["dashboard"], "alerts": ["alert"]}),
    ("add_domain", {"domain": "brightline.example"}),
    ("create_scim_token", {}),
    ("require_mfa", {"required": True, "grace_days": 3}),
    ("create_api_key", {"name": "backend", "scopes": ["events:write"]}),
    ("create_webhook", {"url": "https://hooks.example.com/x", "events": ["import.failed"]}),
    ("rename_workspace", {"name": "Brightline 2"}),
]
LEFT_BEHIND = {"invite", "link", "scim_token", "api_key", "audit", "token"}
"""Kinds whose ended things stay on record."""


def _known(value: Any, things: dict[str, Any]) -> Any:
    """Ids in place of names."""
    if isinstance(value, list):
        return [_known(each, things) for each in value]
    return things.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(("key", "arguments"), CHANGES, ids=[key for key, _ in CHANGES])
async def test_what_is_done_is_undone(house: House, key: str, arguments: dict[str, Any]) -> None:
    things = await prepared(house)
    given = {name: _known(value, things) for name, value in arguments.items()}
    before = await house.state()
    done = await house.run(key, **given)
    changed = await house.state()
    assert changed != before
    assert done.undo is not None
    validate(house.opened.by_key[done.undo.tool].manifest, done.undo.arguments)
    await house.do(done.undo, etag=done.etag)
    after = await house.state()
    kept = {k for k in {*before, *after} if k not in LEFT_BEHIND}
    assert {k: after.get(k) for k in kept} == {k: before.get(k) for k in kept}


async def test_an_undo_fits_after_other_fields_changed(house: House) -> None:
    """made, named, shared; then taken back in reverse order, as a flow does it."""
    before = await house.state()
    made = await house.run("create_dashboard", name="First")
    named = await house.run("update_dashboard", dashboard_id=made.effect_ref, name="Second")
    shared = await house.run(
        "share_dashboard", dashboard_id=made.effect_ref, visibility="workspace"
    )
    for done in (shared, named, made):
        assert done.undo is not None
        await house.do(done.undo, etag=done.etag)
    listed = await house.run("list_dashboards")
    assert listed.result["items"] == []
    assert before.get("dashboard") is None


async def test_a_bulk_that_went_half_way_takes_its_half_back(house: House) -> None:
    with pytest.raises(PartialError, match="1 of 2") as partial:
        await house.run(
            "create_invites_bulk", emails=["new@x.example", "ada@brightline.example"], role="viewer"
        )
    undo = partial.value.done.undo
    assert undo is not None
    await house.do(undo)
    assert (await house.run("list_invites")).result["items"] == []


async def test_everybody_acts_with_their_own_rights(house: House) -> None:
    call = house.call("create_invite", email="x@y.example", role="viewer")
    with pytest.raises(ForbiddenError) as refusal:
        await house.do(call, role="viewer")
    assert refusal.value.code == "forbidden"
    with pytest.raises(ForbiddenError, match="not_signed_in"):
        stranger = house.who()._replace(subject="usr_nobody")
        await house.opened.by_key["create_invite"].run(call, stranger, Attempt("a", 1, 1))


@pytest.mark.parametrize("fault", ["429", "403", "500", "drop_after_effect"])
async def test_sent_again_after_a_fault_it_has_one_effect(house: House, fault: str) -> None:
    call = house.call("create_invite", email="zoe@x.example", role="viewer")
    tool, attempt = house.opened.by_key["create_invite"], Attempt(new_id(), 1, 1)
    await house.fault("create_invite", fault)
    with pytest.raises(ToolError):
        await tool.run(call, house.who(), attempt)
    await tool.run(call, house.who(), replace(attempt, number=2, fence=2, resumed=True))
    effects = (await house.client.get("/_sandbox/effects?operation=create_invite")).json()
    assert list(effects["create_invite"].values()) == [1]


async def test_uploads_and_their_idempotency(house: House) -> None:
    """The same file with the same key is the same request, to the byte."""
    rows = "event,user_id,occurred_at\nsignup,u1,2026-11-20T10:00:00Z\n"
    call = house.call("upload_csv", content=rows)
    tool, attempt = house.opened.by_key["upload_csv"], Attempt(new_id(), 1, 1)
    first = await tool.run(call, house.who(), attempt)
    again = await tool.run(call, house.who(), replace(attempt, number=2))
    assert again.result == first.result
    done = await house.run("start_import", upload_id=first.effect_ref, mode="full")
    seen = await house.run("get_import", import_id=done.effect_ref)
    for _ in range(400):
        if seen.result["state"] not in ("queued", "running"):
            break
        await asyncio.sleep(0.05)
        seen = await house.run("get_import", import_id=done.effect_ref)
    assert (seen.result["state"], seen.result["rows"]) == ("succeeded", 1)
    assert done.undo is not None
    await house.do(done.undo, etag=done.etag)
