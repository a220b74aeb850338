"""The acting application with everything that is kept of people: consents, decisions, audit log,
holds, rights; and somebody of the host's staff."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from typing_extensions import override

from agent import MemoryConversations
from agent.recording import rows_of
from api import Acts
from api.interventions import Messages
from guardrails.audit import Entry, Note
from guardrails.audit.memory import MemoryAudit
from guardrails.audit.personal import PersonalAudit
from guardrails.consent import CachedConsents, ConsentDesk
from guardrails.consent.memory import MemoryConsents
from guardrails.consent.personal import PersonalConsents
from guardrails.decisions.memory import MemoryDecisions
from guardrails.decisions.personal import PersonalDecisions
from guardrails.retention import MemoryHolds
from guardrails.rights import Rights, RightsParts
from guardrails.store import StoreUnavailableError
from retrieval.types import Scope
from tests.agent.acting_floor import TENANT, Stage
from tests.api.acting import PEOPLE
from tests.api.serving import app_of
from tests.contracts.consent import KEY
from tests.tools.acting.floor import POLICY_VERSION, Clock, Floor, person
from tests.tools.twins import manifest
from tools.audited import AuditedDesk
from tools.desk import DeskParts
from tools.erasing import Keys
from tools.erasures import SqlErasures, prepare
from tools.journal_memory import MemoryJournal
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.store.engine import open_engine
from tools.tables import metadata
from tools.types import Actor, Tier
from tools.vault_sql import SqlVault

SAM = person("sam", staff=True)


class FailingAudit(MemoryAudit):
    """A log that cannot be written while `away`."""

    away = False

    @override
    async def write(self, note: Note) -> Entry:
        if self.away:
            raise StoreUnavailableError("away")
        return await super().write(note)


@dataclass
class Kept:
    """What is kept, and a client of the application over it."""

    stage: Stage
    clock: Clock
    audit: FailingAudit
    decisions: MemoryDecisions = field(default_factory=MemoryDecisions)
    consents: MemoryConsents = field(default_factory=lambda: MemoryConsents(KEY))
    holds: MemoryHolds = field(default_factory=MemoryHolds)
    http: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)
    app: FastAPI = field(default_factory=FastAPI)

    async def call(
        self, method: str, path: str, who: str = "ana", body: Any = None, **headers: str
    ) -> httpx.Response:
        named = {"authorization": f"Bearer {who}"} if who else {}
        return await self.http.request(method, path, json=body, headers={**named, **headers})

    async def rows(self) -> list[tuple[str, str, str | None]]:
        """Who did what about whom, oldest first."""
        found = [entry.note for entry in await self.audit.page(TENANT, limit=500)]
        return [(note.who, note.what.value, note.whom) for note in reversed(found)]

    async def used(self) -> None:
        """Ana has asked, done one thing and left a card open; what was decided is recorded."""
        await self.stage.says("How many people can admins invite at once?")
        await self.stage.approves(await self.stage.says("set lamp to red"))
        await self.stage.says("set shade to blue")
        for row in await self.stage.journal.outbox(100):
            action = await self.stage.journal.action(TENANT, row.action_id)
            await self.decisions.add(TENANT, rows_of(row, action))


async def identify(token: str) -> Actor | None:
    return {**PEOPLE, "sam": SAM}.get(token)


def _desk(stage: Stage) -> DeskParts:
    floor = stage.floor
    return DeskParts(
        floor.books, floor.shelf, floor.executor, POLICY_VERSION, "slot-0", held=stage.held
    )


@asynccontextmanager
async def kept(
    folder: Path, messages: Callable[[Clock], Messages] | None = None
) -> AsyncIterator[Kept]:
    """In memory, but for keys and the ledger of erasures."""
    clock = Clock()
    ring = KeyRing.open(folder / "keys", clock())
    journal = MemoryJournal(JwsSealer(ring, clock), clock)
    told = manifest(tier=Tier.R2)  # staff may decide it too
    stage = Stage(floor=Floor(told, journal=journal), conversations=MemoryConversations())
    house = Kept(stage, clock, FailingAudit(clock))
    engine = open_engine("sqlite://")
    metadata.create_all(engine)  # the revisions make the same, and take their time
    prepare(engine)
    vault = SqlVault(engine, bytes(32))
    stores = (
        PersonalDecisions(house.decisions),
        PersonalConsents(house.consents, clock),
        PersonalAudit(house.audit),
    )
    ledger = SqlErasures(engine, vault, JwsSealer(ring, clock), clock)
    rights = Rights(RightsParts(Keys(engine, vault), stores, ledger, clock, held=house.holds.holds))
    reader = CachedConsents(house.consents)
    acts = Acts(
        identify=identify,
        desk=AuditedDesk(_desk(stage), house.audit),
        journal=journal,
        catalogue=stage.floor.shelf,
        ring=ring,
        rights=rights,
        decisions=house.decisions,
        consents=ConsentDesk(house.consents, reader, clock),
        audit=house.audit,
        holds=house.holds,
        messages=None if messages is None else messages(clock),
    )
    house.app = app_of(stage.copilot, acts=acts, viewer=Scope(TENANT))
    transport = httpx.ASGITransport(house.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as house.http:
        yield house
    engine.dispose()
