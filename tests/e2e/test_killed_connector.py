"""A connector of a running product is stopped from the command line, and let go on again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.floor import CONFIG, Floor, open_floor
from tests.harbor.running import ROOT, running_harbor
from tools.gate import StoppedError
from tools.journal import Action, ApprovalError, State

ALLOWED_S = 5.0
"""From the command's end to every process (safety reference, section 8)."""


def embark(folder: Path, *arguments: str) -> str:
    """In a process of its own, over the product's data."""
    command = [sys.executable, "-m", "embark.cli", "--config", str(CONFIG)]
    done = subprocess.run(
        [*command, "--set", f"data_dir={folder}", "connectors", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def asked(floor: Floor, name: str) -> Action:
    return await floor.ask("create_dashboard", {"name": name})


@pytest.mark.alone
async def test_what_is_stopped_elsewhere_stops_here_and_goes_on_when_it_may(tmp_path: Path) -> None:
    with running_harbor(tmp_path / "harbor") as harbor:
        data = tmp_path / "data"
        async with open_floor(harbor, data) as floor:
            ready = await floor.approve(await asked(floor, "One"))
            assert (await floor.settled(ready)).state is State.SUCCEEDED
            card = await asked(floor, "Two")
            told = await asyncio.to_thread(embark, data, "kill", "harbor")
            assert told == "harbor is stopped; 1 credentials are revoked\n"
            await _stops(floor, card)
            await asyncio.to_thread(embark, data, "restore", "harbor")
            await _goes_on(floor, card)


async def _stops(floor: Floor, card: Action) -> None:
    began = time.monotonic()
    with pytest.raises(StoppedError):
        while time.monotonic() - began < ALLOWED_S:
            await asked(floor, f"Between {time.monotonic()}")
    with pytest.raises(StoppedError):
        await floor.approve(card)
    tool = floor.hands.registry.tool("create_dashboard")
    assert tool is not None
    with pytest.raises(StoppedError):
        await tool.look(card.call, card.who)
    assert (await floor.action(card)).state is State.PENDING


async def _goes_on(floor: Floor, card: Action) -> None:
    """The person's credential was revoked: their next request hands it over anew."""
    ends = time.monotonic() + ALLOWED_S
    while not await _done(floor, f"After {time.monotonic()}"):
        assert time.monotonic() < ends
        await asyncio.sleep(0.1)
    approved = await floor.approve(card)
    assert (await floor.settled(approved)).state is State.SUCCEEDED


async def _done(floor: Floor, name: str) -> bool:
    try:
        done = await floor.approve(await asked(floor, name))
        ended = await floor.settled(done)
    except StoppedError:
        return False
    except (
        ApprovalError
    ) as refusal:  # asked while the stop still held here: refused before the word
        assert refusal.code == "not_pending"
        return False
    assert ended.reason in {"", "not_signed_in"}
    return ended.state is State.SUCCEEDED
