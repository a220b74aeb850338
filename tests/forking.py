"""Processes that begin as forks of one that has imported everything: to start Python and import
the product takes longer than most of what they are started for.

They are processes all the same: a folder, an environment and files of their own, killed by signals,
and nothing shared with the test. That the product starts without a warm parent is shown by
`tests/embark/test_cli_start.py` and `tests/embark/test_cli_server.py`.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
HARBOR = ROOT / "examples" / "harbor"
PRELOADED = (
    *("tests.forked", "tests.e2e.killing.worker", "tests.e2e.interventions.worker"),
    "tests.tools.acting.racing",
)
LOOK_S = 0.005


def context() -> ForkServerContext:
    """One parent for all forks of a test process: what it imports is said before the first."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(list(PRELOADED))
    return forks


class Said:
    """Standard output of a process that may still be running."""

    def __init__(self, path: Path, process: Forked) -> None:
        self._file = path.open(encoding="utf-8")
        self._process = process

    def readline(self) -> str:
        """A whole line; what there is once the process has ended."""
        line = self._file.readline()
        while not line.endswith("\n"):
            ended = self._process.poll() is not None
            line += self._file.readline()
            if ended:
                break
            time.sleep(LOOK_S)
        return line

    def read(self) -> str:
        return self._file.read()

    def close(self) -> None:
        self._file.close()


class Forked:
    """A module as `python -m` runs it, with what tests use of `subprocess.Popen`."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        stderr: Path | None = None,
    ) -> None:
        """`stderr` is added to; without one it goes where standard output goes."""
        self.args = [module, *arguments]
        self._folder = tempfile.TemporaryDirectory(prefix="forked-")
        out = Path(self._folder.name) / "out"
        out.touch()
        variables = dict(os.environ if env is None else env)
        self._process = context().Process(
            target=_run,
            args=(module, list(arguments), str(cwd), variables, (str(out), str(stderr or out))),
        )
        self._process.start()
        self.stdout = Said(out, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wait()
        self.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        self.stdout.close()
        self._folder.cleanup()


def completed(
    module: str,
    arguments: Sequence[str],
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """To its end, with what it said."""
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:
        errors = Path(folder) / "err"
        with Forked(module, arguments, cwd, env, errors) as process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            said = errors.read_text("utf-8") if errors.exists() else ""
            return subprocess.CompletedProcess(process.args, code, process.stdout.read(), said)


def _run(
    module: str,
    arguments: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    files: tuple[str, str],
) -> None:
    """In the fork."""
    for number, path in zip((1, 2), files, strict=True):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0, closefd=False), "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", 0, closefd=False), "utf-8", write_through=True)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path.insert(0, str(HARBOR))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
