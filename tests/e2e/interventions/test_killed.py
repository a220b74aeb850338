"""Killed at every await: nothing is lost, nothing is sent twice, no cap is passed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.interventions.driver import KillLoop
from tests.e2e.interventions.worker import POINTS
from tests.e2e.killing.parts import journal_urls

KILLS = int(os.environ.get("EMBARK_TEST_DELIVERY_KILLS", "8"))
"""A sample of the points; with 44 and more each of them is come by."""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_at_any_await(kind: str, tmp_path: Path) -> None:
    with journal_urls(kind, tmp_path) as url:
        found = KillLoop(url, KILLS).run()
    assert found.wrong == []
    assert sum(found.kills.values()) == KILLS
    assert found.kills["late"] < KILLS
    assert found.states["sent"] > KILLS


def test_every_call_of_a_worker_is_a_point() -> None:
    assert len(POINTS) == 29
