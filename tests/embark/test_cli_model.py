"""`embark model`: what serves is moved by hand, refused where the gate refused, and taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
import typer
from typer.testing import CliRunner

from embark.cli.model import model_app
from embark.cli.output import ExitCode, reporting
from embark.layers import load_settings
from embark.onboarding_database import MODELS
from onboarding.ranking import sealed
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.store import RANKER


def _sealed(name: str, refusal: str | None) -> dict[str, bytes]:
    files = {"champion.txt": b"tree", "gate.json": orjson.dumps({"refusal": refusal})}
    return sealed(files, {"name": name, "rung": "activate", "spec": "s", "rows": 9})


@pytest.fixture
def folder(project: Path) -> ModelFolder:
    """Two versions that passed and one that was refused."""
    assert project.is_dir()
    settings = load_settings().settings
    made = ModelFolder(settings.data_dir / MODELS / settings.tenant)
    for name, refusal in (("v1", None), ("v2", None), ("v3", "not_better")):
        made.save(RANKER, _sealed(name, refusal))
    return made


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    exit_code: int
    stdout: str


def invoke(*arguments: str) -> Ended:
    """As `embark` does: an expected error ends with its code."""
    app = typer.Typer()
    app.add_typer(model_app, name="model")
    try:
        with reporting():
            told = CliRunner().invoke(app, ["model", *arguments], catch_exceptions=False)
    except typer.Exit as ended:
        return Ended(ended.exit_code, "")
    return Ended(told.exit_code, told.stdout)


def serves() -> str | None:
    told = json.loads(invoke("list", "--json").stdout)
    name: str | None = told["serves"]
    return name


def test_a_version_serves_and_goes_back(folder: ModelFolder) -> None:
    assert serves() is None
    for version in ("v1", "v2"):
        assert invoke("promote", version, "--reason", "gate.passed").exit_code == 0
    assert serves() == "v2"
    invoke("rollback", "--reason", "ece")
    assert serves() == "v1"
    invoke("rollback", "--reason", "ece")
    assert serves() is None


def test_what_the_gate_refused_takes_force_and_is_written_down(folder: ModelFolder) -> None:
    refused = invoke("promote", "v3", "--reason", "hope")
    assert refused.exit_code == ExitCode.GATE
    assert serves() is None
    assert invoke("promote", "v3", "--reason", "drill", "--force").exit_code == 0
    told = json.loads(invoke("list", "--json").stdout)
    assert told["moves"][-1]["reason"] == "forced.drill"


@pytest.mark.parametrize("arguments", [("v9", "--reason", "x"), ("v1", "--reason", "a sentence")])
def test_what_is_no_version_or_no_code_is_refused(
    folder: ModelFolder, arguments: tuple[str, ...]
) -> None:
    assert invoke("promote", *arguments).exit_code == ExitCode.CONFIGURATION


def test_a_broken_version_is_listed_as_such_and_not_promoted(folder: ModelFolder) -> None:
    (folder.root / RANKER / "v1" / "champion.txt").write_bytes(b"other")
    shown = invoke("list").stdout
    assert "v1  bad_files: champion.txt is not the file that was sealed" in shown
    assert "v3  activate, 9 rows, not_better" in shown
    assert invoke("promote", "v1", "--reason", "x").exit_code == ExitCode.CONFIGURATION
