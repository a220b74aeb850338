"""Starts a server of `tests.e2e` as a process of its own, and makes sure that it is gone after."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.forking import Forked

ROOT = Path(__file__).parents[2]
STOP_S = 15


class Server(NamedTuple):
    """A running server; `process` may be killed by the test."""

    url: str
    process: Forked


@contextmanager
def started(database: Path, pause_s: float = 0.0) -> Iterator[Server]:
    """`tests.e2e.app`, which answers."""
    with _server("tests.e2e.app", "--database", str(database), "--pause", str(pause_s)) as server:
        yield server


@contextmanager
def acting(keys: Path) -> Iterator[Server]:
    """`tests.e2e.acting_app`, which acts too."""
    with _server("tests.e2e.acting_app", "--keys", str(keys)) as server:
        yield server


@contextmanager
def _server(module: str, *arguments: str) -> Iterator[Server]:
    with Forked(module, arguments) as process:
        url = process.stdout.readline().strip()
        assert url, "the server ended before it listened"
        try:
            yield Server(url, process)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
