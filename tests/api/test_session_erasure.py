"""Who is erased is signed out: their credentials are good for nothing, and leave nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from api import Acts, create_app
from api.admission import Admission
from api.sessions import SessionStore
from api.sessions_memory import MemorySessions
from api.sessions_sql import SqlSessions
from embark.rights import open_rights
from embark.token_identity import open_admission
from guardrails.rights import Rights, RightsParts
from tests.api.databases import database
from tests.api.minting import NOW, ORIGIN, PUBLIC, TENANT
from tests.api.serving import QUICK, SITE
from tests.api.shelf import ShelfLibrary
from tests.api.test_sessions import EARLIER, desk_over
from tests.api.twin import ScriptedAssistant
from tests.embark.test_token_identity import settings_of
from tests.tools.acting.floor import Clock
from tools.erasing import Keys
from tools.erasures import SqlErasures, prepare
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.store.engine import open_engine
from tools.tables import metadata
from tools.vault_sql import SqlVault

SINCE = int(NOW.timestamp())


async def erased(store: SessionStore, folder: Path) -> None:
    """Two sessions of one person, one of another; the person erases themselves by one of theirs."""
    clock = Clock(NOW)
    engine = open_engine("sqlite://")
    metadata.create_all(engine)
    prepare(engine)
    vault = SqlVault(engine, bytes(32))
    ring = KeyRing.open(folder / "keys", NOW)
    ledger = SqlErasures(engine, vault, JwsSealer(ring, clock), clock)
    rights = Rights(RightsParts(Keys(engine, vault), (), ledger, clock))
    desk = desk_over(store, clock)
    one, two = [
        (await desk.exchange(PUBLIC.token(jti, auth_time=SINCE), ORIGIN)).credential
        for jti in ("j1", "j2")
    ]
    other = (await desk.exchange(PUBLIC.token("j3", sub="usr_2"), ORIGIN)).credential
    parts = (ScriptedAssistant(), ShelfLibrary(), SITE, QUICK, Acts(rights=rights))
    app = create_app(*parts, Admission(desk))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def call(method: str, path: str, credential: str) -> httpx.Response:
            named = {"authorization": f"Bearer {credential}", "origin": ORIGIN}
            return await client.request(method, path, headers=named)

        done = await call("DELETE", "/v1/me", one)
        assert done.status_code == 200, done.text
        counts = {each["store"]: each["items"] for each in done.json()["manifest"]["stores"]}
        assert counts["sessions"] == 2
        for credential in (one, two):
            assert (await call("GET", "/v1/me/export", credential)).status_code == 401
        assert (await call("GET", "/v1/me/export", other)).status_code == 200
    engine.dispose()


async def test_sessions_in_memory_end_with_the_person(tmp_path: Path) -> None:
    await erased(MemorySessions(EARLIER), tmp_path)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_sessions_in_sql_end_with_the_person(dialect: str, tmp_path: Path) -> None:
    with database(dialect, tmp_path) as engine:
        await erased(SqlSessions(engine), tmp_path)


async def test_the_command_line_ends_shared_sessions(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tokens={"store": "database"})
    token = PUBLIC.token("j1", _now())
    async with open_admission(settings) as admission, open_rights(settings) as rights:
        assert admission.desk is not None
        opened = await admission.desk.exchange(token, ORIGIN)
        erasure = await rights.erase(TENANT, "usr_1", "operator")
        assert erasure.counts["sessions"] == 1
        assert await admission.desk(opened.credential) is None


def _now() -> datetime:
    return datetime.now(UTC)
