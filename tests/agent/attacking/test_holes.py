"""The suite can fail: whichever guard is taken away, one of its ordinary attacks comes through."""

from __future__ import annotations

import pytest

from tests.agent.attacking.cases import grounds
from tests.agent.attacking.holes import HOLES, Hole, hunted
from tests.agent.attacking.test_attacks import SEED


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.name)
async def test_an_attack_comes_through_where(hole: Hole) -> None:
    async with grounds() as on:
        through = await hunted(hole, on, SEED, 2000)
    assert through is not None, f"{hole.name}: nothing noticed"
