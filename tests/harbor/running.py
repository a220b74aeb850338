"""Harbor as its own process on a free port, for tests that act on it over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.forking import Forked

ROOT = Path(__file__).resolve().parents[2]
READY_S = 20.0


@dataclass(slots=True)
class Harbor:
    """A running Harbor. `session` holds the demo workspace: tokens and ids by role."""

    base_url: str
    session: dict[str, Any]
    client: httpx.Client = field(repr=False)
    process: Forked = field(repr=False)

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])

    def kill(self) -> None:
        """As `kill -9` does; nothing is tidied up."""
        self.process.kill()
        self.process.wait(timeout=10)

    def ahead(self, **by: float) -> None:
        """Harbor's clock runs ahead from now on, by so many hours, minutes or days."""
        body = {"ahead_s": timedelta(**by).total_seconds()}
        self.client.put("/_sandbox/clock", json=body).raise_for_status()

    def reset(self) -> None:
        """Everything away; fresh tokens."""
        self.session = self.client.post("/_sandbox/reset").raise_for_status().json()

    def call(self, method: str, path: str, role: str = "owner", **more: Any) -> httpx.Response:
        """As this role, without asking Embark."""
        token = self.session["tokens"][role]
        headers = {"authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def sign_in(self, role: str = "owner") -> None:
        """A new token, such as after the clock was set ahead."""
        body = {"email": self.session["emails"][role], "password": self.session["password"]}
        made = self.client.post("/v1/tokens", json=body).raise_for_status()
        self.session["tokens"][role] = made.json()["token"]

    def fault(self, operation: str, kind: str, **more: Any) -> None:
        body = {"operation_id": operation, "fault": kind, **more}
        self.client.put("/_sandbox/faults", json=body).raise_for_status()

    def no_faults(self) -> None:
        self.client.delete("/_sandbox/faults").raise_for_status()

    def effects(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = self.client.get("/_sandbox/effects").json()
        return found

    def state(self, *without: str) -> dict[str, Any]:
        """What is there, ids numbered and times left out; `without` these kinds."""
        found: dict[str, Any] = self.client.get("/_sandbox/state").json()
        return {kind: value for kind, value in found.items() if kind not in without}


@contextmanager
def running_harbor(folder: Path, *flags: str) -> Iterator[Harbor]:
    """Until the block ends; its data lies in `folder`."""
    given = ("--data", str(folder), "--port", "0", "--sandbox", "--seed-demo", *flags)
    process = Forked("harbor", given)
    try:
        session = _ready(process, folder / "demo.json")
        with httpx.Client(base_url=session["base_url"], timeout=20) as client:
            _answers(client)
            yield Harbor(session["base_url"], session, client, process)
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.close()


def _ready(process: Forked, file: Path) -> dict[str, Any]:
    ends = time.monotonic() + READY_S
    while time.monotonic() < ends:
        if file.exists():
            found: dict[str, Any] = json.loads(file.read_text("utf-8"))
            return found
        if process.poll() is not None:
            raise RuntimeError(f"Harbor ended with {process.returncode} before it was ready")
        time.sleep(0.05)
    raise TimeoutError("Harbor is not ready")


def _answers(client: httpx.Client) -> None:
    ends = time.monotonic() + READY_S
    while True:
        try:
            client.get("/openapi.json").raise_for_status()
        except httpx.ConnectError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return
