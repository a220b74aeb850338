"""Staff stop a connector over HTTP; others find nothing there, and what is stopped says so."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from api import Acts, create_app
from api.admission import Admission
from api.staff.access import StaffDoor
from api.staff.local import LocalStaff
from guardrails.audit.memory import MemoryAudit
from retrieval.types import Scope
from tests.agent.acting_floor import TENANT, Stage
from tests.api.acting import identify
from tests.api.serving import QUICK, SITE
from tests.api.shelf import ShelfLibrary
from tests.api.staff.house import KEY, OURS, RIGHTS
from tests.tools.acting.floor import ANA, START, Floor
from tests.tools.twins import manifest
from tools.connectors import Connector, ConnectorDesk, MemorySwitches, SwitchGate, Wiring
from tools.credentials import BearerToken, MemoryCredentials
from tools.receipts.keys import KeyRing


@dataclass
class Desk:
    http: httpx.AsyncClient
    stage: Stage
    credentials: MemoryCredentials
    audit: MemoryAudit
    local: LocalStaff

    def as_staff(self, role: str = "admin") -> dict[str, str]:
        return {"authorization": f"Bearer {self.local.token(role)}"}


@asynccontextmanager
async def opened(keys: Path) -> AsyncIterator[Desk]:
    stage = Stage(floor=Floor(told=replace(manifest(), source="openapi:shop")))
    clock = stage.floor.clock
    wiring = Wiring({"shop": Connector("shop", "shop"), "mail": Connector("mail", "Mail")})
    switches, credentials = MemorySwitches(clock), MemoryCredentials(clock)
    gate = SwitchGate(switches, wiring, time.monotonic)
    stage.floor.desk = stage.floor.another_desk(gate=gate, held=stage.held)
    desk = ConnectorDesk(switches, credentials, wiring.connectors.values(), gate.forget)
    audit = MemoryAudit(clock)
    acts = Acts(
        identify,
        stage.floor.desk,
        stage.journal,
        stage.floor.shelf,
        KeyRing.open(keys, START),
        audit=audit,
        connectors=desk,
    )
    local = LocalStaff(TENANT, lambda: KEY, RIGHTS, clock)
    door = Admission(staff=StaffDoor(OURS, None, local))
    site = replace(SITE, viewer=Scope(TENANT))
    app = create_app(stage.copilot, ShelfLibrary(), site, QUICK, acts, door)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=OURS) as http:
        yield Desk(http, stage, credentials, audit, local)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(tmp_path) as desk:
        yield desk


async def test_a_connector_is_listed_killed_and_restored(desk: Desk) -> None:
    await desk.credentials.store(ANA.principal, "shop", BearerToken("x"))
    listed = (await desk.http.get("/v1/connectors", headers=desk.as_staff())).json()["connectors"]
    assert [(each["id"], each["killed"], each["credentials"]) for each in listed] == [
        ("shop", None, 1),
        ("mail", None, 0),
    ]
    killed = await desk.http.post("/v1/connectors/shop/kill", headers=desk.as_staff())
    assert (killed.status_code, killed.json()) == (200, {"revoked": 1})
    (shop, _) = (await desk.http.get("/v1/connectors", headers=desk.as_staff())).json()[
        "connectors"
    ]
    assert (shop["killed"], shop["by"]) == ("2026-05-04T12:00:00Z", "~staff:local")
    restored = await desk.http.post("/v1/connectors/shop/restore", headers=desk.as_staff())
    assert restored.status_code == 204
    written = [(entry.note.what, entry.note.route) for entry in await desk.audit.page(TENANT)]
    assert written == [
        ("key_change", "POST /v1/connectors/{connector}/restore"),
        ("key_change", "POST /v1/connectors/{connector}/kill"),
    ]


async def test_all_at_once(desk: Desk) -> None:
    assert (await desk.http.post("/v1/connectors/*/kill", headers=desk.as_staff())).is_success
    listed = (await desk.http.get("/v1/connectors", headers=desk.as_staff())).json()["connectors"]
    assert listed[0]["id"] == "*"
    assert listed[0]["killed"] is not None


async def test_what_is_stopped_says_so(desk: Desk) -> None:
    frames = await desk.stage.says("set lamp to red")
    (pause,) = frames.pauses
    path = f"/v1/approvals/{pause}"
    as_ana = {"authorization": "Bearer ana"}
    card = (await desk.http.get(path, headers=as_ana)).json()
    await desk.http.post("/v1/connectors/shop/kill", headers=desk.as_staff())
    word = {"digest": card["digest"], "decision": "approve"}
    refused = await desk.http.post(f"{path}/decision", json=word, headers=as_ana)
    assert (refused.status_code, refused.json()["code"]) == (503, "connector_stopped")


async def test_only_staff_with_the_right_find_it(desk: Desk) -> None:
    for path in ("/v1/connectors/shop/kill", "/v1/connectors/shop/restore"):
        assert (await desk.http.post(path)).status_code == 401
        as_ana = await desk.http.post(path, headers={"authorization": "Bearer ana"})
        assert as_ana.status_code == 404
        auditor = await desk.http.post(path, headers=desk.as_staff("auditor"))
        assert (auditor.status_code, auditor.json()["code"]) == (403, "right_missing")
    unknown = await desk.http.post("/v1/connectors/none/kill", headers=desk.as_staff())
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_connector")
    (shop, _) = (await desk.http.get("/v1/connectors", headers=desk.as_staff())).json()[
        "connectors"
    ]
    assert shop["killed"] is None
