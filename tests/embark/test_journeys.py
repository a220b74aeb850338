"""`embark journeys`: lint, preview, publish, rollback, show, schema, with their exit codes."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from embark.cli import Invocation
from embark.cli.journeys import journeys_app
from embark.cli.output import ExitCode, reporting
from onboarding.journeys import Enrolment
from onboarding.store.journeys.progress_sql import SqlProgress
from onboarding.types import Person
from tests.onboarding.journeys.harbor import FOLDER, HARBOR
from tools.store.engine import open_engine

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PEOPLE = [
    {"user": "u1", "account": "a", "facts": {"role": "admin"}, "events": {"Signed Up": 1}},
    {"user": "u2", "facts": {"role": "executive"}, "states": {"plan": "team"}},
    {"user": "u3", "features": {"velocity_1_7": 0.5}},
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Harbor's folder, to be changed."""
    folder = tmp_path / "onboarding"
    shutil.copytree(FOLDER, folder)
    return folder


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.jsonl"
    path.write_text("\n".join(map(json.dumps, PEOPLE)) + "\n", encoding="utf-8")
    return path


class Shell:
    """`embark journeys ..` with its data in a folder of the test's own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.more: tuple[str, ...] = ()

    def __call__(self, *arguments: str | Path, no_input: bool = True, typed: str = "") -> Result:
        data = f"data_dir={json.dumps(str(self.data))}"
        obj = Invocation(None, (data, *self.more), no_input)
        with reporting():
            return CliRunner().invoke(
                journeys_app, [str(each) for each in arguments], obj=obj, input=typed
            )

    def json(self, *arguments: str | Path) -> dict[str, Any]:
        result = self(*arguments, "--json")
        assert result.exit_code == ExitCode.OK, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        assert document["schema_version"] == 1
        return document

    def under_way(self, journey: str, version: int, *users: str) -> None:
        engine = open_engine(f"sqlite:///{self.data / 'onboarding.sqlite'}")

        async def begin() -> None:
            for user in users:
                person = Person("default", user, "a")
                await SqlProgress(engine).enrol(Enrolment(person, journey, version, NOW))

        asyncio.run(begin())
        engine.dispose()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "data")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_harbors_files_pass(shell: Shell, files: Path) -> None:
    result = shell("lint", files, "--flows", HARBOR / "flows")
    assert (result.exit_code, result.stderr) == (ExitCode.OK, "no findings\n"), result.stdout


def test_a_finding_has_its_place_its_code_and_exit_1(shell: Shell, files: Path) -> None:
    path = files / "journeys" / "executive-value.yaml"
    edit(path, "event: Alert Created}], within", "event: Alert Craeted}], within")
    result = shell("lint", files, "--offline")
    assert result.exit_code == ExitCode.FAILED
    assert f"{path}:7:42: goal.any.1.event: there is no event Alert Craeted" in result.stdout
    assert "did you mean Alert Created? [unknown_event]" in result.stdout
    assert result.stderr == "1 findings\n"
    found = shell("lint", files, "--offline", "--json")
    assert [each["code"] for each in json.loads(found.stdout)["findings"]] == ["unknown_event"]


def test_the_folder_of_the_settings_is_taken_unasked(shell: Shell, files: Path) -> None:
    assert shell("lint").exit_code == ExitCode.USAGE
    shell.more = (f"onboarding.folder={json.dumps(str(files))}",)
    assert shell("lint", "--offline").exit_code == ExitCode.OK
    assert shell("publish", "--yes").exit_code == ExitCode.OK
    assert shell.json("show")["current"] == 1


def test_what_is_no_file_of_ours_is_a_finding_too(shell: Shell, files: Path) -> None:
    path = files / "plays" / "team-activation.yaml"
    edit(path, "owner: team-growth", "ownr: team-growth")
    result = shell("lint", files)
    assert result.exit_code == ExitCode.FAILED
    assert f"{path}:5:1: ownr: there is no such key here [invalid]" in result.stdout
    assert shell("lint", files / "none").exit_code == ExitCode.FAILED


def test_publish_preview_and_show(shell: Shell, files: Path, people: Path) -> None:
    first = shell.json("publish", files, "--yes", "--people", people, "--note", "the first")
    assert first["release"]["number"] == 1
    assert {"before": "nothing", "after": "admin-first-value@1", "people": 1} in first["flows"]
    again = shell("publish", files, "--yes")
    assert (again.exit_code, again.stderr) == (ExitCode.OK, "nothing changes: not published\n")
    shown = shell.json("show")
    assert (shown["current"], shown["releases"][0]["note"]) == (1, "the first")
    assert {"kind": "play", "name": "team-activation", "version": 2} in shown["files"]
    assert shell("preview", files, "--exit-code").exit_code == ExitCode.OK


def test_an_edit_is_refused_then_previewed_then_taken_back(
    shell: Shell, files: Path, people: Path
) -> None:
    assert shell("publish", files, "--yes").exit_code == ExitCode.OK
    shell.under_way("executive-value", 1, "x1", "x2")
    shell.under_way("admin-first-value", 1, "x3")
    path = files / "journeys" / "executive-value.yaml"
    edit(path, "priority: 25", "priority: 24")
    refused = shell("publish", files, "--yes")
    assert refused.exit_code == ExitCode.GATE
    assert "version 1 was published with another text; make it 2 [version_edited]" in refused.stderr
    assert shell.json("show")["current"] == 1
    edit(path, "version: 1\n", "version: 2\nmigrate: {from: 1}\n")
    seen = shell("preview", files, "--people", people, "--exit-code")
    assert seen.exit_code == ExitCode.CHANGES
    assert "     1 would see executive-value@2 instead of executive-value@1\n" in seen.stdout
    assert "     2 under way in executive-value@1 would be taken along\n" in seen.stdout
    assert "     1 under way in admin-first-value@1 stay on it\n" in seen.stdout
    assert shell("publish", files, "--yes").exit_code == ExitCode.OK
    back = shell("rollback", "--why", "fewer digests")
    assert (back.exit_code, back.stderr) == (ExitCode.OK, "release 1 is current\n")
    shown = shell.json("show")
    assert [(s["number"], s["why"]) for s in shown["switches"]][:2] == [
        (1, "fewer digests"),
        (2, "published"),
    ]
    assert "* " in shell("show").stdout
    assert shell("rollback", "--why", "again").exit_code == ExitCode.FAILED
    assert shell("rollback", "--to", "9", "--why", "none").exit_code == ExitCode.FAILED
    forth = shell.json("rollback", "--to", "2", "--why", "it was the season")
    assert forth["release"]["number"] == 2


def test_publish_asks_first(shell: Shell, files: Path) -> None:
    assert shell("publish", files).exit_code == ExitCode.USAGE
    assert shell("publish", files, no_input=False, typed="n\n").exit_code == ExitCode.FAILED
    assert shell.json("show")["current"] is None
    assert shell("publish", files, no_input=False, typed="y\n").exit_code == ExitCode.OK
    assert shell.json("show")["current"] == 1


def test_people_that_cannot_be_read(shell: Shell, files: Path, people: Path) -> None:
    people.write_text('{"user": "u1"}\n{"usr": 1}\n', encoding="utf-8")
    result = shell("preview", files, "--people", people)
    assert result.exit_code == ExitCode.FAILED
    assert f"{people}:2:1: user: Field required" in result.stderr


def test_nothing_is_published_yet(shell: Shell) -> None:
    result = shell("show")
    assert (result.exit_code, result.stderr) == (ExitCode.OK, "nothing is published\n")
    assert shell("rollback", "--why", "x").exit_code == ExitCode.FAILED


@pytest.mark.parametrize("kind", ["journey", "play", "kit", "guide", "states"])
def test_schemas_are_printed(shell: Shell, kind: str) -> None:
    document = json.loads(shell("schema", kind).stdout)
    assert document["$schema"].endswith("2020-12/schema")
    assert document["title"] == f"Embark {kind} file"


def test_an_unknown_kind_of_schema(shell: Shell) -> None:
    assert shell("schema", "jorney").exit_code == ExitCode.USAGE
