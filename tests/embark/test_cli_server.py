"""Commands about the server, in a process of their own where they serve."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import httpx

from tests.embark.project import run

PATIENCE_S = 60.0


@contextmanager
def demo(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`embark demo` in `folder`, and the address that it prints once it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "embark.cli", "demo", "--no-open", "--port", "0"],
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    overdue = Timer(PATIENCE_S, process.kill)
    overdue.start()
    try:
        assert process.stdout is not None
        address = next((line.strip() for line in process.stdout if line.startswith("http")), "")
        assert address, process.communicate()[1]
        yield process, address
    finally:
        overdue.cancel()
        process.kill()
        process.communicate()


def test_demo_goes_from_docs_to_a_chat_page_that_answers(project: Path) -> None:
    with demo(project) as (process, address), httpx.Client(base_url=address, timeout=30) as client:
        assert client.get("/readyz").json()["ready"] is True
        assert "text/html" in client.get("/").headers["content-type"]
        asked = {
            "threadId": "t1",
            "runId": "r1",
            "messages": [{"id": "m1", "role": "user", "content": "How do I invite teammates?"}],
            "tools": [],
            "context": [],
            "state": {},
            "forwardedProps": {},
        }
        events = [
            json.loads(line.removeprefix("data: "))
            for line in client.post("/v1/agui", json=asked).text.split("\n")
            if line.startswith("data: ")
        ]
        ends = [event for event in events if event["type"] == "TEXT_MESSAGE_END"]
        assert ends[0]["metadata"]["citations"][0]["chunkId"].startswith("guides/invite#")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) in {0, 130}


def test_openapi_describes_the_surface_without_a_model_or_an_index(project: Path) -> None:
    said = json.loads(run("openapi").stdout)
    assert said["openapi"].startswith("3.1")
    assert {"/v1/agui", "/livez", "/readyz"} <= set(said["paths"])
    assert run("openapi", "--to", "openapi.json").exit_code == 0
    written = json.loads((project / "openapi.json").read_text(encoding="utf-8"))
    assert written == said


def test_openapi_to_a_place_that_cannot_be_written(project: Path) -> None:
    assert run("openapi", "--to", "no/such/folder.json").exit_code == 2
