"""Probes find what they are there to find, and never raise for it."""

from __future__ import annotations

import asyncio

import pytest
from typing_extensions import override

from agent import ConversationsUnavailableError
from api import Check, database_probe, encoder_probe, health, index_probe
from retrieval.memory import HashEncoder
from tests.api.shelf import VERSION, ShelfLibrary
from tests.api.twin import ScriptedAssistant
from tools.types import Actor


class Down(ScriptedAssistant):
    @override
    async def conversation(self, tenant: str, thread_id: str, actor: Actor | None = None) -> None:
        raise ConversationsUnavailableError("down")


async def test_the_index_names_its_version_or_what_to_do() -> None:
    assert await index_probe(ShelfLibrary())() == Check(True, VERSION)
    missing = await index_probe(ShelfLibrary(()))()
    assert missing == Check(False, "nothing has been indexed yet")


async def test_the_database_is_read() -> None:
    assert (await database_probe(ScriptedAssistant(), "acme")()).ok
    down = await database_probe(Down(), "acme")()
    assert down == Check(False, "ConversationsUnavailableError")


async def test_the_encoder_encodes() -> None:
    encoder = HashEncoder()
    assert await encoder_probe(encoder)() == Check(True, encoder.fingerprint)


async def test_a_part_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_TIMEOUT_S", 0.01)
    hangs = asyncio.Event()

    async def never() -> Check:
        await hangs.wait()
        return Check(True, "")

    assert (await health._bounded(never())).ok is False
