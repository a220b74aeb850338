"""Each guard that is no SQL is cut out in turn, in the running servers, and somebody notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.e2e.tenancy.cutting import Cut, made
from tests.e2e.tenancy.holes import HOLES, QUESTIONS, Ground
from tests.e2e.tenancy.servers import filled, serving
from tests.retrieval.building import folder_in_memory

TENANTS = ["here", "there"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


async def test_every_hole_is_noticed(folder: Path) -> None:
    (data := folder / "data").mkdir()
    await filled(data, TENANTS)
    with capture_logs():
        async with serving(data, TENANTS) as (here, there):
            for question in QUESTIONS:
                ground = Ground(here, there, folder / question.__name__)
                assert await question(ground) == [], question.__name__
            survived = []
            for number, (cuts, question) in enumerate(HOLES):
                ground = Ground(here, there, folder / str(number))
                with made(*cuts):
                    noticed = await question(ground)
                if not noticed:
                    survived.append(cuts[0].name)
    assert survived == []


def guarded(values: list[int]) -> bool:
    return all(value > 0 for value in values) and len(values) > 1


def test_a_cut_changes_the_code_that_others_hold_and_is_mended() -> None:
    held = guarded
    with made(Cut(guarded, "len(values) > 1", "True")):
        assert held([1])
    assert not held([1])


def test_a_guard_that_is_written_anew_is_not_cut_in_vain() -> None:
    with pytest.raises(LookupError, match="no such expression"), made(Cut(guarded, "x > 3", "0")):
        pass
