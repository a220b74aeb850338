"""The command starts fast: a verb's imports are paid by the verb alone."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from embark import __version__
from embark.cli import VERBS, app

HEAVY = ("torch", "presidio_analyzer", "langgraph", "sentence_transformers", "openvino", "numpy")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )


def test_help_imports_nothing_heavy_and_lists_every_verb() -> None:
    done = run(
        "import sys\n"
        "from embark.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert done.stdout.rstrip().endswith("LOADED []")
    for verb in VERBS:
        assert f" {verb} " in done.stdout


@pytest.mark.alone
def test_help_is_quick() -> None:
    """0.4 s is the aim on an idle machine; the best of five, against what Python itself needs."""
    best = min(_seconds("import embark.cli as c\ntry: c.app(['--help'])\nexcept SystemExit: 0"))
    bare = min(_seconds("pass"))
    assert best - bare < 0.4


def _seconds(code: str) -> list[float]:
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        run(code)
        taken.append(time.perf_counter() - started)
    return taken


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_own_help(verb: str) -> None:
    shown = CliRunner().invoke(app, [verb, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"embark {verb}" in shown.stdout


def test_a_misspelt_verb_is_a_usage_error_with_a_suggestion() -> None:
    shown = CliRunner().invoke(app, ["aks"])
    assert shown.exit_code == 2
    assert "Did you mean 'ask'" in shown.stderr


def test_the_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"embark {__version__}\n"
