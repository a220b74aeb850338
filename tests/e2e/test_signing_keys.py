"""What signs receipts goes away while actions are under way, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update
from structlog.testing import CapturingLogger

from tests.e2e.floor import Floor, open_floor
from tests.harbor.running import Harbor, running_harbor
from tools.journal import State
from tools.receipts.checkpoints import Checkpointer, Pace
from tools.receipts.checkpoints_sql import SqlCheckpoints
from tools.receipts.tables import receipt_checkpoint

SOON_S = 20.0


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as running:
        yield running


async def test_an_effect_waits_for_its_receipt_until_the_keys_are_back(
    harbor: Harbor, tmp_path: Path
) -> None:
    keys, elsewhere = tmp_path / "keys" / "receipts", tmp_path / "elsewhere"
    harbor.reset()
    async with asyncio.timeout(SOON_S), open_floor(harbor, tmp_path) as floor:
        card = await floor.approve(await floor.ask("create_dashboard", {"name": "Keys"}))
        keys.rename(elsewhere)
        waiting = await floor.end(card, 1.0)
        assert (waiting.state, waiting.receipt) == (State.STARTED, None)
        assert harbor.effects()["create_dashboard"] != {}
        elsewhere.rename(keys)
        done = await floor.settled(card)
        assert (done.state, done.receipt) == (State.SUCCEEDED, "rcpt_1")
    assert list(harbor.effects()["create_dashboard"].values()) == [1]


async def test_a_damaged_checkpoint_is_logged_and_people_go_on(
    harbor: Harbor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr("embark.acting._log", log)
    monkeypatch.setattr("embark.acting.CHECKPOINT_EVERY_S", 0.05)
    harbor.reset()
    async with asyncio.timeout(SOON_S), open_floor(harbor, tmp_path) as floor:
        await floor.do("create_dashboard", {"name": "First"})
        await _checkpointed(floor)
        with floor.hands.engine.begin() as connection:
            connection.execute(update(receipt_checkpoint).values(edge="00" * 32))
        await asyncio.sleep(0.3)
        done = await floor.do("create_dashboard", {"name": "Second"})
    assert done.state is State.SUCCEEDED
    errors = [call.kwargs["error"] for call in log.calls if call.method_name == "error"]
    assert errors
    assert "the stored frontier is not that of its checkpoint" in errors[0]


async def _checkpointed(floor: Floor) -> None:
    """A checkpoint of what there is, without waiting for the pace of the product."""
    hands = floor.hands
    pointer = Checkpointer(hands.journal, SqlCheckpoints(hands.engine), hands.ring, pace=Pace(1, 0))
    assert await pointer.visit(hands.settings.tenant, datetime.now(UTC)) == 1
