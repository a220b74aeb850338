"""The product as a process of its own over a running Harbor, its data and its log in one folder."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embark.periods import DEFAULTS
from tests.embark.project import PAGES
from tests.forking import Forked, completed
from tests.harbor.running import ROOT, Harbor

HARBOR = ROOT / "examples" / "harbor"
STOP_S = 20
READERS = 4
"""Groups that have their place in the log; features keep theirs with their states."""
TOOLS = (
    *("get_me", "list_dashboards", "create_dashboard", "update_dashboard"),
    *("delete_dashboard", "restore_dashboard"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with docs, settings and data. `environment` is what `embark` sees beside ours."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def begun(self, *arguments: str) -> Forked:
        """The command, under way."""
        return Forked(EMBARK, arguments, self.folder, self._variables())

    def embark(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command, to its end."""
        return completed(EMBARK, arguments, self.folder, self._variables())

    def caught_up(self, within_s: float = 30) -> None:
        """Until all that was sent has been heard by every reader of the log."""
        ends = time.monotonic() + within_s
        while not self._heard():
            assert time.monotonic() < ends, "readers of the log do not come after"
            time.sleep(0.05)

    def _heard(self) -> bool:
        books = sqlite3.connect(self.data / "onboarding.sqlite", timeout=30)
        try:
            newest = books.execute("SELECT max(number) FROM product_event").fetchone()[0]
            asked = "SELECT count(*), min(position) FROM event_reader"
            readers, slowest = books.execute(asked).fetchone()
            return bool(readers >= READERS and slowest >= newest)
        finally:
            books.close()

    @contextmanager
    def serving(self) -> Iterator[Served]:
        """Logs as much as it can, into the data folder."""
        self.data.mkdir(exist_ok=True)
        log, given = self.data / "server.log", ("--set", "log_level=debug", "serve", "--port", "0")
        process = Forked(EMBARK, given, self.folder, self._variables(), log)
        try:
            url = process.stdout.readline().strip()
            assert url, log.read_text()[-2000:]
            yield Served(url, process)
        finally:
            process.terminate()
            process.wait(STOP_S)
            process.close()

    def _variables(self) -> dict[str, str]:
        return {**os.environ, "NO_COLOR": "1", **self.environment}


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    process: Forked


EMBARK = "embark.cli"


def made(folder: Path, harbor: Harbor, **environment: str) -> Place:
    """Indexed, without a model: words are enough here."""
    folder.mkdir(parents=True)
    for path, text in PAGES.items():
        file = folder / "docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (folder / "embark.toml").write_text(_settings(harbor), encoding="utf-8")
    (folder / "tools.yaml").write_text(_tools(), encoding="utf-8")
    place = Place(folder, environment)
    done = place.embark("index", "run")
    assert done.returncode == 0, done.stderr
    return place


def _tools() -> str:
    """The few that these people need: the more there are, the longer each turn thinks."""
    policy = (HARBOR / "tools.yaml").read_text(encoding="utf-8")
    head, _, body = policy.partition("\ntools:\n")
    named = re.split(r"^  (\w+):\n", body, flags=re.MULTILINE)[1:]
    tools = dict(zip(named[::2], named[1::2], strict=True))
    return f"{head}\ntools:\n" + "".join(f"  {name}:\n{tools[name]}" for name in TOOLS)


def _periods() -> str:
    """All of them: with PostgreSQL a server starts with no less."""
    return "\n".join(f"{name} = {days}" for name, days in DEFAULTS.items())


def _settings(harbor: Harbor) -> str:
    address = harbor.base_url.removeprefix("http://")
    return f"""
tenant = "harbor"
data_dir = "data"
[encoder]
backend = "hash"
[[sources]]
id = "docs"
path = "docs"
[server]
streams_per_client = 500
[retention]
{_periods()}
[onboarding]
folder = "{HARBOR / "onboarding"}"
[actions]
tools = "tools.yaml"
private_hosts = ["{address}"]
addresses = {{ harbor = "{harbor.base_url}" }}
[identity]
url = "{harbor.base_url}/v1/me"
target = "harbor"
"""
