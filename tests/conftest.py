"""One environment for every test: offline, no settings from outside, a printed seed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage

import pytest
from hypothesis import settings

FIXED = {
    "LANGGRAPH_STRICT_MSGPACK": "true",  # as `agent` sets it, should langgraph be imported first
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "RAGAS_DO_NOT_TRACK": "true",
    "NO_COLOR": "1",
    "COLUMNS": "200",
}
SERVICES = ("EMBARK_QDRANT_URL", "EMBARK_TEST_")
"""Variables that name services for tests, not settings of the product."""

os.environ.update(FIXED)  # before any test module imports a library that reads them once
settings.register_profile("embark", deadline=None, print_blob=True)
settings.load_profile("embark")


MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of the property tests here, so that the header can print it. Folders of tests
    lie in memory where that has room, and syncing costs nothing; what measures time keeps the
    disk."""
    measures = config.option.markexpr == "alone"
    if not measures and os.access(MEMORY, os.W_OK) and disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))


LONG = ("e2e", "agent/attacking", "tools/simulation", "tools/receipts", "api/test_schema_fuzz.py")
"""Parts of `tests/` whose files take longest: begun first, so that no core waits at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    long = tuple(str(here / part) for part in LONG)
    items.sort(key=lambda item: not str(item.path).startswith(long))


def pytest_report_header(config: pytest.Config) -> str:
    return f"property tests: --hypothesis-seed={config.option.hypothesis_seed}"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of the developer's shell do not reach a test."""
    for name in list(os.environ):
        if name.startswith("EMBARK_") and not name.startswith(SERVICES):
            monkeypatch.delenv(name)
        if name.startswith(("LANGSMITH_", "LANGCHAIN_")):
            monkeypatch.delenv(name)
    yield
