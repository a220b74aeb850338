"""Staff sign in at a provider and do what their roles allow; whatever is wrong lets nobody in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent.types import CardAnswer
from api.staff.desk import digest_of
from tests.agent.acting_floor import TENANT, Stage
from tests.api.minting import base64url
from tests.api.staff.house import OURS, RIGHTS, House, house
from tests.api.staff.idp import Place, SigningKey
from tests.tools.acting.floor import Floor
from tests.tools.twins import manifest
from tools.types import Tier

HOUR = 3600.0


@pytest.fixture
async def home(place: Place, tmp_path: Path) -> AsyncIterator[House]:
    async with house(place, tmp_path) as home:
        yield home


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_who_signs_in_comes_back_with_a_cookie_and_rights(home: House) -> None:
    home.idp.roles = ["approver", "unknown to us"]
    back = await home.sign_in(next="/console/?tab=audit")
    assert (back.status_code, back.headers["location"]) == (303, "/console/?tab=audit")
    me = await home.me()
    assert (me["subject"], me["roles"]) == ("~staff:7f3a", ["approver", "unknown to us"])
    assert me["rights"] == sorted(RIGHTS["approver"])
    assert len(me["csrfToken"]) == 43


async def test_cookies_are_for_our_own_pages_alone(home: House) -> None:
    begun = await home.browser.get("/v1/staff/sign-in")
    back = await home.browser.get(await home.returned())
    (flow,) = begun.headers.get_list("set-cookie")
    session, over = back.headers.get_list("set-cookie")
    assert "embark-staff-flow=" in flow
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=600"} <= set(flow.split("; "))
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=28800"} <= set(session.split("; "))
    assert "Max-Age=0" in over
    assert back.headers["cache-control"] == begun.headers["cache-control"] == "no-store"


async def test_over_https_cookies_are_tied_to_our_host(place: Place, tmp_path: Path) -> None:
    async with house(place, tmp_path, ours="https://copilot.example") as home:
        begun = await home.browser.get("/v1/staff/sign-in")
        back = await home.sign_in()
        assert (await home.me())["subject"] == "~staff:7f3a"
        out = await home.post("/v1/staff/sign-out", origin="https://copilot.example")
    set_cookies = [
        cookie for answer in (begun, back, out) for cookie in answer.headers.get_list("set-cookie")
    ]
    assert len(set_cookies) == 4
    for cookie in set_cookies:
        assert cookie.startswith("__Host-embark-staff")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


async def test_what_is_asked_of_the_provider(home: House) -> None:
    await home.sign_in()
    await home.sign_in(fresh="true")
    first, again = home.idp.seen
    assert (first["scope"], first["max_age"]) == ("openid", "28800")
    assert (again["max_age"], again["prompt"]) == ("0", "login")
    for one, other in zip(first.items(), again.items(), strict=False):
        assert (one == other) == (one[0] not in {"state", "nonce", "code_challenge", "max_age"})


async def test_rights_are_asked_for_where_they_are_needed(home: House) -> None:
    assert code(await home.browser.get("/v1/decisions")) == (401, "sign_in_required")
    home.idp.roles = "auditor"
    await home.sign_in()
    assert (await home.browser.get("/v1/decisions")).status_code == 200
    assert (await home.browser.get("/v1/receipts")).json() == {"receipts": [], "more": False}
    for path in ("/v1/approvals", "/v1/subjects/usr_1/export"):
        assert code(await home.browser.get(path)) == (403, "right_missing")


async def test_a_card_is_decided_by_staff_who_have_the_rights_that_it_needs(
    place: Place, tmp_path: Path
) -> None:
    stage = Stage(floor=Floor(told=manifest(tier=Tier.R4)))
    async with house(place, tmp_path, stage=stage) as home:
        (pause,) = (await stage.says("set gate to open")).pauses
        await stage.answers(CardAnswer(pause, "approve"))  # of two who must
        home.idp.roles = ["approver"]
        await home.sign_in(fresh="true")
        (card,) = (await home.browser.get("/v1/approvals")).json()["approvals"]
        assert (card["actionId"], card["waitsFor"]) == (pause, "you")
        word = {"digest": card["digest"], "decision": "approve"}
        path = f"/v1/approvals/{card['actionId']}/decision"
        assert code(await home.browser.post(path, json=word)) == (403, "csrf")
        decided = await home.post(path, word)
        assert (decided.status_code, decided.json()["status"]) == (200, "succeeded")
        approvals = await stage.journal.approvals(TENANT, card["actionId"])
        assert [each.approver for each in approvals] == ["ana", "~staff:7f3a"]


async def test_people_of_the_host_are_told_apart_from_staff(home: House) -> None:
    as_ana = {"authorization": "Bearer ana"}
    found = await home.browser.get("/v1/decisions", headers=as_ana)
    assert code(found) == (404, "not_found")
    assert (await home.browser.get("/v1/approvals", headers=as_ana)).status_code == 200
    home.idp.roles = ["auditor"]
    await home.sign_in()
    assert (await home.browser.get("/v1/decisions")).status_code == 200
    found = await home.browser.get("/v1/decisions", headers=as_ana)
    assert code(found) == (404, "not_found")  # who sends a token means it


async def test_a_cookie_serves_no_route_of_a_user(home: House) -> None:
    await home.sign_in()
    for path in ("/v1/tools", "/v1/actions", "/v1/me/export"):
        assert code(await home.browser.get(path)) == (401, "sign_in_required")


async def test_what_changes_something_needs_the_token_of_the_session(home: House) -> None:
    home.idp.roles = ["admin"]
    await home.sign_in(fresh="true")
    token = (await home.me())["csrfToken"]
    path, page = "/v1/subjects/usr_1", OURS
    wrong: list[dict[str, str]] = [
        {},
        {"x-csrf-token": ""},
        {"x-csrf-token": token[:-1]},
        {"x-csrf-token": token.swapcase()},
        {"x-csrf-token": token, "origin": "https://evil.example"},
        {"x-csrf-token": token, "origin": "null"},
        {"x-csrf-token": token, "origin": f"{page}.evil.example"},
    ]
    for headers in wrong:
        assert code(await home.browser.delete(path, headers=headers)) == (403, "csrf")
        assert code(await home.browser.post("/v1/staff/sign-out", headers=headers)) == (403, "csrf")
    for headers in ({"x-csrf-token": token}, {"x-csrf-token": token, "origin": page}):
        allowed = await home.browser.delete(path, headers=headers)
        assert code(allowed) == (404, "acting_off")  # let through; here is nothing to erase


async def test_signing_out_ends_the_session_and_no_other(home: House) -> None:
    await home.sign_in()
    first = dict(home.browser.cookies)
    home.browser.cookies.clear()
    await home.sign_in()
    assert (await home.post("/v1/staff/sign-out")).status_code == 204
    assert code(await home.browser.get("/v1/staff/me")) == (401, "sign_in_required")
    home.browser.cookies.update(first)
    assert (await home.me())["subject"] == "~staff:7f3a"


async def test_signing_out_everywhere_ends_every_session_of_this_person(home: House) -> None:
    await home.sign_in()
    first = dict(home.browser.cookies)
    home.browser.cookies.clear()
    home.idp.subject = "somebody-else"
    await home.sign_in()
    other = dict(home.browser.cookies)
    home.browser.cookies.clear()
    home.idp.subject = "7f3a"
    await home.sign_in()
    assert (await home.post("/v1/staff/sign-out?everywhere=true")).status_code == 204
    for cookies, good in ((first, False), (other, True)):
        home.browser.cookies.clear()
        home.browser.cookies.update(cookies)
        assert (await home.browser.get("/v1/staff/me")).is_success is good


async def test_signing_in_again_replaces_the_cookie(home: House) -> None:
    await home.sign_in()
    first = dict(home.browser.cookies)
    await home.sign_in()
    assert dict(home.browser.cookies) != first
    home.browser.cookies.clear()
    home.browser.cookies.update(first)
    assert code(await home.browser.get("/v1/staff/me")) == (401, "sign_in_required")


async def test_a_cookie_that_was_planted_before_is_not_taken_over(home: House) -> None:
    """Session fixation."""
    home.browser.cookies.set("embark-staff", "planted", domain="127.0.0.1")
    await home.sign_in()
    assert home.browser.cookies.get("embark-staff", domain="127.0.0.1") != "planted"


@pytest.mark.parametrize(
    ("steps", "good"),
    [
        ([1799.0], True),
        ([1800.0], False),
        ([1700.0] * 16, True),
        ([1700.0] * 16 + [1599.0], True),
        ([1700.0] * 16 + [1600.0], False),
    ],
)
async def test_a_session_ends_when_it_is_idle_and_after_eight_hours(
    home: House, steps: list[float], good: bool
) -> None:
    await home.sign_in()
    *before, last = steps
    for step in before:
        home.clock.pass_s(step)
        assert (await home.browser.get("/v1/staff/me")).status_code == 200
    home.clock.pass_s(last)
    assert (await home.browser.get("/v1/staff/me")).status_code == (200 if good else 401)


async def test_nobody_comes_in_without_a_role_that_may_do_something(home: House) -> None:
    for roles in (["empty"], ["nobody"], [], None, 7, {"approver": True}, [["approver"]]):
        home.idp.roles = roles
        assert code(await home.sign_in()) == (403, "no_role")
    assert "embark-staff" not in home.browser.cookies


async def test_while_the_provider_is_away_whoever_is_signed_in_goes_on(home: House) -> None:
    await home.sign_in()
    home.idp.down = True
    home.clock.pass_s(1200)
    assert (await home.me())["roles"] == ["approver"]
    home.clock.pass_s(1200)
    begun = await home.browser.get("/v1/staff/sign-in")  # what it says of itself is still known
    assert begun.status_code == 303
    assert (await home.browser.get("/v1/staff/me")).status_code == 200
    home.clock.pass_s(1700)
    asked = len(home.idp.asked)
    for _ in range(5):
        assert (await home.browser.get("/v1/staff/sign-in")).status_code == 303
    assert len(home.idp.asked) == asked + 1  # once; the next time after a pause
    assert (await home.browser.get("/v1/staff/me")).status_code == 200


async def test_a_provider_that_was_never_there_is_asked_less_and_less(home: House) -> None:
    home.idp.down = True
    for pause in (1, 2, 4, 8):
        asked = len(home.idp.asked)
        for _ in range(3):
            answer = await home.browser.get("/v1/staff/sign-in")
            assert code(answer) == (503, "identity_unavailable")
        assert len(home.idp.asked) == asked + 1
        home.clock.pass_s(pause)
    home.idp.down = False
    assert (await home.sign_in()).status_code == 303


async def test_a_new_key_of_the_provider_is_fetched_when_it_is_used(home: House) -> None:
    await home.sign_in()
    for _ in range(3):
        home.idp.rotate()
        assert (await home.sign_in()).status_code == 303
    del home.idp.keys[:-1]
    assert (await home.sign_in()).status_code == 303
    assert home.idp.asked.count("/jwks") == 4


async def test_unknown_keys_do_not_make_us_ask_all_the_time(home: House) -> None:
    await home.sign_in()
    home.idp.forge = lambda claims, key: key.signed({"alg": "RS256", "kid": "k9"}, claims)
    for _ in range(6):
        assert code(await home.sign_in()) == (400, "sign_in_invalid")
    assert home.idp.asked.count("/jwks") == 2
    home.clock.pass_s(1)
    assert code(await home.sign_in()) == (400, "sign_in_invalid")
    assert home.idp.asked.count("/jwks") == 3


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        {"code_challenge_methods_supported": ["plain"]},
        {"response_types_supported": ["token"]},
        {"token_endpoint": None},
    ],
)
async def test_a_provider_that_is_not_as_it_should_be_is_not_used(
    home: House, said: dict[str, Any]
) -> None:
    home.idp.metadata = said
    answer = await home.browser.get("/v1/staff/sign-in")
    assert code(answer) == (503, "identity_unavailable")


# --- attacks -------------------------------------------------------------------------------------


async def refused(home: House, url: str, why: tuple[int, str] = (400, "sign_in_invalid")) -> None:
    answer = await home.browser.get(url)
    assert code(answer) == why
    assert not answer.headers.get_list("set-cookie")


def changed(url: str, **query: str | None) -> str:
    parts = urlsplit(url)
    said = {name: values[0] for name, values in parse_qs(parts.query).items()}
    said.update({name: value for name, value in query.items() if value is not None})
    left = {name: value for name, value in said.items() if query.get(name, "") is not None}
    return parts._replace(query=urlencode(left)).geturl()


async def test_a_state_is_good_once_in_the_browser_that_began(home: House) -> None:
    url = await home.returned()
    mine = dict(home.browser.cookies)
    home.browser.cookies.clear()
    await refused(home, url)  # in another browser; and it is used up
    home.browser.cookies.update(mine)
    await refused(home, url)
    url = await home.returned()
    assert (await home.browser.get(url)).status_code == 303
    home.browser.cookies.update(mine)
    await refused(home, url)


async def test_states_cannot_be_swapped(home: House) -> None:
    """Somebody's own code is planted into another person's browser, and the reverse."""
    theirs = await home.returned()
    home.browser.cookies.clear()
    mine = await home.returned()
    their_code = parse_qs(urlsplit(theirs).query)["code"][0]
    await refused(home, theirs)
    await refused(home, changed(mine, code=their_code))  # the verifier is another


@pytest.mark.parametrize(
    "query",
    [
        {"state": "x" * 43},
        {"state": ""},
        {"state": None},
        {"code": "guessed"},
        {"code": None},
        {"code": None, "error": "access_denied"},
        {"iss": "https://evil.example"},
    ],
)
async def test_what_comes_back_changed_is_refused(
    home: House, query: dict[str, str | None]
) -> None:
    await refused(home, changed(await home.returned(), **query))


async def test_of_many_that_bring_one_state_one_gets_in(home: House) -> None:
    url = await home.returned()
    answers = await asyncio.gather(*(home.browser.get(url) for _ in range(16)))
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 15


async def test_a_state_is_over_after_ten_minutes(home: House) -> None:
    url = await home.returned()
    home.clock.pass_s(600)
    await refused(home, url)


async def test_a_provider_refuses_a_code_twice_and_a_wrong_verifier(home: House) -> None:
    """That the tests' provider is one: else the two above would prove nothing."""
    url = await home.returned()
    given = parse_qs(urlsplit(url).query)["code"][0]
    home.idp.grants[given].challenge = base64url(bytes(32))
    await refused(home, url)
    url = await home.returned()
    home.idp.grants[parse_qs(urlsplit(url).query)["code"][0]].used = True
    await refused(home, url)


@pytest.mark.parametrize(
    "next_page", ["//evil.example", "https://evil.example", "/\\evil.example", "", "console", "/ /"]
)
async def test_nobody_is_sent_elsewhere_afterwards(home: House, next_page: str) -> None:
    answer = await home.browser.get("/v1/staff/sign-in", params={"next": next_page})
    assert code(answer) == (422, "invalid_input")


async def test_fresh_means_that_the_password_was_asked_for_just_now(home: House) -> None:
    home.idp.login_age_s = 3 * HOUR
    await refused(home, await home.returned(fresh="true"))
    home.idp.login_age_s = None
    await refused(home, await home.returned(fresh="true"))
    home.idp.login_age_s = 0
    assert (await home.sign_in(fresh="true")).status_code == 303


CURVE = SigningKey("k1", ec.generate_private_key(ec.SECP256R1()))
THIEF = SigningKey("k1")
Forge = Callable[[dict[str, Any], SigningKey], str]
FORGED: dict[str, Forge] = {
    "another_key": lambda said, key: THIEF.signed({"alg": "RS256", "kid": key.kid}, said),
    "none": lambda said, key: key.signed({"alg": "none", "kid": key.kid}, said),
    "another_algorithm": lambda said, key: CURVE.signed({"alg": "ES256", "kid": key.kid}, said),
    "own_key": lambda said, key: THIEF.signed({"alg": "RS256", "jwk": THIEF.jwk}, said),
    "nonce": lambda said, key: key.signed(
        {"alg": "RS256", "kid": key.kid}, {**said, "nonce": "of another sign-in"}
    ),
    "audience": lambda said, key: key.signed(
        {"alg": "RS256", "kid": key.kid}, {**said, "aud": "another"}
    ),
    "expired": lambda said, key: key.signed(
        {"alg": "RS256", "kid": key.kid}, {**said, "exp": said["iat"] - 60}
    ),
}


async def test_a_forged_token_lets_nobody_in(home: House) -> None:
    for forge in FORGED.values():
        home.idp.forge = forge
        await refused(home, await home.returned())
    home.idp.forge = None
    assert (await home.sign_in()).status_code == 303


async def test_a_cookie_that_was_guessed_or_read_from_the_store_is_good_for_nobody(
    home: House,
) -> None:
    await home.sign_in()
    cookie = home.browser.cookies["embark-staff"]
    assert await home.door.desk.session(cookie) is not None  # type: ignore[union-attr]
    for guessed in (digest_of(cookie), cookie[:-1], cookie + "A", TENANT, "", "*"):
        assert await home.door.desk.session(guessed) is None  # type: ignore[union-attr]
