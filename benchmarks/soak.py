"""Keeps a server under load while its docs change: no question may fail or mix two versions.

python benchmarks/soak.py [--seconds 60] [--users 8] [--switch-every 10] [--encoder auto]

A folder of pages is written below a temporary folder, indexed by `embark index run` and served by
`embark serve`, each a process of its own. While users ask without pause, every page is rewritten as
the next edition, published, and old versions are collected. Every sentence of a page names its
edition, so an answer shows which version it cites. The load ends --seconds after it began, or with
the publication then under way. Ends with 1 when a question failed, when fewer than two versions
were seen, or when memory grew beyond --most-growth-mb.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from benchmarks.stream import Server, embark, quantile, served

TOPICS = (
    *("invitation", "export", "webhook", "dashboard", "backup", "password", "session", "invoice"),
    *("token", "report", "import", "alert", "workspace", "filter", "digest", "certificate"),
)
REQUEST_S = 60.0
PAUSE_S = 0.5
SHOWN_FAILURES = 5
_EDITION = re.compile(r"edition (\d+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: seconds since the load began, seconds to the first byte, what came of it."""

    at: float
    byte: float
    edition: int | None
    failure: str | None


@dataclass(slots=True)
class Soak:
    """A running load and what it found."""

    folder: Path
    server: Server
    began: float = field(default_factory=time.perf_counter)
    edition: int = 1
    ended: bool = False
    asked: list[Asked] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)  # at, resident size
    broken: list[str] = field(default_factory=list)  # publications that failed

    @property
    def now(self) -> float:
        return time.perf_counter() - self.began

    def weigh(self) -> None:
        try:
            size = psutil.Process(self.server.pid).memory_info().rss / 1024**2
        except psutil.NoSuchProcess:
            self.broken.append(f"the server was gone after {self.now:.0f} s")
            size = float("nan")
        self.memory_mb.append((self.now, size))

    async def user(self, number: int) -> None:
        async with httpx.AsyncClient(
            base_url=self.server.url, timeout=REQUEST_S, trust_env=False
        ) as client:
            while not self.ended:
                topic = TOPICS[number % len(TOPICS)]
                number += 1
                asked = await self.question(client, f"When does each {topic} expire?")
                self.asked.append(asked)
                if asked.failure is not None:  # a server that is gone refuses thousands a second
                    await asyncio.sleep(PAUSE_S)

    async def question(self, client: httpx.AsyncClient, text: str) -> Asked:
        body = {
            "threadId": uuid.uuid4().hex,
            "runId": uuid.uuid4().hex,
            "messages": [{"id": uuid.uuid4().hex, "role": "user", "content": text}],
        }
        at, began, byte = self.now, time.perf_counter(), float("nan")
        received = ""
        try:
            async with client.stream("POST", "/v1/agui", json=body) as response:
                async for piece in response.aiter_text():
                    byte = time.perf_counter() - began if not received else byte
                    received += piece
        except httpx.HTTPError as error:
            return Asked(at, byte, None, f"{type(error).__name__}: {error}")
        if response.status_code != httpx.codes.OK:
            return Asked(at, byte, None, f"HTTP {response.status_code}: {received[:200]}")
        edition, failure = judged(received, self.edition)
        return Asked(at, byte, edition, failure)

    async def publish(self) -> None:
        """The next edition, then away with the versions that nobody needs."""
        self.edition += 1
        write_pages(self.folder, self.edition)
        for command in (("index", "run"), ("index", "gc")):
            code, said = await embark(self.folder / "embark.toml", *command)
            if code != 0:
                self.broken.append(f"embark {' '.join(command)} ended with {code}: {said[-400:]}")

    async def run(self, seconds: float, users: int, switch_every: float) -> None:
        """Returns when the time is over and every question under way is answered."""
        self.weigh()
        async with asyncio.TaskGroup() as load:
            for number in range(users):
                load.create_task(self.user(number))
            while self.now + switch_every < seconds:
                await asyncio.sleep(switch_every)
                await self.publish()
                self.weigh()
            await asyncio.sleep(max(0.0, seconds - self.now))
            self.ended = True
        self.weigh()


def page(topic: str, edition: int) -> str:
    """A page whose every sentence names its edition."""
    return (
        f"# {topic.capitalize()} limits\n\n"
        f"Each {topic} expires after {edition + 10} days in edition {edition}.\n\n"
        f"## Renew the {topic}\n\n"
        f"Admins renew the {topic} in the panel of edition {edition}.\n"
    )


def write_pages(folder: Path, edition: int) -> None:
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    for topic in TOPICS:
        (docs / f"{topic}.md").write_text(page(topic, edition), encoding="utf-8")


def judged(received: str, newest: int) -> tuple[int | None, str | None]:
    """The edition that an answer cites, or what is wrong with it."""
    lines = [line[6:] for line in received.split("\n") if line.startswith("data: ")]
    events = [json.loads(line) for line in lines]
    if not events or events[-1]["type"] != "RUN_FINISHED":
        return None, f"the run ended with {events[-1] if events else 'nothing'}"
    ends = [event["metadata"] for event in events if event["type"] == "TEXT_MESSAGE_END"]
    cited = [citation["quote"] for end in ends for citation in end["citations"]]
    if not cited:
        return None, f"no answer: {ends}"
    editions = {int(number) for quote in cited for number in _EDITION.findall(quote)}
    if len(editions) != 1:
        return None, f"one answer cites editions {sorted(editions)}: {cited}"
    (edition,) = editions
    if not 1 <= edition <= newest:
        return None, f"edition {edition} was never published"
    pages = [page(topic, edition) for topic in TOPICS]
    invented = [quote for quote in cited if not any(quote in text for text in pages)]
    return edition, f"not verbatim: {invented}" if invented else None


def configuration(encoder: str, users: int) -> str:
    return (
        'tenant = "soak"\ndata_dir = "data"\n'
        f'[encoder]\nbackend = "{encoder}"\n[answer]\nthreshold = 0.0\n'
        f"[server]\nstreams_per_client = {users + 8}\n"
        '[[sources]]\nid = "docs"\npath = "docs"\n'
    )


def show(soak: Soak) -> None:
    """A row for the time between two weighings, and one for all of it."""
    print(
        "    until s  questions  failures  versions  p50 byte ms  p95 byte ms  memory MB   growth"
    )
    times = [at for at, _ in soak.memory_mb]
    for since, (until, size) in zip(times, soak.memory_mb[1:], strict=False):
        part = [one for one in soak.asked if since <= one.at < until]
        if part:
            print(line(f"{until:.1f}", part, size, size - soak.memory_mb[0][1]))
    size = soak.memory_mb[-1][1]
    print(line("all", soak.asked, size, size - soak.memory_mb[0][1]))


def line(label: str, part: Sequence[Asked], size: float, growth: float) -> str:
    bytes_ = [one.byte * 1000 for one in part if one.failure is None] or [float("nan")]
    failures = sum(one.failure is not None for one in part)
    versions = len({one.edition for one in part} - {None})
    return (
        f"{label:>11}{len(part):11d}{failures:10d}{versions:10d}{quantile(bytes_, 0.5):13.1f}"
        f"{quantile(bytes_, 0.95):13.1f}{size:11.0f}{growth:+9.0f}"
    )


def verdict(soak: Soak, most_growth_mb: float | None) -> list[str]:
    """What went wrong, worded for people; empty when nothing did."""
    failures = Counter(one.failure for one in soak.asked if one.failure is not None)
    wrong = [f"{count} x {what}" for what, count in failures.most_common(SHOWN_FAILURES)]
    wrong += soak.broken
    if len({one.edition for one in soak.asked} - {None}) < 2:
        wrong.append("fewer than two versions were seen: give it more --seconds")
    growth = soak.memory_mb[-1][1] - soak.memory_mb[0][1]
    if most_growth_mb is not None and growth > most_growth_mb:
        wrong.append(f"memory grew by {growth:.0f} MB, more than {most_growth_mb:.0f}")
    return wrong


async def soaked(chosen: argparse.Namespace, folder: Path) -> Soak:
    config = folder / "embark.toml"
    config.write_text(configuration(chosen.encoder, chosen.users), encoding="utf-8")
    write_pages(folder, 1)
    code, said = await embark(config, "index", "run")
    if code != 0:
        sys.exit(f"the first index could not be built:\n{said}")
    async with served(config) as server:
        soak = Soak(folder, server)
        async with httpx.AsyncClient(
            base_url=server.url, timeout=REQUEST_S, trust_env=False
        ) as client:
            for topic in TOPICS:  # warm: models are loaded, pools are filled
                await soak.question(client, f"When does each {topic} expire?")
        soak.began = time.perf_counter()
        await soak.run(chosen.seconds, chosen.users, chosen.switch_every)
        return soak


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="How long the load lasts")
    parser.add_argument("--users", type=int, default=8, help="Questions under way at any time")
    parser.add_argument("--switch-every", type=float, default=10.0, help="Seconds between editions")
    parser.add_argument("--encoder", choices=("auto", "hash"), default="auto")
    parser.add_argument("--most-growth-mb", type=float, help="Fail when memory grows by more")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="embark-soak-") as folder:
        soak = asyncio.run(soaked(chosen, Path(folder)))
    show(soak)
    wrong = verdict(soak, chosen.most_growth_mb)
    for what in wrong:
        print(f"FAILED: {what}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
