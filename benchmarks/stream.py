"""First byte, first text and whole answer of a streamed run, at 1, 8 and 32 users.

    python benchmarks/stream.py --count 200
    python benchmarks/stream.py --url http://127.0.0.1:8765 --users 1 8
    python benchmarks/stream.py --config examples/harbor/embark.toml --provider --delay-ms 300

Without `--url` a server is started here, as a process of its own: of `--config`, else of the demo,
whose docs are indexed first. Conversations of a server started here are kept in a temporary
database. With `--provider` its model is
a scripted one on a local port, which waits `--delay-ms` and says one supported sentence; the same
provider, read directly in the same run, is the baseline: the difference is Embark's own time.
Client and server share the machine, so every figure holds the client's work too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from tests.agent.scripted_provider import Finish, Wait, provider, sentence, units

USERS = (1, 8, 32)
FIRST_BYTE, FIRST_TEXT = b"RUN_STARTED", b"TEXT_MESSAGE_CONTENT"
FAILED = b"RUN_ERROR"
START_S = 120
DEMO = Path(__file__).parents[1] / "examples" / "harbor" / "embark.toml"

HARBOR = Path(__file__).parent.parent / "examples" / "harbor" / "embark.toml"
"""What is measured when neither a server nor a configuration is named; `make demo` indexes it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the start of the request; `text` is None when no text came."""

    byte: float
    text: float | None
    whole: float
    failed: bool


async def ask(url: str, question: str) -> Timing:
    """One question on a connection of its own, in a thread of its own."""
    body = {
        "threadId": uuid.uuid4().hex,
        "runId": uuid.uuid4().hex,
        "messages": [{"id": uuid.uuid4().hex, "role": "user", "content": question}],
    }
    return await _timed(url, "/v1/agui", body, (FIRST_BYTE, FIRST_TEXT))


async def _timed(url: str, path: str, body: object, marks: tuple[bytes, bytes]) -> Timing:
    parts = urlsplit(url)
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(head.encode() + content)
    seen: dict[bytes, float] = {}
    received = b""
    while piece := await reader.read(65536):
        received += piece
        now = time.perf_counter() - began
        for mark in marks:
            if mark not in seen and mark in received:
                seen[mark] = now
    whole = time.perf_counter() - began
    writer.close()
    failed = marks[0] not in seen or FAILED in received
    return Timing(seen.get(marks[0], whole), seen.get(marks[1]), whole, failed)


async def measure(url: str, questions: Sequence[str], users: int, count: int) -> list[Timing]:
    """`count` questions, `users` at a time; each user asks the next when the last is answered."""
    waiting = iter(range(count))
    found: list[Timing] = []

    async def user() -> None:
        for number in waiting:
            found.append(await ask(url, questions[number % len(questions)]))

    await asyncio.gather(*(user() for _ in range(users)))
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(label: str, timings: Sequence[Timing], elapsed_s: float) -> str:
    texts = [t.text for t in timings if t.text is not None] or [float("nan")]
    columns = [
        (quantile([t.byte for t in timings], q), quantile(texts, q), quantile(whole, q))
        for whole in [[t.whole for t in timings]]
        for q in (0.5, 0.95)
    ]
    cells = "".join(
        f"{p50 * 1000:9.1f} {p95 * 1000:8.1f}" for p50, p95 in zip(*columns, strict=True)
    )
    failed = sum(t.failed for t in timings)
    return f"{label:>18}{cells}{len(timings) / elapsed_s:10.1f}{failed:8d}"


HEADER = (
    f"{'':>18}{'first byte':>18}{'first text':>18}{'whole':>18}{'answers':>10}{'failed':>8}\n"
    f"{'users':>18}" + f"{'p50 ms':>9} {'p95 ms':>8}" * 3 + f"{'per s':>10}"
)


async def table(url: str, questions: Sequence[str], users: Sequence[int], count: int) -> None:
    await measure(url, questions, 1, len(questions))  # warm
    print(HEADER)
    for at_once in users:
        began = time.perf_counter()
        timings = await measure(url, questions, at_once, count)
        print(row(str(at_once), timings, time.perf_counter() - began), flush=True)


# --- a model's share --------------------------------------------------------------------------


async def own_time(config: Path, question: str, delay_s: float, count: int) -> None:
    """Embark's own time beside the provider's, question by question in turn."""
    async with served(config) as server:
        claim = await supported(server.url, question)
    said = units(sentence(claim, 1))
    async with provider(Wait(delay_s), said, Wait(delay_s), said, Finish()) as scripted:
        model = ("--set", f"model.base_url={scripted.base_url}", "--set", "model.name=scripted")
        async with served(config, *model) as server:
            await measure(server.url, [question], 1, 3)  # warm
            direct: list[float] = []
            ours: list[Timing] = []
            for _ in range(count):
                direct.append(await _first_sentence(scripted.base_url))
                ours.append(await ask(server.url, question))
    texts = [t.text for t in ours if t.text is not None]
    if len(texts) < count:
        sys.exit(f"{count - len(texts)} of {count} answers held no text: {claim!r} was not let by")
    print(f"{'':>28}{'p50 ms':>9}{'p95 ms':>9}{'mean ms':>9}")
    added = [ours - theirs for ours, theirs in zip(texts, direct, strict=True)]
    bytes_ = [t.byte for t in ours]
    for label, values in (
        ("provider's first sentence", direct),
        ("our first byte", bytes_),
        ("our first verified text", texts),
        ("own time added", added),
    ):
        p50, p95 = quantile(values, 0.5) * 1000, quantile(values, 0.95) * 1000
        print(f"{label:>28}{p50:9.1f}{p95:9.1f}{fmean(values) * 1000:9.1f}")


async def _first_sentence(base_url: str) -> float:
    """Until the first unit is whole: no sentence can be verified before."""
    parts = urlsplit(base_url)
    body = {"model": "scripted", "stream": True, "messages": []}
    timing = await _timed(base_url, f"{parts.path}/chat/completions", body, (b"data:", b"\\n"))
    assert timing.text is not None
    return timing.text


async def supported(url: str, question: str) -> str:
    """A sentence that the documentation proves: the first quote of the extractive answer."""
    body = {
        "threadId": uuid.uuid4().hex,
        "runId": "r",
        "messages": [{"id": "u", "role": "user", "content": question}],
    }
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        await client.post("/v1/agui", json=body)
        stored = (await client.get(f"/v1/conversations/{body['threadId']}")).json()
    citations = stored["messages"][-1]["metadata"]["citations"]
    if not citations:
        sys.exit(f"the documentation does not answer {question!r}: choose another --question")
    return str(citations[0]["quote"])


class Server(NamedTuple):
    """A running `embark serve`."""

    url: str
    pid: int


async def embark(config: Path, *words: str) -> tuple[int, str]:
    """The `embark` command in a process of its own: exit status, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embark.cli", "--config", str(config), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@asynccontextmanager
async def served(config: Path, *options: str) -> AsyncIterator[Server]:
    """`embark serve` on a free port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embark.cli", "--config", str(config), *options),
        *("serve", "--port", "0", "--no-open"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        if not line:
            sys.exit("the server did not start: run `embark serve` by hand to see why")
        yield Server(line.decode().strip(), process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def run(chosen: argparse.Namespace) -> None:
    if chosen.url:
        await table(chosen.url, await _questions(chosen, chosen.url), chosen.users, chosen.count)
        return
    if chosen.config is None:
        chosen.config = await _demo()
    if chosen.provider:
        question = chosen.question[0] if chosen.question else await _suggested(chosen)
        await own_time(chosen.config, question, chosen.delay_ms / 1000, chosen.count)
        return
    async with served(chosen.config) as server:
        questions = await _questions(chosen, server.url)
        await table(server.url, questions, chosen.users, chosen.count)


async def _demo() -> Path:
    """The demo's configuration, its docs indexed where they changed."""
    code, said = await embark(DEMO, "index", "run")
    if code != 0:
        sys.exit(f"the demo's docs could not be indexed:\n{said}")
    return DEMO


async def _suggested(chosen: argparse.Namespace) -> str:
    async with served(chosen.config) as server:
        return (await _questions(chosen, server.url))[0]


async def _questions(chosen: argparse.Namespace, url: str) -> list[str]:
    if chosen.question:
        return list(chosen.question)
    if chosen.file:
        lines = chosen.file.read_text(encoding="utf-8").splitlines()
        return [str(json.loads(line)["text"]) for line in lines if line.strip()]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        found: list[str] = (await client.get("/v1/suggestions")).json()["suggestions"]
    return found or sys.exit("the server suggests no questions: give --question or --file")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="A running server")
    where.add_argument(
        "--config", type=Path, help="embark.toml of a server to start; the demo's if not given"
    )
    parser.add_argument("--provider", action="store_true", help="Own time over a scripted model")
    parser.add_argument("--delay-ms", type=float, default=300.0, help="Of the scripted model")
    parser.add_argument("--count", type=int, default=200, help="Questions at each number of users")
    parser.add_argument("--users", type=int, nargs="+", default=USERS)
    parser.add_argument("--question", action="append", help="Repeat for several")
    parser.add_argument("--file", type=Path, help='JSONL of {"text"}')
    chosen = parser.parse_args()
    if chosen.url is None and chosen.config is None:
        chosen.config = HARBOR
    if chosen.provider and chosen.url:
        parser.error("--provider starts its own server with the scripted model: leave out --url")
    with TemporaryDirectory(prefix="embark-stream-") as folder:
        os.environ["EMBARK_DATABASE__URL"] = f"sqlite:///{folder}/embark.sqlite"  # of the servers
        asyncio.run(run(chosen))


if __name__ == "__main__":
    main()
