"""Tokens of one's own machine: short-lived, signed, and believed where nobody else can come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.staff.local import LIFE, PREFIX, LocalStaff, is_loopback
from tests.agent.acting_floor import TENANT
from tests.api.minting import base64url, by_secret, encoded
from tests.api.staff.house import KEY, RIGHTS, House, house
from tests.api.staff.idp import Place
from tests.tools.acting.floor import START, Clock


@pytest.fixture
async def home(place: Place, tmp_path: Path) -> AsyncIterator[House]:
    async with house(place, tmp_path, local=True) as home:
        yield home


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def minted(header: Any = None, key: bytes = KEY, **changed: Any) -> str:
    head = {"alg": "HS256", "typ": "embark-local+jwt"} if header is None else header
    said = {"tenant": TENANT, "roles": ["admin"], "iat": START.timestamp(), **changed}
    said.setdefault("exp", said["iat"] + 60)
    content = f"{encoded(head)}.{encoded(said)}"
    return f"{PREFIX}{content}.{base64url(by_secret(key, content.encode()))}"


async def test_a_token_does_what_its_role_may(home: House) -> None:
    assert home.door.local is not None
    headers = bearer(home.door.local.token("auditor"))
    assert (await home.browser.get("/v1/decisions", headers=headers)).status_code == 200
    me = (await home.browser.get("/v1/staff/me", headers=headers)).json()
    assert (me["subject"], me["csrfToken"]) == ("~staff:local", None)
    missing = await home.browser.get("/v1/subjects/u/export", headers=headers)
    assert missing.json()["code"] == "right_missing"
    assert (await home.browser.get("/v1/tools", headers=headers)).status_code == 401
    home.clock.pass_s(LIFE.total_seconds())
    over = await home.browser.get("/v1/decisions", headers=headers)
    assert (over.status_code, over.json()["code"]) == (401, "auth_expired")


async def test_where_a_provider_is_set_no_local_token_is_believed(
    place: Place, tmp_path: Path
) -> None:
    async with house(place, tmp_path) as home:
        for token in (LocalStaff(TENANT, lambda: KEY, RIGHTS, home.clock).token("admin"), minted()):
            answer = await home.browser.get("/v1/staff/me", headers=bearer(token))
            assert (answer.status_code, answer.json()["code"]) == (401, "auth_expired")


def test_forged_local_tokens_are_good_for_nobody() -> None:
    desk = LocalStaff(TENANT, lambda: KEY, RIGHTS, Clock(START))
    assert desk.session(minted()) is not None
    good = desk.token("admin")
    typ = "embark-local+jwt"
    forged = [
        minted({"alg": "none", "typ": typ}),
        minted({"alg": "HS512", "typ": typ}),
        minted({"alg": "HS256", "typ": "JWT"}),
        minted({"alg": "HS256", "typ": typ, "kid": "x"}),
        minted(key=bytes(32)),
        minted(tenant="globex"),
        minted(iat=(START + timedelta(seconds=1)).timestamp()),
        minted(iat=(START - LIFE).timestamp(), exp=2**40),
        minted(exp=START.timestamp()),
        minted(roles=[]),
        minted(roles="admin"),
        minted(more=1),
        minted().removeprefix(PREFIX),
        good[:-2],
        f"{good}A",
        PREFIX,
        "",
        PREFIX + "A" * 5000,
    ]
    assert [token for token in forged if desk.session(token) is not None] == []


def test_a_role_that_grants_nothing_gets_no_token() -> None:
    desk = LocalStaff(TENANT, lambda: KEY, RIGHTS, Clock(START))
    for role in ("empty", "nobody"):
        with pytest.raises(ValueError, match="no role"):
            desk.token(role)
    with pytest.raises(ValueError, match="make it 32"):
        LocalStaff(TENANT, lambda: b"short", RIGHTS, Clock(START)).token("admin")


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.5", False),
        ("localhost.evil.example", False),
    ],
)
def test_what_counts_as_ones_own_machine(host: str, near: bool) -> None:
    assert is_loopback(host) is near
