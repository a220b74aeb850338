"""Many schedules from the command line, or one again.

python -m tests.tools.simulation --schedules 1000000 --seed 0 --jobs 2
python -m tests.tools.simulation --replay 4841
python -m tests.tools.simulation --mutants --schedules 3000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.tools.simulation.mutants import MUTANTS, hunted
from tests.tools.simulation.running import Summary, described, one, quiet, run
from tests.tools.simulation.telling import tell

CHUNK = 2_000


def _chunk(seeds: tuple[int, int]) -> Summary:
    return run(range(*seeds))


def _soak(first: int, count: int, jobs: int) -> Summary:
    whole = Summary()
    ends = [(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    began = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(_chunk, ends):
            _add(whole, part)
            for outcome in part.failed:
                sys.stdout.write(described(outcome) + "\n")
            if whole.schedules % (CHUNK * 10) == 0 or part.failed:
                sys.stdout.write(f"{time.monotonic() - began:7.0f} s  {whole}\n")
                sys.stdout.flush()
    return whole


def _add(whole: Summary, part: Summary) -> None:
    whole.schedules += part.schedules
    whole.steps += part.steps
    whole.kills += part.kills
    whole.actions += part.actions
    whole.effects += part.effects
    whole.failed += part.failed


def _replay(seed: int) -> int:
    with quiet():
        outcome = one(seed)
    sys.stdout.write(tell(seed) + "\n")
    for wrong in outcome.wrongs:
        sys.stdout.write(f"{wrong}\n")
    return 1 if outcome.wrongs else 0


def _hunt(count: int) -> int:
    missed = 0
    for mutant in MUTANTS:
        found = hunted(mutant, range(count))
        missed += found is None
        said = "MISSED" if found is None else f"seed {found.seed}: {found.wrongs[0]}"
        sys.stdout.write(f"{mutant.name:36} {said}\n")
    return 1 if missed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.tools.simulation", description=__doc__)
    options.add_argument("--schedules", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=0, help="the first of them")
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--replay", type=int, metavar="SEED", help="run one, and tell its story")
    options.add_argument("--mutants", action="store_true", help="plant bugs, and look for them")
    chosen = options.parse_args(arguments)
    if chosen.replay is not None:
        return _replay(chosen.replay)
    if chosen.mutants:
        return _hunt(chosen.schedules)
    sys.stdout.write(f"seeds {chosen.seed} to {chosen.seed + chosen.schedules - 1}\n")
    whole = _soak(chosen.seed, chosen.schedules, chosen.jobs)
    sys.stdout.write(f"{whole}\n")
    return 1 if whole.failed else 0


if __name__ == "__main__":
    sys.exit(main())
