"""Every fault on every step of every flow, forward and while it is undone, as a table.

    python -m tests.e2e.flows_soak [--flow stripe ..] [--fault 429 ..] [--undoing] [--harbors 4]

Exits 1 when a run lost, doubled or left anything, or did not end.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.flow_cases import CASES, FAULTS
from tests.e2e.flow_database import event_tables
from tests.e2e.flow_runs import Run, Verdict, over
from tests.harbor.running import running_harbor


def runs(flows: Sequence[str], faults: Sequence[str], *, undoing: bool) -> list[Run]:
    """Forward ones, and those that meet the fault while they are undone."""
    forward = [
        Run(name, CASES[name], operation, fault)
        for name in flows
        for operation in CASES[name].operations
        for fault in faults
    ]
    back = [
        Run(name, CASES[name], operation, fault, undoing=True)
        for name in flows
        for operation in CASES[name].undo_operations
        for fault in faults
    ]
    return forward + back if undoing else forward


def table(verdicts: Sequence[Verdict]) -> str:
    lines = [f"{v.seconds:6.2f} s  {v.state:10} {v.name}" for v in verdicts]
    bad = [f"{v.name}: {'; '.join(v.wrong)}" for v in verdicts if v.wrong]
    ended = ", ".join(
        f"{sum(v.state == state for v in verdicts)} {state}"
        for state in sorted({v.state for v in verdicts})
    )
    return "\n".join([*lines, "", f"{len(verdicts)} runs: {ended}; {len(bad)} wrong", *bad])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--flow", nargs="*", default=list(CASES))
    parser.add_argument("--fault", nargs="*", default=list(FAULTS))
    parser.add_argument("--undoing", action="store_true")
    parser.add_argument("--harbors", type=int, default=4)
    chosen = parser.parse_args()
    wanted = runs(chosen.flow, chosen.fault, undoing=chosen.undoing)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        below = Path(folder)
        running.enter_context(event_tables())
        harbors = [
            running.enter_context(running_harbor(below / f"harbor{number}"))
            for number in range(chosen.harbors)
        ]
        verdicts = asyncio.run(over(harbors, wanted, below / "runs"))
    sys.stdout.write(table(verdicts) + "\n")
    return int(any(verdict.wrong for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
