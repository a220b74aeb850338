"""Settings become a way in for staff: a provider, or a token on one's own machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, inspect

from api.staff import StaffDoor
from api.staff.desk import Returned
from api.staff.sessions import StaffSession
from api.staff.sessions_sql import SqlStaff, prepare
from embark.layers import ConfigurationError, load_settings
from embark.quota_parts import open_shared
from embark.settings import Settings
from embark.staff_parts import local_staff, reach_of
from embark.token_identity import open_admission
from tests.api.serving import serving
from tests.api.staff.idp import CLIENT_ID, CLIENT_SECRET, Idp
from tests.embark.project import run

URL = "https://copilot.example"
ROLES = {"admin": ["subjects:read"]}


def settings_of(folder: Path, issuer: str = "https://id.example", **given: Any) -> Settings:
    oidc = {"issuer": issuer, "client_id": CLIENT_ID, **given.pop("oidc", {})}
    staff = {"url": URL, "oidc": oidc, "roles": ROLES, **given.pop("staff", {})}
    return Settings.model_validate({"data_dir": folder, "staff": staff, **given})


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[StaffDoor]:
    async with open_admission(settings) as admission:
        assert admission.staff is not None
        yield admission.staff


@pytest.mark.parametrize("store", ["memory", "database"])
async def test_staff_sign_in_at_the_provider_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setenv("COPILOT_STAFF_SECRET", CLIENT_SECRET)
    idp = Idp(lambda: datetime.now(UTC), roles=["admin"])
    async with serving(idp.app()) as at_provider:
        idp.issuer = str(at_provider.base_url).rstrip("/")
        inside = [idp.issuer.removeprefix("http://")]
        more = {"api_key_env": "COPILOT_STAFF_SECRET", "private_hosts": inside}
        settings = settings_of(tmp_path, idp.issuer, oidc=more, staff={"store": store})
        async with opened(settings) as door:
            assert (door.is_secure, door.name("x"), door.local) == (True, "__Host-x", None)
            assert door.desk is not None
            begun = await door.desk.begin("/")
            back = httpx.URL((await at_provider.get(begun.location)).headers["location"])
            assert str(back).startswith(f"{URL}/v1/staff/callback?")
            said = Returned(back.params["state"], back.params["code"], back.params["iss"])
            signed_in = await door.desk.finish(said, begun.browser, "")
            staff = await door.desk.session(signed_in.cookie)
    assert staff is not None
    assert staff.actor.rights == frozenset(ROLES["admin"])
    if store == "database":
        tables = inspect(create_engine(f"sqlite:///{tmp_path / 'embark.sqlite'}")).get_table_names()
        assert {"staff_session", "staff_flow"} <= set(tables)


async def test_without_a_provider_a_local_token_serves_on_loopback_alone(tmp_path: Path) -> None:
    here = Settings(data_dir=tmp_path)
    token = local_staff(here).token("admin")
    async with opened(here) as door:
        assert door.desk is None
        assert door.local is not None
        staff = door.local.session(token)
        assert staff is not None
        assert {"connectors:kill", "subjects:erase"} <= staff.actor.rights
    everywhere = {"data_dir": tmp_path, "server": {"host": "0.0.0.0"}}
    async with open_admission(Settings.model_validate(everywhere)) as admission:
        assert admission.staff is None
    async with opened(settings_of(tmp_path)) as door:
        assert door.local is None
    other = local_staff(Settings(data_dir=tmp_path / "other"))
    assert other.session(token) is None


def test_the_command_prints_a_token_of_a_role(project: Path) -> None:
    made = run("staff", "token", "--role", "admin")
    assert made.exit_code == 0, made.output
    settings = load_settings().settings
    assert local_staff(settings).session(made.stdout.strip()) is not None
    as_json = json.loads(run("staff", "token", "--role", "admin", "--json").stdout)
    assert as_json["expires_in_s"] == 3600
    unknown = run("staff", "token", "--role", "owner")
    assert (unknown.exit_code, "no role 'owner': there are admin" in unknown.stderr) == (2, True)
    elsewhere = run("--set", "server.host=0.0.0.0", "staff", "token", "--role", "admin")
    assert "believes no such token" in elsewhere.stderr


def test_sessions_of_who_left_are_ended(project: Path) -> None:
    alone = run("staff", "end", "7f3a")
    assert (alone.exit_code, "restart the server" in alone.stderr) == (3, True)
    asyncio.run(_opened("7f3a", "8"))
    shared = ("--set", "staff.store=database", "staff", "end")
    assert run(*shared, "~staff:7f3a").stdout == "1 sessions are over\n"
    assert run(*shared, "7f3a").stdout == "0 sessions are over\n"
    assert run(*shared, "8").stdout == "1 sessions are over\n"


async def _opened(*subjects: str) -> None:
    engine = open_shared(load_settings().settings)
    prepare(engine)
    now = datetime.now(UTC)
    for subject in subjects:
        session = StaffSession("default", subject, ("admin",), None, now, now)
        await SqlStaff(engine).open(f"digest of {subject}", session)
    engine.dispose()


def test_where_staff_sign_in_at_a_provider_there_is_no_local_token(project: Path) -> None:
    with (project / "embark.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'[staff]\nurl = "{URL}"\nroles = {{admin = ["audit:read"]}}\n'
            f'[staff.oidc]\nissuer = "https://id.example"\nclient_id = "x"\n'
        )
    refused = run("staff", "token", "--role", "admin")
    assert (refused.exit_code, "/v1/staff/sign-in" in refused.stderr) == (3, True)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"staff": {"url": None}}, "give `url` and `roles`"),
        ({"staff": {"roles": {"admin": []}}}, "give `url` and `roles`"),
        ({"staff": {"url": "http://copilot.example"}}, "String should match"),
        ({"oidc": {"scopes": "profile"}}, "must hold openid"),
        ({"oidc": {"algorithm": "HS256"}}, "RS256"),
        ({"server": {"allowed_origins": ["*"]}}, 'no "\\*" where staff'),
    ],
)
def test_settings_that_let_in_nobody_or_anybody_are_refused(
    tmp_path: Path, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        settings_of(tmp_path, **wrong)


def test_a_secret_stands_in_no_file(project: Path) -> None:
    with (project / "embark.toml").open("a", encoding="utf-8") as file:
        file.write('[staff.oidc]\nissuer = "https://id.example"\nclient_id = "x"\napi_key = "s"\n')
    with pytest.raises(ConfigurationError, match="EMBARK_STAFF__OIDC__API_KEY"):
        load_settings()


async def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, oidc={"api_key_file": tmp_path / "gone"})
    with pytest.raises(ConfigurationError, match=r"staff\.oidc\.api_key_file"):
        async with open_admission(settings):
            raise AssertionError


def test_only_the_provider_is_reached(tmp_path: Path) -> None:
    oidc = settings_of(tmp_path, oidc={"hosts": ["keys.example"]}).staff.oidc
    assert oidc is not None
    reach = reach_of(oidc)
    assert (reach.hosts, reach.private) == (
        frozenset({"id.example", "keys.example"}),
        frozenset[str](),
    )
