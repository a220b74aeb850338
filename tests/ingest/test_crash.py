"""SIGKILL in the middle of a build: readers notice nothing, and the next run succeeds."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from time import sleep

import pytest

from ingest.sync import Outcome
from retrieval.catalog import Catalog
from retrieval.folders import Folders
from tests.ingest.syncing import TOPICS, Bench, page
from tests.retrieval.building import folder_in_memory

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with folder_in_memory() as folder:
        built = Bench(folder)
        built.write_pages()
        yield built


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _build_and_die(folder: Path, owner: str, method: str) -> None:
    setattr({"folders": Folders, "catalog": Catalog}[owner], method, _die)
    Bench(folder).run(full=True)


def _build_for_ever(folder: Path, told: Connection) -> None:
    bench = Bench(folder)
    told.send("ready")
    number = 0
    while True:
        number += 1
        bench.write("alerts.md", page("alerts", f" Written {number} times."))
        bench.run(full=number % 2 == 0)


def _check_whole(bench: Bench) -> str:
    """The current version opens, verifies and holds every page."""
    with bench.reading() as snapshot:
        assert snapshot.index.hashes() == {
            chunk.id: chunk.content_hash for chunk in snapshot.chunks.chunks()
        }
        assert {chunk.doc_id for chunk in snapshot.chunks.chunks()} == set(TOPICS)
        return snapshot.version


@pytest.mark.parametrize(
    ("owner", "method", "switched"),
    [
        ("catalog", "add", False),  # built, not yet a version
        ("folders", "point_to", False),  # a whole version, not yet current
        ("catalog", "published", True),  # current, not yet in the books
    ],
)
def test_a_kill_around_the_switch(bench: Bench, owner: str, method: str, switched: bool) -> None:
    first = bench.run().version
    process = SPAWN.Process(target=_build_and_die, args=(bench.root.parent, owner, method))
    bench.write("alerts.md", page("alerts", " Alerts can be muted."))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    now = _check_whole(bench)
    assert (now != first) is switched
    report = bench.run()
    assert report.outcome is (Outcome.UNCHANGED if switched else Outcome.PUBLISHED)
    _check_whole(bench)
    assert list((bench.root / "building").glob("*")) == []
    states = {r.name: r.state.value for r in bench.archive.status().records}
    assert "ready" not in states.values()
    assert bench.archive.status().rollback == first


def test_kills_at_random_moments(bench: Bench) -> None:
    bench.run()
    rng = Random(2026)
    seen = set()
    for _ in range(4):
        here, there = SPAWN.Pipe()
        process = SPAWN.Process(target=_build_for_ever, args=(bench.root.parent, there))
        process.start()
        assert here.recv() == "ready"
        sleep(rng.uniform(0.0, 1.5))
        process.kill()
        process.join()
        seen.add(_check_whole(bench))
        bench.write("alerts.md", page("alerts", f" Written after kill {rng.random()}."))
        assert bench.run().outcome is Outcome.PUBLISHED
        seen.add(_check_whole(bench))
        assert bench.archive.status().writer is None
    assert len(seen) > 4
