"""`embark connectors`: what an operator stops stays stopped; the drill keeps to its minute."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from embark.connector_parts import make_switching
from embark.layers import load_settings
from embark.receipts_parts import make_vault, open_journal_engine
from tests.embark.project import run
from tests.tools.twins import manifest
from tools.credentials import BearerToken
from tools.gate import StoppedError
from tools.tool import ForbiddenError
from tools.types import Manifest, Principal

POLICY = """\
version: 1
sources:
  product:
    {kind: openapi, title: Product, document: api.json, base_url: https://x.example, credential: us}
  mail: {kind: mcp, title: Mail, command: [mail]}
tools: {}
"""
ANA = Principal("default", "ana", "")


@pytest.fixture
def acting(project: Path) -> Path:
    (project / "tools.yaml").write_text(POLICY, encoding="utf-8")
    with (project / "embark.toml").open("a", encoding="utf-8") as file:
        file.write('[actions]\ntools = "tools.yaml"\n')
    return project


async def _signed_in() -> None:
    settings = load_settings().settings
    engine = open_journal_engine(settings)
    switching = make_switching(settings, engine, make_vault(settings, engine))
    await switching.credentials.store(ANA, "us", BearerToken("x"))
    engine.dispose()


async def _asked(manifest: Manifest) -> dict[str, str]:
    settings = load_settings().settings
    engine = open_journal_engine(settings)
    switching = make_switching(settings, engine, make_vault(settings, engine))
    try:
        await switching.gate.check("default", manifest)
        return dict(await switching.credentials.headers(ANA, "us"))
    finally:
        engine.dispose()


def test_a_connector_is_stopped_for_every_process_and_goes_on(acting: Path, told: Manifest) -> None:
    asyncio.run(_signed_in())
    assert asyncio.run(_asked(told)) == {"Authorization": "Bearer x"}
    killed = run("connectors", "kill", "us", "--by", "ops-7")
    assert (killed.exit_code, killed.stdout) == (0, "us is stopped; 1 credentials are revoked\n")
    with pytest.raises(StoppedError):
        asyncio.run(_asked(told))
    (us, mail) = json.loads(run("connectors", "list", "--json").stdout)["connectors"]
    assert (us["id"], us["title"], us["by"], us["credentials"]) == ("us", "Product", "ops-7", 0)
    assert us["killed"]
    assert (mail["id"], mail["killed"]) == ("mail", None)
    assert "STOPPED since" in run("connectors", "list").stdout
    assert run("connectors", "restore", "us").exit_code == 0
    rows = json.loads(run("audit", "list", "--what", "key_change", "--json").stdout)["entries"]
    assert [(row["who"], row["route"]) for row in rows[:2]] == [
        ("operator", "embark connectors restore"),
        ("ops-7", "embark connectors kill"),
    ]
    with pytest.raises(ForbiddenError, match="not_signed_in"):
        asyncio.run(_asked(told))


def test_all_of_them(acting: Path, told: Manifest) -> None:
    assert run("connectors", "kill", "*").exit_code == 0
    with pytest.raises(StoppedError):
        asyncio.run(_asked(told))


def test_what_is_not_there_is_named(acting: Path) -> None:
    wrong = run("connectors", "kill", "product")
    assert (wrong.exit_code, "there are: us, mail" in wrong.stderr) == (2, True)


def test_without_a_policy_file_there_is_nothing_to_stop(project: Path) -> None:
    assert run("connectors", "list").exit_code == 3


@pytest.mark.alone
def test_the_drill_says_what_it_measured(acting: Path) -> None:
    drilled = run("connectors", "drill", "--connectors", "20", "--json")
    found = json.loads(drilled.stdout)
    assert (drilled.exit_code, found["revoked"], found["readable"], found["ok"]) == (0, 20, 0, True)
    assert 0 < found["revoke_s"] <= found["allowed_s"] == 1.2
    assert [
        each["id"] for each in json.loads(run("connectors", "list", "--json").stdout)["connectors"]
    ] == ["us", "mail"]


@pytest.fixture
def told() -> Manifest:
    return replace(manifest(), source="openapi:product")
