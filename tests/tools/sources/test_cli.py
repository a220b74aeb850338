"""`embark tools` as its user runs it, against Fleet over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from embark.cli import app
from tests.tools.fleet.server import API_KEY, POLICY, Fleet
from tests.tools.fleet.serving import running


@dataclass
class Shop:
    """A served Fleet, and the command with a configuration that knows it."""

    fleet: Fleet
    folder: Path

    def run(self, *arguments: str, typed: str | None = None) -> Result:
        config = ["--config", str(self.folder / "embark.toml")]
        return CliRunner().invoke(app, [*config, "tools", *arguments], input=typed)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    fleet, ready, over = Fleet(), threading.Event(), threading.Event()
    base: list[str] = []

    async def serve() -> None:
        async with running(fleet) as address:
            base.append(address)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    place = base[0].removeprefix("http://").partition("/")[0]
    text = POLICY.read_text().replace("http://127.0.0.1:1/api/v2", base[0])
    text = text.replace(
        "    credential: fleet\n",
        f'    hosts: ["{place}"]\n    headers: {{X-Api-Key: {API_KEY}}}\n',
    )
    (tmp_path / "tools.yaml").write_text(text)
    (tmp_path / "openapi.yaml").write_text((POLICY.parent / "openapi.yaml").read_text())
    (tmp_path / "embark.toml").write_text(
        f'tenant = "t1"\ndata_dir = "{tmp_path / "data"}"\n'
        f'[actions]\ntools = "tools.yaml"\nprivate_hosts = ["{place}"]\n'
    )
    monkeypatch.delenv("TOOLS_TOKEN", raising=False)
    yield Shop(fleet, tmp_path)
    over.set()
    thread.join()


def test_list_for_somebodys_rights(shop: Shop) -> None:
    result = shop.run("list", "--json", "--rights", "projects.read, announcements.send")
    assert result.exit_code == 0, result.output
    assert [tool["name"] for tool in json.loads(result.stdout)["tools"]] == ["fleet_list_projects"]
    result = shop.run("list", "--json", "--rights", "announcements.send", "--plan", "pro")
    (tool,) = json.loads(result.stdout)["tools"]
    assert (tool["name"], tool["tier"], tool["class"]) == ("fleet_announce", "R2", "O")
    table = shop.run("list").stdout
    assert "fleet_create_project" in table
    assert "status?" in table


def test_lint_and_its_exit_code(shop: Shop) -> None:
    good = shop.run("lint")
    assert good.exit_code == 0, good.output
    assert shop.run("lint", "--strict").exit_code == 1  # phrases are missing
    file = shop.folder / "tools.yaml"
    file.write_text(file.read_text().replace("operation: postAnnouncement", "operation: gone"))
    bad = shop.run("lint", "--json")
    assert bad.exit_code == 1
    (finding,) = (f for f in json.loads(bad.stdout)["findings"] if f["level"] == "error")
    assert finding["tool"] == "announce"
    assert finding["where"].startswith(f"{file}:")


def test_try_a_reading_tool(shop: Shop) -> None:
    result = shop.run("try", "fleet_list_projects", "--account", "org-1")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"result": {"data": [], "links": {"next": None}}}


def test_try_shows_the_card_and_asks(shop: Shop) -> None:
    call = ("try", "fleet_create_project", "--account", "org-1", "--arg", "name=North")
    refused = shop.run(*call, typed="n\n")
    assert refused.exit_code == 1
    assert "Create a project" in refused.stderr
    assert "Name: North" in refused.stderr
    assert "Undo: The project can be deleted." in refused.stderr
    assert shop.fleet.effects == []
    agreed = shop.run(*call, "--arg", "budget=12.5", "--yes", "--json")
    assert agreed.exit_code == 0, agreed.output
    document = json.loads(agreed.stdout)
    assert (document["state"], document["receipt"]) == ("succeeded", "rcpt_1")
    assert document["undo"]["tool"] == "fleet_delete_project"
    assert shop.fleet.effects == ["create prj-1"]
    config = ["--config", str(shop.folder / "embark.toml")]
    listed = CliRunner().invoke(app, [*config, "audit", "list", "--what", "approval", "--json"])
    (row,) = json.loads(listed.stdout)["entries"]  # of the word that was given
    assert (row["who"], row["whom"]) == ("cli", "cli")
    assert row["route"].startswith("approve by ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("fleet_nothing",), 2, "there is no tool fleet_nothing"),
        (("fleet_create_project", "--arg", "name"), 2, "write NAME=VALUE"),
        (("fleet_create_project",), 1, "name: is missing"),
        (("fleet_create_project", "--arg", "name=x", "--arg", "status=lost"), 1, "one of planned"),
        (("fleet_rename_project", "--arg", "project=prj-9", "--arg", "name=x"), 1, "not_found"),
    ],
)
def test_mistakes_are_told(shop: Shop, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = shop.run("try", *arguments, "--account", "org-1", "--yes")
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
    assert shop.fleet.effects == []


def test_what_cannot_be_reached_is_told(shop: Shop) -> None:
    (shop.folder / "openapi.yaml").unlink()
    result = shop.run("lint")
    assert result.exit_code == 4
    assert "tools.yaml:7: source fleet" in result.stderr


def test_no_policy_file(shop: Shop) -> None:
    (shop.folder / "embark.toml").write_text('tenant = "t1"\n')
    result = shop.run("list")
    assert result.exit_code == 3
    assert "set `actions.tools`" in result.stderr
