"""`pytest -p tests.e2e.tenancy.plugin TESTS`: fails when any statement of the product that these
tests run leaves out whose rows it means. Statements that tests themselves write are theirs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from tests.e2e.tenancy.statements import NUMBERING, Watch, remember

ROOT = Path(__file__).parents[3]
_watch = Watch()


def _see(connection: Connection, statement: Any, *rest: Any) -> None:
    if not _by_a_test():
        _watch.see(connection, statement, *rest)


def _by_a_test() -> bool:
    """Whether the nearest frame of this repository is a test's."""
    frame = sys._getframe(1)
    while frame is not None:
        place = Path(frame.f_code.co_filename)
        if place.is_relative_to(ROOT) and ".venv" not in place.parts and place.name != "plugin.py":
            return place.relative_to(ROOT).parts[0] == "tests"
        frame = frame.f_back  # type: ignore[assignment]
    return False


def pytest_configure(config: pytest.Config) -> None:
    event.listen(Engine, "begin", remember)
    event.listen(Engine, "before_execute", _see)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    wrong = {use: sql for use, sql in _watch.open.items() if not sql.startswith(NUMBERING)}
    sys.stdout.write(f"\n{len(_watch.uses)} kinds of statements on tables with a tenant watched\n")
    for use, sql in sorted(wrong.items()):
        sys.stdout.write(f"no tenant: {use.kind} {use.table}: {sql}\n")
    if wrong or not _watch.uses:
        session.exitstatus = 1
