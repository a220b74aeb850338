"""What the queries of the profile graph cost at a million edges, beside reading node by node.

python benchmarks/graph.py --edges 1000000 --queries 400
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sqlalchemy import Engine, select

from guardrails.tenancy import within
from onboarding.profile.graph import Edge, GraphQueries, inverses
from onboarding.store.profile.graph_sql import SqlGraph
from onboarding.store.profile.sql import upgrade
from onboarding.store.profile.tables import profile_edge
from tools.store.engine import open_engine

NOW = datetime(2026, 6, 1, tzinfo=UTC)
STEPS, ERRORS, ACTIONS, PAGES, ROLES = 60, 400, 40, 300, 5
TEAM = 12
"""People of an account on average; sizes are heavy-tailed, up to 600."""
BLOCK = 20_000


def edges(count: int, rng: np.random.Generator) -> list[Edge]:
    """A tenant whose people finish steps, hit errors that are ended by actions, and ask. The
    inverse edges are among them."""
    made: list[Edge] = []
    user = account = 0
    number = iter(range(10 * count))

    def put(src: str, rel: str, dst: str, who: str) -> None:
        at = NOW - timedelta(minutes=float(rng.integers(1, 200_000)))
        made.append(Edge("t", src, rel, dst, f"m{next(number)}", at, who))

    while len(made) * 1.35 < count:
        size = min(1 + int(rng.pareto(1.4) * TEAM / 2), 600)
        for _ in range(size):
            me = f"user:u{user}"
            put(me, "member_of", f"account:a{account}", f"u{user}")
            put(me, "has_role", f"role:r{rng.integers(ROLES)}", f"u{user}")
            put(me, "open_to", f"domain:d{account // 2}", f"u{user}")
            for step in rng.choice(STEPS, size=int(rng.integers(0, 8)), replace=False):
                put(me, "finished", f"step:s{step}", f"u{user}")
            for error in np.minimum(rng.zipf(1.4, size=3), ERRORS):
                where = f"error:i{error % 12}/E{error}"
                put(me, "hit", where, f"u{user}")
                put(
                    where, "solved_by", f"action:x{(error + rng.integers(5)) % ACTIONS}", f"u{user}"
                )
            step = f"step:s{rng.integers(STEPS)}"
            put(step, "cites", f"page:p{min(rng.zipf(1.5), PAGES)}", f"u{user}")
            user += 1
        account += 1
    return inverses(made)


async def naive_finishers(engine: Engine, user: str, step: str) -> list[str]:
    """The same as `who_finished`, one statement a node."""

    def read(src: str, rel: str) -> list[str]:
        wanted = select(profile_edge.c.dst).where(
            profile_edge.c.tenant == "t", profile_edge.c.src == src, profile_edge.c.rel == rel
        )
        with within("t"), engine.connect() as connection:
            return list(connection.execute(wanted).scalars())

    def walk() -> list[str]:
        found = []
        for account in read(f"user:{user}", "member_of"):
            for colleague in read(account, "has_member"):
                if colleague != f"user:{user}" and f"step:{step}" in read(colleague, "finished"):
                    found.append(colleague)
        return found

    return await asyncio.to_thread(walk)


async def timed(queries: int, run: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """p50 and p99 in milliseconds, after ten that are not counted."""
    taken = []
    for number in range(queries + 10):
        began = time.perf_counter()
        await run(number)
        taken.append(1000 * (time.perf_counter() - began))
    return float(np.percentile(taken[10:], 50)), float(np.percentile(taken[10:], 99))


async def measure(
    engine: Engine, count: int, queries: int, seed: int
) -> dict[str, tuple[float, float]]:
    """By query; the last is the naive way of the first."""
    rng = np.random.default_rng(seed)
    store, ask = SqlGraph(engine), GraphQueries(SqlGraph(engine))
    every = edges(count, rng)
    began = time.perf_counter()
    for at in range(0, len(every), BLOCK):
        await store.add("t", every[at : at + BLOCK])
    took = time.perf_counter() - began
    print(f"{len(every)} edges added in {took:.0f} s, {len(every) / took:.0f} a second", flush=True)
    users = sorted({edge.subject for edge in every if edge.subject})
    some = rng.choice(users, size=queries + 10)
    accounts = sorted({e.dst.partition(":")[2] for e in every if e.rel == "member_of"})
    steps = rng.integers(STEPS, size=queries + 10)
    errors = np.minimum(rng.zipf(1.4, size=queries + 10), ERRORS)
    roles = [f"r{n}" for n in range(ROLES)]

    async def finished(n: int) -> object:
        return await ask.who_finished("t", str(some[n]), f"s{steps[n]}", NOW)

    async def invite(n: int) -> object:
        return await ask.whom_to_invite("t", accounts[n % len(accounts)], roles, NOW)

    async def solved(n: int) -> object:
        return await ask.what_solved("t", f"E{errors[n]}", f"i{errors[n] % 12}", NOW)

    async def cited(n: int) -> object:
        return await ask.pages_cited("t", f"s{steps[n]}", NOW)

    async def naive(n: int) -> object:
        return await naive_finishers(engine, str(some[n]), f"s{steps[n]}")

    ways = {
        "who finished this step": finished,
        "whom to invite": invite,
        "what solved this error": solved,
        "pages cited on a step": cited,
        "who finished, node by node": naive,
    }
    return {name: await timed(queries, run) for name, run in ways.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--url", help="another database, such as postgresql+psycopg://...")
    parser.add_argument("--schema", help="of PostgreSQL")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        engine = open_engine(args.url or f"sqlite:///{Path(folder)}/graph.db", args.schema)
        upgrade(engine)
        found = asyncio.run(measure(engine, args.edges, args.queries, args.seed))
        for name, (p50, p99) in found.items():
            print(f"{name:28} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms")
        engine.dispose()


if __name__ == "__main__":
    main()
