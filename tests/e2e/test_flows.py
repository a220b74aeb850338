"""Every flow on a running Harbor over HTTP: done, undone, and with every fault on every step.

Harbor counts the effects; what people see of its state is compared before and after.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.flow_cases import CASES, FAULTS
from tests.e2e.flow_database import event_tables
from tests.e2e.flow_runs import Run, over
from tests.harbor.running import Harbor, running_harbor
from tests.postgres import reachable

HARBORS = 4


@pytest.fixture(scope="module")
def harbors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Harbor]]:
    with ExitStack() as running:
        folders = [tmp_path_factory.mktemp(f"harbor{n}") for n in range(HARBORS)]
        yield [running.enter_context(running_harbor(folder)) for folder in folders]


@pytest.fixture(scope="module", autouse=True)
def tables() -> Iterator[None]:
    reachable()
    with event_tables():
        yield


@pytest.mark.parametrize("name", CASES)
async def test_a_flow_is_done_and_undone(harbors: list[Harbor], tmp_path: Path, name: str) -> None:
    (verdict,) = await over(harbors[:1], [Run(name, CASES[name])], tmp_path)

    assert verdict.state == "succeeded"
    assert verdict.wrong == ()


@pytest.mark.parametrize("name", CASES)
async def test_no_fault_on_any_step_loses_or_doubles_anything(
    harbors: list[Harbor], tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    runs = [Run(name, case, operation, fault) for operation in case.operations for fault in FAULTS]
    verdicts = await over(harbors, runs, tmp_path)

    assert [v for v in verdicts if v.wrong] == []
    assert len(verdicts) == len(case.operations) * len(FAULTS)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.undo_operations])
async def test_an_answer_lost_while_undoing_changes_nothing(
    harbors: list[Harbor], tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    faults = ("403", "drop_after_effect")
    runs = [
        Run(name, case, operation, fault, undoing=True)
        for operation in case.undo_operations
        for fault in faults
    ]
    verdicts = await over(harbors, runs, tmp_path)

    assert [v for v in verdicts if v.wrong] == []
    assert len(verdicts) == len(case.undo_operations) * len(faults)
