"""A running server, and the command in another process: what is revoked opens no more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import STOP_S
from tests.embark.project import PAGES
from tests.forking import Forked, completed
from tests.retrieval.building import folder_in_memory

PROMISED_S = 60.0
EMBARK = "embark.cli"
SETTINGS = """
data_dir = "data"
[encoder]
backend = "hash"
[answer]
threshold = 0.0
[[sources]]
id = "docs"
path = "docs"
"""
PAGE = "guides/invite.md"


@pytest.fixture
def project() -> Iterator[Path]:
    with folder_in_memory() as folder:
        for path, text in PAGES.items():
            file = folder / "docs" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        (folder / "embark.toml").write_text(SETTINGS, encoding="utf-8")
        command(folder, "index", "run")
        yield folder


def command(project: Path, *arguments: str) -> None:
    config = str(project / "embark.toml")
    done = completed(EMBARK, ["--config", config, *arguments])
    assert done.returncode == 0, done.stderr


@contextmanager
def serving(project: Path) -> Iterator[httpx.Client]:
    config = str(project / "embark.toml")
    log = project / "server.log"
    with Forked(EMBARK, ["--config", config, "serve", "--port", "0"], stderr=log) as process:
        try:
            url = process.stdout.readline().strip()
            with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
                yield client
        finally:
            process.terminate()
            process.wait(STOP_S)


def asked(client: httpx.Client, number: int) -> str:
    message = {"id": f"m{number}", "role": "user", "content": "How do I resend an invitation?"}
    body = {"threadId": f"t{number}", "runId": "r", "messages": [message]}
    return client.post("/v1/agui", json=body).text


def shown_after(client: httpx.Client, status: int) -> float:
    """Seconds until the page answers so."""
    began = time.monotonic()
    while client.get(f"/pages/{PAGE}").status_code != status:
        assert time.monotonic() - began < PROMISED_S
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_running_server_obeys_what_another_process_revokes(project: Path) -> None:
    with serving(project) as client:
        assert client.get(f"/pages/{PAGE}").status_code == 200
        assert PAGE in asked(client, 1)
        command(project, "index", "revoke", PAGE)
        assert shown_after(client, 404) < PROMISED_S
        after = asked(client, 2)
        assert "RUN_FINISHED" in after
        assert PAGE not in after
        assert "Resend" not in after
        command(project, "index", "restore", PAGE)
        assert shown_after(client, 200) < PROMISED_S
        assert PAGE in asked(client, 3)
