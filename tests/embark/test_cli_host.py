"""The host product beside the demo: a small real program is started, read and stopped again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import JsonValue

from embark.cli.demo import with_write_key
from embark.cli.host import host_product
from embark.layers import ConfigurationError, UnreachableError, load_settings
from embark.settings import Settings

COPILOT = "http://127.0.0.1:8765"
PRODUCT = """\
import json, os, pathlib, sys, time
folder, copilot, said = pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
(folder / "ran.json").write_text(json.dumps([os.getpid(), copilot, os.getcwd()]))
draft = folder / "draft"
draft.write_text(json.dumps(said))
draft.replace(folder / "demo.json")
time.sleep(60)
"""


def settings_of(folder: Path, code: str, said: object = None, **more: JsonValue) -> Settings:
    program = folder / "product.py"
    program.write_text(code, "utf-8")
    command = ["{python}", str(program), "{data}", "{copilot}", json.dumps(said)]
    file = folder / "embark.toml"
    file.write_text(f'data_dir = "data"\n[demo]\nfolder = "."\ncommand = {json.dumps(command)}\n')
    return load_settings(file, {f"demo.{name}": value for name, value in more.items()}).settings


def ran(folder: Path) -> tuple[int, str, str]:
    pid, copilot, place = json.loads((folder / "data" / "host" / "ran.json").read_text())
    return pid, copilot, place


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_runs_as_long_as_the_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {"token": "t1", "at": "http://there", "who": {"name": "ada"}}
    settings = settings_of(tmp_path, PRODUCT, said, page="{/at} as {/who/name}")
    with host_product(settings, COPILOT) as token:
        pid, copilot, place = ran(tmp_path)
        assert (token, copilot, place) == ("t1", COPILOT, str(tmp_path))
        assert is_running(pid)
    assert not is_running(pid)
    assert "http://there as ada" in capsys.readouterr().err


def test_it_is_told_where_its_events_go_and_with_which_key(tmp_path: Path) -> None:
    program = "import json, pathlib, sys\n" + (
        "pathlib.Path(sys.argv[1], 'told.json').write_text(json.dumps(sys.argv[2:]))\n"
        "pathlib.Path(sys.argv[1], 'demo.json').write_text('{\"token\": \"t1\"}')\n"
    )
    (tmp_path / "product.py").write_text(program, "utf-8")
    words = ["{python}", str(tmp_path / "product.py"), "{data}", "{events_url}", "{events_key}"]
    file = tmp_path / "embark.toml"
    file.write_text(f'data_dir = "data"\n[demo]\ncommand = {json.dumps(words)}\n')
    settings = with_write_key(load_settings(file, {}).settings)
    assert with_write_key(settings) == settings, "one that is set is kept"
    with host_product(settings, COPILOT):
        told = json.loads((tmp_path / "data" / "host" / "told.json").read_text("utf-8"))
    assert told == [f"{COPILOT}/v1/batch", settings.onboarding.events.key()]
    assert len(told[1]) >= 16


def test_without_a_command_nobody_is_signed_in(tmp_path: Path) -> None:
    (tmp_path / "embark.toml").write_text('data_dir = "data"\n')
    with host_product(load_settings(tmp_path / "embark.toml", {}).settings, COPILOT) as token:
        assert token == ""


def test_a_product_that_ends_at_once_is_named_with_its_status(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "raise SystemExit(7)")
    with (
        pytest.raises(UnreachableError, match="ended at once, with 7"),
        host_product(settings, COPILOT),
    ):
        pytest.fail("it did not start")


def test_a_product_that_cannot_be_started_is_a_matter_of_settings(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, PRODUCT, command=["/no/such/program"])
    with (
        pytest.raises(ConfigurationError, match=r"demo\.command: /no/such/program"),
        host_product(settings, COPILOT),
    ):
        pytest.fail("it did not start")


def test_a_missing_token_is_named_and_the_product_stopped(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, PRODUCT, {"tokens": {}}, token="/tokens/owner")
    with (
        pytest.raises(ConfigurationError, match="holds no text at /tokens/owner"),
        host_product(settings, COPILOT),
    ):
        pytest.fail("nobody was signed in")
    assert not is_running(ran(tmp_path)[0])
