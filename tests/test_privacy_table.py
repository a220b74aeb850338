"""The table of docs/privacy.md names every table there is: what is stored, for how long, who reads
it, how it ends."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

from sqlalchemy import MetaData

from embark.periods import DEFAULTS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "privacy.md"
PACKAGES = ("agent", "api", "embark", "guardrails", "ingest", "onboarding", "retrieval", "tools")
FILES = {"checkpoints", "writes"}
"""Of the saver of paused runs, which has no metadata of ours."""


def tables() -> set[str]:
    """Of every module that makes a MetaData, but those that hold the version of a schema alone."""
    found: set[str] = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if "MetaData()" in text and _makes_one(text):
                name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                metadata = importlib.import_module(name).metadata
                assert isinstance(metadata, MetaData)
                every = metadata.tables.values()
                found |= {table.name for table in every if set(table.c.keys()) != {"version"}}
    return found


def _makes_one(text: str) -> bool:
    body = ast.parse(text).body
    return any(isinstance(node, ast.Assign) and "MetaData()" in ast.unparse(node) for node in body)


def rows() -> list[list[str]]:
    """Cells of the table under "What is stored where"."""
    section = PAGE.read_text(encoding="utf-8").partition("## What is stored where")[2]
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_table_is_in_the_page() -> None:
    named = [name for row in rows() for name in re.findall(r"`(\w+)`", row[0])]
    assert len(named) == len(set(named)), "a table stands in two rows"
    assert set(named) - FILES == tables()
    assert set(named) >= FILES


def test_every_row_says_all_of_it() -> None:
    assert len(rows()) > 10
    for row in rows():
        assert len(row) == 5, row
        assert all(row), row


def test_every_period_is_in_the_page_with_its_default() -> None:
    said = [row[2] for row in rows()]
    for name, days in DEFAULTS.items():
        key = "decisions.KIND" if name.startswith("decisions.") else name
        assert any(f"`{key}`, {days} day" in cell for cell in said), name
