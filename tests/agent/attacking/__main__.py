"""The soak: as many attacks as it is told, or one of them again.

python -m tests.agent.attacking --cases 10000 [--seed N]
python -m tests.agent.attacking --replay SEED
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from random import SystemRandom

from tests.agent.attacking.cases import Case, all_tried, case_of, cases
from tests.agent.attacking.oracle import Finding
from tests.tools.simulation.running import quiet


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def report(chosen: list[Case], found: dict[Case, list[Finding]], took_s: float) -> None:
    routes = Counter(case.route.value for case in chosen)
    counts = ", ".join(f"{count} by {route}" for route, count in sorted(routes.items()))
    tell(f"{len(chosen)} attacks ({counts}) in {took_s:.0f} s")
    for case, findings in found.items():
        tell(f"FAILED {case}")
        for finding in findings:
            tell(f"    {finding.kind}: {finding.what}")
    tell(f"{len(found)} of them did what they should not")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.agent.attacking")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None, help="of the run; drawn when left out")
    parser.add_argument("--replay", type=int, default=None, help="the seed of one case")
    given = parser.parse_args()
    if given.replay is not None:
        chosen = [case_of(given.replay)]
        tell(str(chosen[0]))
    else:
        seed = SystemRandom().getrandbits(32) if given.seed is None else given.seed
        tell(f"seed {seed}, {given.cases} cases")
        chosen = cases(seed, given.cases)
    since = time.monotonic()
    with quiet():
        found = asyncio.run(all_tried(chosen))
    report(chosen, found, time.monotonic() - since)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
