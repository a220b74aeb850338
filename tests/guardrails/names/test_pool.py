"""A stalled, dead or lying worker costs its block and is replaced; none at all refuses the turn."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from guardrails.names.pool import NamePool, PoolPolicy
from guardrails.names.redactor import NameRedactor
from guardrails.policy import NoWorkerError
from guardrails.types import Span
from tests.guardrails.names import workers

QUICK = PoolPolicy(workers=2, block_bytes=256, overlap=32, wait_s=20, again_s=0.05)


@pytest.fixture(scope="module")
def pool() -> Iterator[NamePool]:
    with NamePool(workers.run, ["here"], QUICK) as opened:
        yield opened


def test_finds_over_blocks_with_offsets_of_the_whole_text(pool: NamePool) -> None:
    text = "🎉 word " * 60 + "Maria" + " word" * 60
    at = text.index("Maria")
    assert pool.find(text) == (Span(at, at + 5, "PERSON", 0.5),)
    assert pool.find("") == ()


@pytest.mark.parametrize("deed", ["STALL", "CRASH", "LIE"])
def test_a_bad_block_is_masked_whole_and_its_worker_replaced(pool: NamePool, deed: str) -> None:
    pool.find("warm")
    before = set(pool.pids())
    text = f"Maria {'word ' * 60}{deed} secret{' word' * 60} Maria"
    started = time.perf_counter()
    spans = pool.find(text)
    assert time.perf_counter() - started < QUICK.wait_s + 4 * QUICK.block_s
    masked = next(span for span in spans if span.type == "REDACTED")
    assert "secret" in text[masked.start : masked.end]
    assert spans[0].start == 0
    assert spans[-1].end == len(text)
    _until(lambda: len(pool.pids()) == QUICK.workers and len(before - set(pool.pids())) >= 1)
    assert pool.find("I am Maria") == (Span(5, 10, "PERSON", 0.5),)


def test_the_redactor_lets_nothing_of_a_stalled_block_through(pool: NamePool) -> None:
    redactor = NameRedactor(pool)
    assert redactor.redact("STALL my friend is Otto").text == "<REDACTED>"
    assert redactor.redact("CRASH my friend is Otto").text == "<REDACTED>"


def test_a_worker_that_was_killed_while_idle_costs_nothing(pool: NamePool) -> None:
    pool.find("warm")
    pids = pool.pids()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    _until(lambda: all(_gone(pid) for pid in pids))
    assert pool.find("I am Maria") == (Span(5, 10, "PERSON", 0.5),)


def test_a_worker_opens_no_connection_and_starts_no_process(pool: NamePool) -> None:
    (span,) = pool.find("DIAL")
    assert span.type == "REFUSED,REFUSED,REFUSED,REFUSED"


def test_many_threads_get_their_own_answers(pool: NamePool) -> None:
    texts = [" " * number + "Maria" for number in range(60)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(pool.find, texts))
    assert [spans[0].start for spans in found] == list(range(60))


def test_a_worker_that_cannot_start_refuses_the_turn() -> None:
    policy = PoolPolicy(workers=1, start_s=1.0, again_s=0.05)
    with NamePool(workers.never, ["here"], policy) as pool, pytest.raises(NoWorkerError):
        NameRedactor(pool).redact("hello")


def test_no_worker_left_refuses_the_turn_and_says_how_long_it_waited(tmp_path: Path) -> None:
    policy = PoolPolicy(workers=1, wait_s=0.3)
    with NamePool(workers.slow, [str(tmp_path)], policy) as pool:
        assert pool.find("STALL")[0].type == "REDACTED"
        with pytest.raises(NoWorkerError) as refused:
            pool.find("hello")
    assert refused.value.waited_s == 0.3


def test_a_closed_pool_leaves_no_process_and_refuses() -> None:
    with NamePool(workers.run, ["here"], QUICK) as pool:
        pool.find("warm")
        pids = pool.pids()
    assert len(pids) == QUICK.workers
    _until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    with pytest.raises(NoWorkerError):
        pool.find("hello")


def _until(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "did not come to hold"
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
