"""The shipped queries stay quick, also beside hubs. `EMBARK_TEST_EDGES` is how many edges there
are; 1,000,000 in a soak (`benchmarks/graph.py` prints the same)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.graph import measure
from onboarding.store.profile.sql import upgrade
from tests.guardrails.databases import sqlite

EDGES = int(os.environ.get("EMBARK_TEST_EDGES", "15000"))
LIMIT_MS = 50.0
"""At a million edges, p99 (onboarding reference, section 4)."""


@pytest.mark.alone
async def test_the_shipped_queries_are_quick(tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        found = await measure(engine, EDGES, 60, seed=5)
    assert len(found) == 5
    for name, (p50, p99) in found.items():
        if "node by node" not in name:
            assert p99 <= LIMIT_MS, (name, p50, p99)
