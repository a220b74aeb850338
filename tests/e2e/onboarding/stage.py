"""Harbor and Embark as processes that know each other, as a host runs them: Harbor's events reach
`/v1/batch`, and Embark asks Harbor with the rights of who is there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import httpx
import orjson

from tests.forking import Forked, completed
from tests.harbor.running import ROOT, Harbor, running_harbor

HARBOR = ROOT / "examples" / "harbor"
WRITE_KEY = "write-key-of-harbor-in-tests"
STOP_S = 20
EMBARK, CONFIG = "embark.cli", ("--config", str(HARBOR / "embark.toml"))


@dataclass(frozen=True, slots=True)
class Stage:
    """`folder` holds what it keeps, `journeys` is a copy of Harbor's own onboarding folder."""

    folder: Path
    harbor: Harbor
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def onboarding(self) -> Path:
        return self.folder / "onboarding"

    @property
    def data(self) -> Path:
        return self.folder / "embark"

    def embark(self, *arguments: str) -> str:
        """The command, to its end; what it said, where it went well."""
        done = completed(EMBARK, [*CONFIG, *arguments], ROOT, self._variables())
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def serving(self, port: int) -> Iterator[httpx.Client]:
        """One server of maybe several on the same database."""
        log, given = self.folder / f"server-{port}.log", ("serve", "--port", str(port))
        process = Forked(EMBARK, [*CONFIG, *given], ROOT, self._variables(), log)
        try:
            url = process.stdout.readline().strip()
            assert url, log.read_text()[-3000:]
            with httpx.Client(base_url=self.url_of(port), timeout=30, trust_env=False) as client:
                yield client
        finally:
            process.terminate()
            process.wait(STOP_S)
            process.close()

    @staticmethod
    def url_of(port: int) -> str:
        return f"http://127.0.0.1:{port}"

    def _variables(self) -> dict[str, str]:
        address = self.harbor.base_url
        return {
            **os.environ,
            "NO_COLOR": "1",
            "EMBARK_ENCODER__BACKEND": "hash",
            "EMBARK_DATA_DIR": str(self.data),
            "EMBARK_ONBOARDING__FOLDER": str(self.onboarding),
            "EMBARK_ONBOARDING__EVENTS__API_KEY": WRITE_KEY,
            "EMBARK_ONBOARDING__TRYING__NOTHING": "0",  # what is left to chance cannot be told
            "EMBARK_ONBOARDING__TRYING__EXPLORE": "0",
            "EMBARK_ACTIONS__ADDRESSES": orjson.dumps({"harbor": address}).decode(),
            "EMBARK_ACTIONS__PRIVATE_HOSTS": orjson.dumps([address[7:]]).decode(),
            "EMBARK_IDENTITY__URL": f"{address}/v1/me",
        }


@dataclass(frozen=True, slots=True)
class Running:
    """A stage with one server, which Harbor's events go to."""

    stage: Stage
    server: httpx.Client


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Until the block ends."""
    port = free_port()
    flags = ("--events-url", f"http://127.0.0.1:{port}/v1/batch", "--events-key", WRITE_KEY)
    copytree(HARBOR / "onboarding", folder / "onboarding")
    with ExitStack() as closing:
        harbor = closing.enter_context(running_harbor(folder / "harbor", *flags))
        stage = Stage(folder, harbor, port)
        stage.embark("index", "run")
        yield Running(stage, closing.enter_context(stage.serving(port)))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
