"""Contract: the stock `@ag-ui/client` completes a conversation with us, and can join one.

Needs Node and `npm ci` in `tests/contracts/agui`; skipped with a word where they are missing, but
never in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.app import QUESTION, REFUSED
from tests.e2e.process import started

HERE = Path(__file__).parent / "agui"
MISSING = [
    what
    for what, there in (
        ("node is not installed", shutil.which("node")),
        ("run `npm ci` in tests/contracts/agui", (HERE / "node_modules/@ag-ui/client").exists()),
    )
    if not there
]


@pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("CI"), reason=MISSING[0] if MISSING else ""
)
def test_the_stock_client_completes_a_conversation(tmp_path: Path) -> None:
    assert not MISSING, f"in CI this contract is not skipped: {MISSING}"
    with started(tmp_path / "c.db") as server:
        done = subprocess.run(
            ["node", "contract.mjs", server.url, QUESTION, REFUSED],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # the client warns about what it does not understand
    told = json.loads(done.stdout)
    assert told["events"][0] == "RUN_STARTED"
    assert told["events"][-1] == "RUN_FINISHED"
    assert told["joined"] > 8


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages["node_modules/@ag-ui/client"]["version"] == "1.0.0"
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert all(entry["integrity"] for entry in packages.values())
