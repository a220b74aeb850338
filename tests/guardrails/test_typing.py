"""The type checker refuses unredacted text where a model, an index or a log would take it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "api", "embark", "evals", "guardrails", "ingest", "onboarding", "retrieval",
            "tools")  # fmt: skip

HEAD = """
from collections.abc import Sequence
from agent.types import Answerer
from guardrails import Redactor, literal, stored
from guardrails.logging import Log
from retrieval.types import Encoder, Passage

async def use(
    encoder: Encoder, answerer: Answerer, log: Log, redactor: Redactor, said: str,
    passages: Sequence[Passage],
) -> None:
"""

REFUSED = [
    "encoder.encode_query(said)",
    "encoder.encode_passages([said])",
    "answerer.draft(said, passages, [])",
    "log.info('asked', text=said)",
    "log.write('info', 'asked', None, text=said)",
]
ACCEPTED = [
    "encoder.encode_query(redactor.redact(said).text)",
    "encoder.encode_passages([stored(said)])",
    "answerer.draft(redactor.redact(said).text, passages, [])",
    "log.info('asked', text=redactor.redact(said).text, took_ms=2.5, count=3)",
    "log.write('info', 'asked', {'reason': 'no_evidence'}, text=literal('none'))",
]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """mypy's message for each statement; one run over one file with a statement a line."""
    folder = tmp_path_factory.mktemp("typing")
    statements = REFUSED + ACCEPTED
    source = HEAD + "\n".join(f"    {statement}" for statement in statements) + "\n"
    (folder / "snippet.py").write_text(source)
    config = folder / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = True\nmypy_path = {ROOT}\nfollow_imports = silent\n"
                      "ignore_missing_imports = True\nplugins = pydantic.mypy\n")  # fmt: skip
    options = ["--config-file", str(config), "--cache-dir", str(folder / "cache")]
    said, failure, _ = api.run([*options, str(folder / "snippet.py")])
    assert not failure
    first = HEAD.count("\n") + 1
    found = dict.fromkeys(statements, "")
    for line in said.splitlines():
        if ": error:" in line and "snippet.py" in line:
            found[statements[int(line.split(":")[1]) - first]] += line
    return found


@pytest.mark.parametrize("statement", REFUSED)
def test_plain_text_is_a_type_error(complaints: dict[str, str], statement: str) -> None:
    assert 'has incompatible type "str"' in complaints[statement] or (
        'List item 0 has incompatible type "str"' in complaints[statement]
    )


@pytest.mark.parametrize("statement", ACCEPTED)
def test_redacted_text_is_not(complaints: dict[str, str], statement: str) -> None:
    assert complaints[statement] == ""


def test_literal_is_given_nothing_but_literals() -> None:
    """mypy takes a `LiteralString` for a `str`, so the calls are read here."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    found = [f"{path.relative_to(ROOT)}:{line}" for path in paths for line in _variables(path)]
    assert found == []


def test_a_variable_given_to_literal_is_found(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text("from guardrails import literal\nliteral('fine')\nliteral(said)\n")
    assert _variables(snippet) == [3]


def _variables(path: Path) -> list[int]:
    """Lines that give anything but a constant to the `literal` of guardrails."""
    tree = ast.parse(path.read_text("utf-8"))
    ours = any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("guardrails")
        and any(name.name == "literal" for name in node.names)
        for node in ast.walk(tree)
    )
    calls = (node for node in ast.walk(tree) if ours and isinstance(node, ast.Call))
    return [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "literal"
        and not all(isinstance(argument, ast.Constant) for argument in call.args)
    ]
