"""Harbor as the target: a product of its own, which counts its own effects."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from pydantic import JsonValue

from tools.journal import Action
from tools.policy import load_policy
from tools.sources import Opened, SourceParts, open_sources
from tools.types import EffectClass, Principal

ROOT = Path(__file__).parents[3]
DOCUMENT = "http://127.0.0.1:8420/openapi.json"
POLICY = Path(__file__).parent / "harbor.yaml"
FAULTS = ("429", "500", "slow", "drop_before", "drop_after_effect", "500_after_effect")
OPERATIONS = ("create_webhook", "add_domain", "request_deletion", "list_domains", "list_webhooks")
STARTS_S = 20.0


class Token:
    """The owner's credential, whoever acts."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}

    async def headers(self, _who: Principal, _target: str) -> Mapping[str, str]:
        return self._headers


class Harbor:
    """A running Harbor, as the driver sees it."""

    def __init__(self, demo: Mapping[str, Any]) -> None:
        self.base = str(demo["base_url"])
        self.token = str(demo["token"])
        self._workspace = str(demo["workspace"])

    def ask(self, method: str, path: str, body: JsonValue = None) -> Any:
        request = urllib.request.Request(
            self.base + path,
            None if body is None else json.dumps(body).encode(),
            {
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "Harbor-Version": "2026.2",
            },
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def prepare(self, folder: Path) -> str:
        """What the processes need to know of it; its document is fetched once for all of them."""
        document = folder / "openapi.json"
        document.write_text(json.dumps(self.ask("GET", "/openapi.json")))
        policy = folder / POLICY.name
        policy.write_text(POLICY.read_text().replace(DOCUMENT, document.name))
        return f"harbor {self.base} {self.token} {policy}"

    def break_something(self, rng: Random) -> None:
        """One fault for the next call of some operation."""
        self.ask(
            "PUT",
            "/_sandbox/faults",
            {
                "operation_id": rng.choice(OPERATIONS),
                "fault": rng.choice(FAULTS),
                "retry_after": 0.3,
                "delay_ms": 150,
            },
        )

    def mend(self) -> None:
        self.ask("DELETE", "/_sandbox/faults")

    def counted(self, actions: Sequence[Action]) -> Mapping[str, Mapping[str, int]]:
        """Effects by action, through what identifies each in Harbor; what no action accounts for
        stands under its own name."""
        state = self.ask("GET", "/_sandbox/state?volatile=true")
        done = [str(webhook["url"]) for webhook in state.get("webhook", [])]
        done += [each for deletion in state.get("deletion", []) for each in deletion["hashes"]]
        happened = self.ask("GET", "/_sandbox/effects")
        named = {what(action): action.id for action in actions}
        effects = Counter(named.get(name, name) for name in done)
        for natural, count in happened.get("add_domain", {}).items():
            name = natural.removeprefix(f"{self._workspace}:")
            effects[named.get(name, name)] += count
        counted = sum(sum(of.values()) for of in happened.values())
        if counted != effects.total():
            effects["counted by Harbor and found nowhere"] = counted - effects.total()
        return {"effects": effects, "calls": {}}


def what(action: Action) -> str:
    """What identifies the effect of an action in Harbor's state."""
    match action.call.arguments:
        case {"url": str(name)} | {"domain": str(name)}:
            return name
        case {"user_ids": [str(user)]}:
            return hashlib.sha256(user.encode()).hexdigest()
        case other:
            raise ValueError(f"none of this loop's calls: {sorted(other)}")


def arguments_of(effect: EffectClass, number: int) -> dict[str, JsonValue]:
    match effect:
        case EffectClass.NATURAL:
            return {"domain": f"n{number}.example.com"}
        case EffectClass.ONCE:
            return {"user_ids": [f"user-{number}"]}
        case _:
            return {"url": f"https://hooks.example.com/n{number}", "events": ["import.failed"]}


async def open_tools(base: str, token: str, policy: Path) -> Opened:
    parts = SourceParts(
        credentials=Token(token),
        now=lambda: datetime.now(UTC),
        private=frozenset({base.removeprefix("http://")}),
        addresses={"harbor": base, "keyless": base},
    )
    opened = await open_sources(load_policy(policy), parts)
    if opened.problems:
        raise RuntimeError("; ".join(str(problem) for problem in opened.problems))
    return opened


@contextmanager
def running(folder: Path) -> Iterator[Harbor]:
    data = folder / "harbor"
    command = [sys.executable, "-m", "harbor", "--data", str(data), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "examples" / "harbor")}
    with (
        (folder / "harbor.log").open("w") as log,
        subprocess.Popen(
            [*command, "--sandbox", "--seed-demo"], stdout=log, stderr=log, env=environment
        ) as process,
    ):
        try:
            yield _answering(data / "demo.json")
        finally:
            process.kill()


def _answering(file: Path) -> Harbor:
    ends = time.monotonic() + STARTS_S
    while True:
        try:
            harbor = Harbor(json.loads(file.read_text()))
            harbor.ask("GET", "/_sandbox/effects")
        except (OSError, ValueError, urllib.error.URLError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return harbor
