"""The command of the tenancy fuzz: prints what was found, exits 1 when anything leaked.

python -m tests.e2e.tenancy --requests 1000000 --tenants 1000
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from structlog.testing import capture_logs

from tests.e2e.tenancy.fuzz import Found, Fuzz
from tests.e2e.tenancy.servers import filled, serving
from tests.e2e.tenancy.stores import canaries
from tests.retrieval.building import folder_in_memory

BLOCK = 20_000
"""Requests with one set of servers and one log in memory; then all are opened anew."""


async def fuzzed(folder: Path, tenants: int, served: int, requests: int, seed: int) -> Found:
    """All blocks, added up; logged canaries count as leaks by raising AssertionError."""
    names = [f"tenant-{number}" for number in range(tenants)]
    await filled(folder, names)
    total = Found()
    for block, start in enumerate(range(0, requests, BLOCK)):
        first = block * served % tenants
        here = [names[(first + number) % tenants] for number in range(served)]
        with capture_logs() as logs:
            async with serving(folder, here) as servers:
                some = min(BLOCK, requests - start)
                found = await Fuzz(servers, names, seed + block).run(some)
        assert canaries(*logs) == set(), "the log holds a canary"
        total.take(found)
        sys.stdout.write(f"{total.requests} requests, {len(total.leaks)} leaks\n")
        sys.stdout.flush()
    return total


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.e2e.tenancy", description=__doc__)
    options.add_argument("--requests", type=int, default=5000)
    options.add_argument("--tenants", type=int, default=200)
    options.add_argument("--servers", type=int, default=4)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    began = time.monotonic()
    with folder_in_memory() as folder:
        found = asyncio.run(
            fuzzed(folder, chosen.tenants, chosen.servers, chosen.requests, chosen.seed)
        )
    sys.stdout.write(
        f"seed {chosen.seed}: {found.requests} requests to {len(found.routes)} operations of"
        f" {chosen.servers} servers at a time, {chosen.tenants} tenants, in"
        f" {time.monotonic() - began:.0f} s\n  statuses: {dict(sorted(found.statuses.items()))}\n"
        f"  {len(found.own)} operations said words of their own people; leaks: {len(found.leaks)}\n"
        + "".join(f"    leaked: {leak}\n" for leak in found.leaks[:20])
        + "".join(f"    broken: {asked}\n" for asked in found.broken[:20])
    )
    return int(bool(found.leaks or found.broken))


if __name__ == "__main__":
    sys.exit(main())
