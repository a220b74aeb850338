"""Contract: the stock `@ag-ui/client` is interrupted by a card, resumes, and reads the receipt."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.contracts.test_agui_client import HERE, MISSING
from tests.e2e.process import acting


@pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("CI"), reason=MISSING[0] if MISSING else ""
)
def test_the_stock_client_approves_edits_and_denies(tmp_path: Path) -> None:
    assert not MISSING, f"in CI this contract is not skipped: {MISSING}"
    with acting(tmp_path / "keys") as server:
        done = subprocess.run(
            ["node", "acting.mjs", server.url],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert told["warned"] == []
    assert told["messages"] >= 10
