"""SECURITY.md: what a row names as its test is there, and has something in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]*) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[^`]+)`")
WITHOUT = {"no test yet", "not built yet"}
ROWS = ROW.findall((ROOT / "SECURITY.md").read_text("utf-8"))
TESTS = sorted({name for _, said in ROWS for name in NAMED.findall(said)})


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    found = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {node.name for node in found if node.name.startswith("test_")}


def test_rows_are_numbered_and_each_says_what_tests_it() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) > 30
    for number, said in ROWS:
        assert NAMED.search(said) or said in WITHOUT, number


@pytest.mark.parametrize("named", TESTS)
def test_a_named_test_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    place = ROOT / path
    files = sorted(place.rglob("test_*.py")) if place.is_dir() else [place]
    inside = {test for file in files for test in functions_of(file)}
    assert inside
    assert not name or name in inside
