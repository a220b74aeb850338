"""`python -m tests.tools.receipts --mutations 100000`: the full count of the mutation suite."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.tools.receipts import suite


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    given = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = suite.run(Path(folder), given.mutations, given.seed)
    for kind, count in sorted(outcome.by_kind.items()):
        sys.stdout.write(f"{kind:24} {count:>8,}\n")
    for line in (*outcome.missed, *outcome.false_alarms)[:20]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(
        f"{given.mutations:,} mutations, seed {given.seed}: {len(outcome.missed)} missed or of the "
        f"wrong class; {outcome.whole:,} whole files, {len(outcome.false_alarms)} false alarms; "
        f"{time.perf_counter() - started:.0f} s\n"
    )
    return 1 if outcome.missed or outcome.false_alarms else 0


if __name__ == "__main__":
    sys.exit(main())
