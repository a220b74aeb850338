from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from embark.cli import doctor
from tests.embark.project import run
from tests.postgres import POSTGRES, own_schema


def checks(*args: str) -> dict[str, dict[str, str | None]]:
    done = run(*args, "doctor", "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == (0 if said["ok"] else 1)
    return {check["name"]: check for check in said["checks"]}


def test_a_healthy_installation_is_green(indexed: Path) -> None:
    found = checks("--set", "server.port=0", "--set", "redaction.engine=names")
    assert {check["state"] for check in found.values()} == {"ok"}, found


def test_what_is_red_has_a_mend(project: Path) -> None:
    index = checks()["index"]
    assert index["state"] == "red"
    assert index["hint"] == "embark index run"


def test_a_broken_configuration_is_named(project: Path) -> None:
    (project / "embark.toml").write_text("tennant = 1\n", encoding="utf-8")
    found = checks()
    assert found["configuration"]["state"] == "red"
    assert "did you mean tenant?" in str(found["configuration"]["detail"])


def test_a_source_that_is_not_there(project: Path) -> None:
    (project / "docs").rename(project / "moved")
    assert checks()["sources"]["state"] == "red"


def test_a_model_that_does_not_answer(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        model = f'model={{"base_url": "{address}", "name": "m"}}'
        found = checks("--set", model)["model"]
    assert found["state"] == "red"
    assert address in str(found["detail"])


def test_a_key_file_that_is_missing(project: Path) -> None:
    model = 'model={"base_url": "http://127.0.0.1:1", "name": "m", "api_key_file": "none"}'
    assert "key file" in str(checks("--set", model)["model"]["detail"])


def test_a_database_that_does_not_answer_is_red(project: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:9/none"
    found = checks("--set", f"actions.url={url}")["databases"]
    assert found["state"] == "red"
    assert "actions" in str(found["detail"])


def test_a_role_above_row_security_is_named(project: Path) -> None:
    with own_schema() as (url, _schema):
        assert checks("--set", f"database.url={url}")["databases"]["state"] == "ok"
    found = checks("--set", f"actions.url={POSTGRES}")["databases"]
    assert (found["state"], found["hint"]) == (
        "warning",
        "use a role without SUPERUSER and BYPASSRLS",
    )


def test_a_port_in_use_is_a_warning(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = checks("--set", f"server.port={taken.getsockname()[1]}")["port"]
    assert found["state"] == "warning"


def test_a_folder_that_cannot_be_written(project: Path) -> None:
    (project / "data").write_text("a file", encoding="utf-8")
    found = checks()["data folder"]
    assert found["state"] == "red"
    assert "EMBARK_DATA_DIR" in str(found["hint"])


def test_tracing_that_sends_texts_away_is_red(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    assert checks()["tracing"]["state"] == "red"


def test_a_package_below_its_floor_is_red(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.FLOORS, "h11", "99.0")
    monkeypatch.setitem(doctor.FLOORS, "no-such-package", "1.0")
    found = checks()["packages"]
    assert found["state"] == "red"
    assert "h11" in str(found["detail"])
    assert "no-such-package missing" in str(found["detail"])


def test_people_read_marks_and_mends(project: Path) -> None:
    shown = run("doctor").stdout
    assert "RED   index: nothing is indexed yet" in shown
    assert "mend: embark index run" in shown


def test_visitors_who_can_see_nothing_are_a_warning(project: Path) -> None:
    (project / "docs" / "labels.toml").write_text(
        '[[rule]]\nmatch = "**"\nlocale = "en"\n', encoding="utf-8"
    )
    assert run("index", "run").exit_code == 0
    assert checks()["visitors"]["state"] == "warning"
    granted = checks("--set", 'server.viewer={"locale": ["en"]}')["visitors"]
    assert granted["state"] == "ok"
    assert granted["detail"] == "they may see 3 of 4 chunks"


def test_whether_names_are_masked_is_said(project: Path) -> None:
    assert project.is_dir()
    assert checks()["names"]["state"] == "warning"
    found = checks("--set", "redaction.engine=names")["names"]
    assert found["state"] == "ok"
    assert "names-" in str(found["detail"])
