"""A token is exchanged once; its credential serves at one origin, for half an hour or less."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from api.identity import SignInError
from api.sessions import (
    CREDENTIAL_PREFIX,
    LIFE,
    SECRET_BYTES,
    DeskPorts,
    SessionDesk,
    SessionStore,
    digest_of,
    is_bound_to,
    new_credential,
)
from api.sessions_memory import MemorySessions
from api.sessions_sql import SqlSessions
from api.widget_tokens import WidgetTokens
from guardrails.tenancy import within
from tests.api.databases import DIALECTS, database
from tests.api.minting import NOW, ORIGIN, PUBLIC, SHARED, TENANT, verifier
from tests.tools.acting.floor import Clock
from tools.types import Principal

RIGHTS = {"admin": frozenset({"members:write", "members:read"}), "viewer": frozenset({"read"})}
EXCHANGES = 64
EARLIER = NOW - timedelta(hours=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with database(request.param, tmp_path) as engine:
        yield engine


@pytest.fixture(params=("memory", *DIALECTS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SessionStore]:
    if request.param == "memory":
        yield MemorySessions(EARLIER)
        return
    with database(request.param, tmp_path) as engine:
        yield SqlSessions(engine)


@pytest.fixture
def desk(store: SessionStore, clock: Clock) -> SessionDesk:
    return desk_over(store, clock)


def desk_over(store: SessionStore, clock: Clock, tokens: WidgetTokens | None = None) -> SessionDesk:
    ports = DeskPorts(clock, secrets.token_bytes)
    return SessionDesk(TENANT, tokens or verifier(), store, RIGHTS, ports)


async def refusal(desk: SessionDesk, token: str, origin: str | None = ORIGIN) -> str:
    with pytest.raises(SignInError) as error:
        await desk.exchange(token, origin)
    assert error.value.problem.status == 401
    return error.value.problem.code


async def test_a_token_becomes_a_credential_that_is_a_person(desk: SessionDesk) -> None:
    since = int(NOW.timestamp()) - 30
    opened = await desk.exchange(PUBLIC.token(plan="growth", auth_time=since), ORIGIN)
    assert opened.expires == NOW + LIFE
    actor = await desk(opened.credential)
    assert actor is not None
    assert actor.principal == Principal(TENANT, "usr_1", "ws_1")
    assert actor.rights == RIGHTS["admin"]
    assert (actor.role, actor.plan, actor.staff) == ("admin", "growth", False)
    assert actor.auth_time == NOW - timedelta(seconds=30)


async def test_rights_are_those_of_the_roles_that_the_settings_know(desk: SessionDesk) -> None:
    both = await desk.exchange(PUBLIC.token("a", roles=["owner", "viewer", "admin"]), ORIGIN)
    actor = await desk(both.credential)
    assert actor is not None
    assert (actor.role, actor.rights) == ("viewer", RIGHTS["admin"] | RIGHTS["viewer"])
    none = await desk.exchange(PUBLIC.token("b", roles=["owner"]), ORIGIN)
    actor = await desk(none.credential)
    assert actor is not None
    assert (actor.role, actor.rights, actor.auth_time) == ("", frozenset(), None)


async def test_a_token_is_exchanged_once(desk: SessionDesk, clock: Clock) -> None:
    token = PUBLIC.token()
    await desk.exchange(token, ORIGIN)
    assert await refusal(desk, token) == "token_replayed"
    again = PUBLIC.token(sub="usr_2")  # the same jti, signed again
    assert await refusal(desk, again) == "token_replayed"
    clock.pass_s(900 + 59)
    assert await refusal(desk, token) == "token_replayed"
    clock.pass_s(1)
    assert await refusal(desk, token) == "token_invalid"


async def test_of_64_exchanges_at_once_exactly_one_wins(store: SessionStore, clock: Clock) -> None:
    """Eight servers over one store, eight requests at each of them."""
    for number in range(3):
        token = (PUBLIC, SHARED)[number % 2].token(f"race-{number}")
        desks = [desk_over(store, clock) for _ in range(8)]
        tries = (desks[n % 8].exchange(token, ORIGIN) for n in range(EXCHANGES))
        ended = await asyncio.gather(*tries, return_exceptions=True)
        lost = [each for each in ended if isinstance(each, SignInError)]
        (won,) = (each for each in ended if not isinstance(each, BaseException))
        assert len(lost) == EXCHANGES - 1
        assert {each.problem.code for each in lost} == {"token_replayed"}
        assert await desks[0](won.credential) is not None
    assert await store.count(TENANT, "usr_1") == 3


async def test_another_origin_cannot_exchange_and_does_not_use_the_token_up(
    desk: SessionDesk,
) -> None:
    token = PUBLIC.token()
    for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "null", "", None):
        assert await refusal(desk, token, origin) == "wrong_origin"
    assert (await desk.exchange(token, ORIGIN)).credential


async def test_a_credential_ends_by_itself(desk: SessionDesk, clock: Clock) -> None:
    opened = await desk.exchange(PUBLIC.token(), ORIGIN)
    clock.pass_s(LIFE.total_seconds() - 1)
    assert await desk(opened.credential) is not None
    clock.pass_s(1)
    assert await desk(opened.credential) is None


async def test_a_credential_can_be_revoked_and_so_can_all_of_a_person(desk: SessionDesk) -> None:
    first, second, third = [
        (await desk.exchange(PUBLIC.token(jti), ORIGIN)).credential for jti in ("a", "b", "c")
    ]
    other = await desk.exchange(PUBLIC.token("d", sub="usr_2"), ORIGIN)
    assert await desk.revoke(first)
    assert not await desk.revoke(first)
    assert await desk(first) is None
    assert await desk(second) is not None
    assert (await desk.open_of("usr_1"), await desk.revoke_all("usr_1")) == (2, 2)
    assert (await desk(second), await desk(third), await desk.open_of("usr_1")) == (None, None, 0)
    assert await desk(other.credential) is not None


async def test_a_key_that_is_taken_out_takes_its_sessions_along(
    store: SessionStore, clock: Clock
) -> None:
    before = desk_over(store, clock)
    by_public = await before.exchange(PUBLIC.token("a"), ORIGIN)
    by_shared = await before.exchange(SHARED.token("b"), ORIGIN)
    after = desk_over(store, clock, WidgetTokens([SHARED.record()]))
    assert await after(by_public.credential) is None
    assert await after(by_shared.credential) is not None


async def test_other_tenants_do_not_find_it(store: SessionStore, desk: SessionDesk) -> None:
    opened = await desk.exchange(PUBLIC.token(), ORIGIN)
    digest = digest_of(opened.credential)
    assert await store.find("globex", digest, NOW) is None
    assert not await store.close("globex", digest)
    assert await store.close_all("globex", "usr_1") == 0
    assert await store.find(TENANT, digest, NOW) is not None


async def test_what_is_over_is_swept_away(store: SessionStore, clock: Clock) -> None:
    desk = desk_over(store, clock)
    for number in range(5):
        await desk.exchange(PUBLIC.token(f"j{number}"), ORIGIN)
    clock.pass_s(3600)
    await desk.exchange(PUBLIC.token("new", clock.at, sub="usr_2"), ORIGIN)
    assert (await store.count(TENANT, "usr_1"), await store.count(TENANT, "usr_2")) == (0, 1)


async def test_a_process_that_remembers_nothing_takes_no_older_token(clock: Clock) -> None:
    desk = desk_over(MemorySessions(since=NOW + timedelta(seconds=1)), clock)
    assert await refusal(desk, PUBLIC.token()) == "token_replayed"
    assert (await desk.exchange(PUBLIC.token(iat=int(NOW.timestamp()) + 1), ORIGIN)).credential


def test_a_credential_has_256_bits_of_chance_and_names_no_origin() -> None:
    made = new_credential(bytes(SECRET_BYTES), ORIGIN)
    assert SECRET_BYTES * 8 >= 256
    assert made.startswith(CREDENTIAL_PREFIX)
    assert ORIGIN not in made
    assert is_bound_to(made, ORIGIN)
    for other in ("https://evil.example", ORIGIN.replace("https", "http"), f"{ORIGIN}:443", ""):
        assert not is_bound_to(made, other)
    for broken in ("", "ems_", "ems_.", made[:-1], f"{made}x", "ems_é.é"):
        assert not is_bound_to(broken, ORIGIN)


async def test_a_credential_bound_anew_by_a_thief_is_no_session(desk: SessionDesk) -> None:
    opened = await desk.exchange(PUBLIC.token(), ORIGIN)
    secret = opened.credential.removeprefix(CREDENTIAL_PREFIX).partition(".")[0]
    tag = new_credential(bytes(SECRET_BYTES), "https://evil.example").rpartition(".")[2]
    for forged in (f"{CREDENTIAL_PREFIX}{secret}.{tag}", f"{CREDENTIAL_PREFIX}{secret}", secret):
        assert await desk(forged) is None


async def test_the_database_holds_no_credential_and_no_token(engine: Engine, clock: Clock) -> None:
    token = PUBLIC.token("a-telling-jti")
    opened = await desk_over(SqlSessions(engine), clock).exchange(token, ORIGIN)
    with within(TENANT), engine.connect() as connection:
        rows = [
            str(row)
            for table in ("widget_session", "spent_token")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    assert len(rows) == 2
    secret = opened.credential.removeprefix(CREDENTIAL_PREFIX).partition(".")[0]
    for told in (opened.credential, secret, token, "a-telling-jti"):
        assert told not in "".join(rows)
    assert digest_of(opened.credential) in "".join(rows)


async def test_a_database_that_is_away_lets_nobody_in(tmp_path: Path, clock: Clock) -> None:
    with database("sqlite", tmp_path) as engine:
        desk = desk_over(SqlSessions(engine), clock)
        opened = await desk.exchange(PUBLIC.token(), ORIGIN)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE widget_session"))
        with pytest.raises(OperationalError):
            await desk(opened.credential)
        with pytest.raises(OperationalError):
            await desk.exchange(PUBLIC.token("j2"), ORIGIN)
