"""Settings become keys that verify, sessions that are kept where they should be, and a door."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, inspect

from api.admission import Admission
from api.identity import SignInError
from api.sessions import SessionDesk
from embark.layers import ConfigurationError, UnreachableError, load_settings
from embark.settings import Settings
from embark.token_identity import open_admission, read_keys
from tests.api.minting import (
    AUDIENCE,
    ISSUER,
    ORIGIN,
    PUBLIC,
    SECRET,
    SHARED,
    TENANT,
    Signer,
)
from tests.postgres import own_schema
from tools.types import Principal


def entry(signer: Signer = PUBLIC, **changed: Any) -> dict[str, Any]:
    said = {
        "kid": signer.kid,
        "alg": signer.alg,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "origins": [ORIGIN],
        "public_key": signer.pem if signer.alg == "ES256" else None,
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def settings_of(folder: Path, *keys: dict[str, Any], **given: Any) -> Settings:
    tokens = {"keys": list(keys or [entry()]), "roles": {"admin": ["members:write"]}}
    tokens.update(given.pop("tokens", {}))
    return Settings.model_validate(
        {"tenant": TENANT, "data_dir": folder, "identity": {"tokens": tokens}, **given}
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Admission, SessionDesk]]:
    async with open_admission(settings) as admission:
        assert admission.desk is not None
        yield admission, admission.desk


def fresh(signer: Signer = PUBLIC) -> str:
    return signer.token(secrets.token_hex(8), datetime.now(UTC))


async def test_a_key_of_the_settings_lets_its_people_in(tmp_path: Path) -> None:
    async with opened(settings_of(tmp_path)) as (admission, desk):
        actor = await desk((await desk.exchange(fresh(), ORIGIN)).credential)
        assert actor is not None
        assert actor.principal == Principal(TENANT, "usr_1", "ws_1")
        assert actor.rights == {"members:write"}
        assert admission.origins == (ORIGIN,)
        assert admission.quotas is not None


async def test_a_secret_comes_from_a_file_or_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret.txt"
    file.write_text(f"{SECRET}\n")
    monkeypatch.setenv("WIDGET_SECRET", SECRET)
    for where in ({"api_key_file": file}, {"api_key_env": "WIDGET_SECRET"}):
        async with opened(settings_of(tmp_path, entry(SHARED, **where))) as (_, desk):
            assert await desk((await desk.exchange(fresh(SHARED), ORIGIN)).credential)
            with pytest.raises(SignInError):
                await desk.exchange(fresh(PUBLIC), ORIGIN)


def test_the_whole_stands_in_a_file_and_paths_start_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "w1.pem").write_text(PUBLIC.pem)
    file = tmp_path / "embark.toml"
    file.write_text(
        f"""
tenant = "{TENANT}"
[identity.tokens]
roles = {{ admin = ["members:write"], member = [] }}
[[identity.tokens.keys]]
kid = "key-1"
alg = "ES256"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
origins = ["{ORIGIN}"]
api_key_file = "keys/w1.pem"
[quotas.user]
per_s = 2
burst = 20
[quotas.daily]
tenant = 5.0
"""
    )
    monkeypatch.chdir("/")
    settings = load_settings(file).settings
    assert settings.identity is not None
    assert settings.identity.tokens is not None
    assert read_keys(TENANT, settings.identity.tokens).has(TENANT, "key-1")
    assert (settings.quotas.user.burst, settings.quotas.daily.tenant) == (20, 5.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"public_key": "no key"}, "PEM or JWK"),
        ({"public_key": PUBLIC.pem.replace("M", "A")}, "PEM or JWK"),
        ({"public_key": None, "api_key_env": "NO_SUCH_VARIABLE"}, "PEM or JWK"),
        ({"public_key": None, "api_key_file": "no/such.pem"}, "No such file"),
    ],
)
async def test_a_key_that_must_not_be_used_stops_the_start(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        async with open_admission(settings_of(tmp_path, entry(), entry(**{"kid": "k2", **change}))):
            pass
    assert "identity.tokens.keys[1]" in str(refused.value)


async def test_a_short_secret_stops_the_start_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIDGET_SECRET", "short-and-telling")
    settings = settings_of(tmp_path, entry(SHARED, api_key_env="WIDGET_SECRET"))
    with pytest.raises(ConfigurationError, match="at least 32 bytes") as refused:
        async with open_admission(settings):
            pass
    assert "telling" not in str(refused.value)


async def test_a_third_live_key_stops_the_start(tmp_path: Path) -> None:
    keys = [entry(Signer(f"k{n}")) for n in range(3)]
    with pytest.raises(ConfigurationError, match="more than 2 live keys"):
        async with open_admission(settings_of(tmp_path, *keys)):
            pass
    other = entry(Signer("k3"), workspace="w2", origins=["https://two.example"])
    async with opened(settings_of(tmp_path, *keys[:2], other)) as (admission, _):
        assert admission.origins == (ORIGIN, "https://two.example")


@pytest.mark.parametrize(
    "change",
    [
        {"origins": []},
        {"origins": ["*"]},
        {"origins": ["null"]},
        {"origins": [f"{ORIGIN}/"]},
        {"origins": ["https://App.example"]},
        {"origins": ["http://app.example"]},
        {"origins": ["https://*.example"]},
        {"alg": "none"},
        {"alg": "RS256"},
        {"alg": "HS256"},
        {"issuer": ""},
        {"audience": ""},
        {"api_key_env": "X"},
        {"public_key": None},
    ],
)
def test_a_key_record_says_all_and_nothing_loose(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings_of(tmp_path, entry(**change))


def test_a_page_on_ones_own_machine_may_do_without_tls(tmp_path: Path) -> None:
    own = ["http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:9", "https://a.b:8443"]
    assert settings_of(tmp_path, entry(origins=own)).identity is not None


def test_any_origin_and_tokens_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"no \"\*\""):
        settings_of(tmp_path, server={"allowed_origins": ["*"]})


@pytest.mark.parametrize("identity", [{}, {"url": "https://a.example/me"}, {"target": "harbor"}])
def test_identity_says_one_way_at_least_and_says_it_whole(identity: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="url"):
        Settings.model_validate({"identity": identity})


def test_both_ways_stand_beside_each_other(tmp_path: Path) -> None:
    both = {"url": "https://a.example/me", "target": "harbor", "tokens": {"keys": [entry()]}}
    settings = Settings.model_validate({"data_dir": tmp_path, "identity": both})
    assert settings.identity is not None
    assert (settings.identity.url, settings.identity.tokens is None) == (both["url"], False)


async def _admitting_nobody(folder: Path) -> None:
    async with open_admission(Settings(data_dir=folder)) as admission:
        assert admission.desk is None
        assert (admission.origins, admission.quotas is None) == ((), False)


def test_without_tokens_there_are_quotas_alone_and_no_file(tmp_path: Path) -> None:
    asyncio.run(_admitting_nobody(tmp_path))
    assert not list(tmp_path.iterdir())


async def _is_known_elsewhere(settings: Settings) -> None:
    """What one server lets in, the other knows; what one has exchanged, neither takes again."""
    token = fresh()
    async with opened(settings) as (_, one), opened(settings) as (_, two):
        credential = (await one.exchange(token, ORIGIN)).credential
        assert await two(credential) is not None
        with pytest.raises(SignInError) as again:
            await two.exchange(token, ORIGIN)
        assert again.value.problem.code == "token_replayed"
        assert await two.revoke(credential)
        assert await one(credential) is None


async def test_two_servers_share_a_file(tmp_path: Path) -> None:
    shared = {"store": "database"}
    await _is_known_elsewhere(settings_of(tmp_path, tokens=shared, quotas=shared))


async def test_two_servers_share_postgresql_unasked(tmp_path: Path) -> None:
    with own_schema() as place:
        settings = settings_of(tmp_path, database={"url": place.url_there})
        await _is_known_elsewhere(settings)
        engine = create_engine(place.url_there)
        made = set(inspect(engine).get_table_names())
        engine.dispose()
    assert made == {"widget_session", "spent_token", "quota_bucket", "spent_today"}


async def test_a_database_that_is_away_is_said_at_the_start(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    with pytest.raises(UnreachableError, match="database of quotas"):
        async with open_admission(settings_of(tmp_path, database={"url": url})):
            pass
