from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from embark.layers import load_settings
from tests.embark.project import run


def test_every_setting_with_its_origin(project: Path) -> None:
    shown = run("--set", "answer.risk=0.1", "config", "show", "--origin").stdout
    assert "answer.risk = 0.1  # flag" in shown
    assert f'encoder.backend = "hash"  # {project / "embark.toml"}' in shown
    assert 'tenant = "default"  # default' in shown


def test_json_carries_origins_only_when_asked(project: Path) -> None:
    plain = json.loads(run("config", "show", "--json").stdout)
    assert plain["file"] == str(project / "embark.toml")
    assert all(set(setting) == {"key", "value"} for setting in plain["settings"])
    asked = json.loads(run("config", "show", "--json", "--origin").stdout)
    assert all("origin" in setting for setting in asked["settings"])


def test_a_mistake_ends_with_three_and_is_explained(project: Path) -> None:
    done = run("--set", "answer.risk=high", "config", "show")
    assert done.exit_code == 3
    assert "flag: answer.risk" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("text", ["answer.risk", "=1"])
def test_an_assignment_that_is_none(project: Path, text: str) -> None:
    done = run("--set", text, "config", "show")
    assert done.exit_code == 3
    assert "write KEY=VALUE" in done.stderr


def test_every_setting_is_documented(project: Path) -> None:
    root = Path(__file__).parent.parent.parent
    page = (root / "docs" / "configuration.md").read_text(encoding="utf-8")
    model = {"model.base_url": "http://127.0.0.1:1", "model.name": "m"}
    keys = {value.key.replace("[0]", "[]") for value in load_settings(flags=model).values()}
    assert {
        key for key in keys if f".{key.split('.')[-1]}`" not in page and f"`{key}`" not in page
    } == set()


def test_init_writes_a_file_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my docs").mkdir()
    assert run("init", "my docs").exit_code == 0
    settings = load_settings().settings
    assert settings.sources[0].path == tmp_path / "my docs"


def test_init_leaves_an_existing_file_alone(project: Path) -> None:
    before = (project / "embark.toml").read_text(encoding="utf-8")
    done = run("init")
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert (project / "embark.toml").read_text(encoding="utf-8") == before


def test_init_quotes_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init", 'we"ird\\docs').exit_code == 0
    written = tomllib.loads((tmp_path / "embark.toml").read_text(encoding="utf-8"))
    assert written["sources"][0]["path"] == 'we"ird\\docs'
