"""SIGKILL at every await and at random: nothing lost, nothing doubled, nothing kept secret.

`EMBARK_TEST_KILLS` sets the count a dialect; `python -m tests.e2e.killing --kills 10000` soaks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crowding import CROWDED
from tests.e2e.killing.__main__ import report, too_slow
from tests.e2e.killing.driver import KillLoop, all_points
from tests.e2e.killing.parts import journal_urls

KILLS = int(os.environ.get("EMBARK_TEST_KILLS", "150"))
SEED = int(os.environ.get("EMBARK_TEST_SEED", "3"))
LEASES_S = {"sqlite": 15.0, "postgresql+psycopg": 1.5}
SHARE_OF_POINTS = 0.6
"""Of all points at which a loop this short must have killed; the soak comes by every one."""


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with journal_urls(request.param, tmp_path) as url:
        yield url


@pytest.mark.alone
def test_kills(journal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # a long lease shows what slots do for recovery, a short one comes by renewals
    lease_s = LEASES_S[journal.partition(":")[0]]
    found = KillLoop(journal, tmp_path, KILLS, SEED, "harbor", lease_s).run()
    with capsys.disabled():
        print(f"\nseed {SEED}, {report(journal.split(':', maxsplit=1)[0], found)}")  # noqa: T201  # the figures
    assert not found.wrong, found.wrong[:20]
    assert found.kills >= KILLS
    assert found.accepted >= KILLS // 2, "too little was going on to be interrupted"
    assert found.effects >= found.states["succeeded"]
    assert found.after_restart, "no kill interrupted anything"
    assert not too_slow(found, max(1.0, found.crowding / CROWDED))
    everywhere = {*all_points("clerk"), *all_points("worker")}
    assert len(everywhere & found.points.keys()) >= SHARE_OF_POINTS * len(everywhere)
