"""The acting Copilot of `tests.agent` behind HTTP, with people who sign in by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api import Acts
from retrieval.types import Scope
from tests.agent.acting_floor import TENANT, Stage
from tests.api.serving import Frame, app_of, parse, serving
from tests.tools.acting.floor import ANA, START, person
from tools.receipts.keys import KeyRing
from tools.types import Actor

PEOPLE = {
    "ana": ANA,
    "bo": person("bo"),
    "eve": person("eve", account="other"),
    "old": person(login=None),
    "alien": Actor(ANA.principal._replace(tenant="elsewhere"), ANA.rights),
}


async def identify(token: str) -> Actor | None:
    return PEOPLE.get(token)


@dataclass
class Client:
    """Speaks for one person at a time."""

    http: httpx.AsyncClient
    stage: Stage

    async def post(self, path: str, body: Any = None, who: str = "ana", **headers: str) -> Any:
        named = {"authorization": f"Bearer {who}"} if who else {}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, json=body, headers={**named, **sent})

    async def get(self, path: str, who: str = "ana", **headers: str) -> httpx.Response:
        named = {"authorization": f"Bearer {who}"} if who else {}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(path, headers={**named, **sent})

    async def run(self, who: str = "ana", **body: Any) -> list[Frame]:
        response = await self.post("/v1/agui", {"threadId": "t1", "messages": [], **body}, who)
        assert response.status_code == 200, response.text
        return parse(response.text)

    async def says(self, text: str, number: int = 1, who: str = "ana") -> list[Frame]:
        message = {"id": f"u{number}", "role": "user", "content": text}
        return await self.run(who, runId=f"r{number}", messages=[message])

    async def resumes(
        self, interrupt: str, payload: Any, run: str = "r9", status: str = "resolved"
    ) -> list[Frame]:
        entry = {"interruptId": interrupt, "status": status, "payload": payload}
        return await self.run(runId=run, resume=[entry])

    async def joins(self, cursor: int | None = None, who: str = "ana") -> list[Frame]:
        seen = {} if cursor is None else {"last-event-id": str(cursor)}
        response = await self.get("/v1/agui/threads/t1/events?follow=false", who, **seen)
        assert response.status_code == 200, response.text
        return parse(response.text)


@asynccontextmanager
async def acting(stage: Stage, keys: Path) -> AsyncIterator[Client]:
    acts = Acts(
        identify=identify,
        desk=stage.floor.desk,
        journal=stage.journal,
        catalogue=stage.floor.shelf,
        ring=KeyRing.open(keys, START),
    )
    app = app_of(stage.copilot, acts=acts, viewer=Scope(TENANT))
    async with serving(app) as http:
        yield Client(http, stage)


def interrupts(frames: list[Frame]) -> list[dict[str, Any]]:
    """Of a run that paused; none of one that did not."""
    outcome = frames[-1].data.get("outcome", {})
    return list(outcome.get("interrupts", []))


def of(frames: list[Frame], kind: str) -> list[dict[str, Any]]:
    return [frame.data for frame in frames if frame.type == kind]
