"""Our application, a provider on a real socket, and a browser that keeps cookies."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api import Acts, create_app
from api.admission import Admission
from api.staff.access import StaffDoor
from api.staff.desk import StaffDesk, StaffPorts
from api.staff.id_tokens import Client
from api.staff.local import LocalStaff
from api.staff.provider import Ports, Provider
from api.staff.sessions import StaffStore
from api.staff.sessions_memory import MemoryStaff
from guardrails.audit.memory import MemoryAudit
from guardrails.decisions.memory import MemoryDecisions
from retrieval.types import Scope
from tests.agent.acting_floor import TENANT, Stage
from tests.api.acting import identify
from tests.api.serving import QUICK, SITE
from tests.api.shelf import ShelfLibrary
from tests.api.staff.idp import CLIENT_ID, CLIENT_SECRET, Idp, Place
from tests.tools.acting.floor import START, Clock
from tests.tools.twins import RIGHT
from tools.http import Outbound, Reach
from tools.receipts.keys import KeyRing

RIGHTS = {
    "approver": frozenset({"approvals", RIGHT}),
    "auditor": frozenset({"audit:read", "decisions:read"}),
    "admin": frozenset({"subjects:read", "subjects:erase", "connectors:kill", "audit:read"}),
    "empty": frozenset[str](),
}
KEY = bytes(range(32))
OURS = "http://127.0.0.1:8123"


@dataclass
class House:
    """`browser` is ours; it follows no redirect by itself."""

    browser: httpx.AsyncClient
    idp: Idp
    clock: Clock
    stage: Stage
    door: StaffDoor

    async def sign_in(self, **query: str) -> httpx.Response:
        """The answer of the callback, cookies kept."""
        return await self.browser.get(await self.returned(**query))

    async def returned(self, **query: str) -> str:
        """Where the provider sends the browser back to."""
        begun = await self.browser.get("/v1/staff/sign-in", params=query)
        assert begun.status_code == 303, begun.text
        async with httpx.AsyncClient(trust_env=False) as at_provider:
            sent = await at_provider.get(begun.headers["location"])
        return str(sent.headers["location"])

    async def me(self) -> Any:
        answer = await self.browser.get("/v1/staff/me")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """As our own page does."""
        csrf = {"x-csrf-token": (await self.me())["csrfToken"]}
        return await self.browser.post(path, json=body, headers={**csrf, **headers})


@asynccontextmanager
async def house(
    place: Place,
    keys: Path,
    store: StaffStore | None = None,
    *,
    stage: Stage | None = None,
    local: bool = False,
    ours: str = OURS,
) -> AsyncIterator[House]:
    """With a provider; with `local` tokens of one's own machine instead. Our address is `ours`."""
    stage = stage or Stage()
    clock = stage.floor.clock
    idp = place.idp = Idp(clock, place.issuer)
    reach = Reach(frozenset(), frozenset({idp.issuer.removeprefix("http://")}))
    async with Outbound(reach) as outbound:
        record = Client(idp.issuer, CLIENT_ID, f"{ours}/v1/staff/callback", secret=CLIENT_SECRET)
        desk = StaffDesk(
            TENANT,
            record,
            Provider(record, Ports(outbound.send, lambda: clock().timestamp())),
            store or MemoryStaff(),
            RIGHTS,
            StaffPorts(clock, secrets.token_bytes),
        )
        own = LocalStaff(TENANT, lambda: KEY, RIGHTS, clock)
        door = StaffDoor(ours, None, own) if local else StaffDoor(ours, desk)
        transport = httpx.ASGITransport(_app(stage, keys, door))
        async with httpx.AsyncClient(transport=transport, base_url=ours) as http:
            yield House(http, idp, clock, stage, door)


def _app(stage: Stage, keys: Path, door: StaffDoor) -> FastAPI:
    floor = stage.floor
    acts = Acts(identify, floor.desk, stage.journal, floor.shelf, KeyRing.open(keys, START))
    acts = replace(acts, decisions=MemoryDecisions(), audit=MemoryAudit(stage.floor.clock))
    site = replace(SITE, viewer=Scope(TENANT))
    return create_app(stage.copilot, ShelfLibrary(), site, QUICK, acts, Admission(staff=door))
