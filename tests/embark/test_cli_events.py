"""`embark events`: what is in quarantine, run again, and contracts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from api import errors, events
from embark.cli import Invocation
from embark.cli.events import events_app
from embark.event_parts import aging_events, make_desk, open_events, personal_events
from embark.layers import load_settings
from embark.onboarding_database import open_database
from embark.settings import Settings
from guardrails.consent import Asked, Channel, Purpose, Wish
from tests.onboarding.events.parts import IMPORTED, track

KEY = "write-key-0123456789"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMBARK_ONBOARDING__EVENTS__API_KEY", KEY)
    (tmp_path / "host" / "events").mkdir(parents=True)
    (tmp_path / "host" / "events" / "imported.yaml").write_text(IMPORTED)
    file = tmp_path / "embark.toml"
    file.write_text(
        f'tenant = "t"\ndata_dir = "{tmp_path}/data"\n[onboarding]\nfolder = "host"\n', "utf-8"
    )
    return file


@pytest.fixture
def settings(config: Path) -> Iterator[Settings]:
    yield load_settings(config, {}).settings


def run(config: Path, *arguments: str) -> Result:
    app = typer.Typer()
    app.add_typer(events_app, name="events")
    invocation = Invocation(config, (), no_input=True)
    return CliRunner().invoke(app, ["events", *arguments], obj=invocation)


def told(config: Path, *arguments: str) -> dict[str, Any]:
    result = run(config, *arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return dict(json.loads(result.stdout))


def send(settings: Settings, *messages: dict[str, Any]) -> list[str]:
    """Over HTTP, as the host does it."""

    async def sent() -> list[str]:
        app = FastAPI()
        app.include_router(events.router(make_desk(settings, parts, None)))
        errors.install(app)
        transport = httpx.ASGITransport(app)
        bearer = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://e") as client:
            body = {"batch": list(messages)}
            answer = await client.post("/v1/batch", json=body, headers=bearer)
        return [each["status"] for each in answer.json()["results"]]

    with open_events(settings) as (parts, _):
        return asyncio.run(sent())


def allow(settings: Settings, user: str) -> None:
    wish = Wish(Purpose.PRODUCT_ANALYTICS, True)
    with open_events(settings) as (_, books):
        asked = Asked("t", user, "c-1", Channel.HOST, "host")
        asyncio.run(books.desk.take(asked, [wish]))


def test_what_broke_its_contract_is_mended_once(
    config: Path, settings: Settings, tmp_path: Path
) -> None:
    allow(settings, "ana")
    assert send(settings, track("m1"), track("m2", lines=7), track("m3", "Import Finishd")) == [
        "stored", "quarantined", "quarantined",
    ]  # fmt: skip
    listed = told(config, "quarantine")
    assert {(each["event"], each["reason"]) for each in listed["counts"]} == {
        ("Import Finished", "additional_properties:lines"),
        ("Import Finishd", "unplanned_event"),
    }
    assert [(row["message_id"], row["whole"]) for row in listed["messages"]] == [
        ("m2", True), ("m3", False),
    ]  # fmt: skip
    fixes = tmp_path / "map.yaml"
    fixes.write_text("events:\n  Import Finished: {fields: {lines: rows}}\n")
    done = told(config, "replay", "--fix", str(fixes))
    assert (done["counts"], done["closed"]) == ({"stored": 1}, 1)
    assert told(config, "replay", "--fix", str(fixes))["counts"] == {}
    assert [row["message_id"] for row in told(config, "quarantine")["messages"]] == ["m3"]


def test_what_is_sealed_lies_unreadable(settings: Settings, tmp_path: Path) -> None:
    send(settings, track("m1", mode="very secret"))
    files = [path.read_bytes() for path in (tmp_path / "data").glob("onboarding.sqlite*")]
    assert files
    assert not any(b"very secret" in each for each in files)


async def test_rights_and_periods_reach_it(settings: Settings) -> None:
    await asyncio.to_thread(send, settings, track("m1"), track("m2", rows="x"))
    database = open_database(settings)
    try:
        stores = personal_events(settings, database, "spec")
        assert [each.name for each in stores] == ["features", "product_events"]
        lines = [line async for line in stores[1].export("t", "ana")]
        assert [json.loads(line)["message_id"] for line in lines] == ["m1"]
        assert await stores[1].residue("t", "ana") == 3  # with a membership and one in quarantine
        assert await stores[1].erase("t", "ana") == 3
        assert await stores[1].residue("t", "ana") == 0
        with open_events(settings) as (parts, _):
            names = [each.name for each in aging_events(settings, database, parts.intake.catalogue)]
        assert names == ["product_events", "event_quarantine", "features"]
    finally:
        database.dispose()


def test_contracts_are_checked(config: Path, tmp_path: Path) -> None:
    found = run(config, "lint")
    assert found.exit_code == 1
    assert "Import Finished.note: without a purpose" in found.output
    own = tmp_path / "host" / "events" / "imported.yaml"
    good = IMPORTED.replace("{type: string, max: 10}", "{type: string, purpose: [support]}")
    own.write_text(good)
    assert run(config, "lint").exit_code == 0
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "imported.yaml").write_text(good)
    own.write_text(good.replace("[sample, full]", "[full]"))
    edited = run(config, "lint", "--against", str(tmp_path / "before"))
    assert edited.exit_code == 1
    assert "still 1-0-0" in edited.output
    own.write_text(IMPORTED.replace("type: integer", "type: int"))
    broken = run(config, "lint")
    assert broken.exit_code != 0
    assert "imported.yaml:9:10" in f"{broken.output}{broken.exception}"


def test_a_schema_is_printed(config: Path) -> None:
    printed = run(config, "contract", "Import Finished")
    assert json.loads(printed.stdout)["title"] == "Import Finished 1-0-0"
    unknown = run(config, "contract", "Import Finishd")
    assert unknown.exit_code == 2
    assert "did you mean Import Finished?" in unknown.output
    everything = json.loads(run(config, "contract").stdout)
    assert "card_shown" in everything["events"]
