"""Contract: the widget that is served is the one whose sources are here, and it keeps its budgets.

Needs Node and `npm ci` in `web`; skipped with a word where they are missing, but never in CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
MISSING = [
    what
    for what, there in (
        ("node is not installed", shutil.which("node")),
        ("run `npm ci` in web", (WEB / "node_modules/esbuild").exists()),
    )
    if not there
]
pytestmark = pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("CI"), reason=MISSING[0] if MISSING else ""
)


@pytest.mark.parametrize("command", [["npm", "test"], ["npm", "run", "check"]], ids=" ".join)
def test_sources(command: list[str]) -> None:
    done = _run(*command)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_what_is_committed_is_what_is_built() -> None:
    done = _run("node", "build.mjs", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "core" in done.stdout


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    assert not MISSING, f"in CI this contract is not skipped: {MISSING}"
    return subprocess.run(
        command, cwd=WEB, capture_output=True, text=True, timeout=180, check=False
    )
