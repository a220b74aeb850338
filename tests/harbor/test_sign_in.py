"""The second factor at sign-in, and what a workspace requires of its people."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harbor.running import Harbor, running_harbor


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(running: Harbor) -> Harbor:
    running.reset()
    return running


@pytest.fixture
def browser(harbor: Harbor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=harbor.base_url, timeout=20) as client:
        yield client


def _code(harbor: Harbor, secret: str, step: int = 0) -> str:
    """As an app on a phone computes it (RFC 6238), by Harbor's clock."""
    ahead = datetime.fromisoformat(_clock(harbor)).timestamp()
    counter = struct.pack(">Q", int(ahead) // 30 + step)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


_AHEAD: dict[str, float] = {"s": 0}


def _clock(harbor: Harbor) -> str:
    body = {"ahead_s": _AHEAD["s"]}
    return str(harbor.client.put("/_sandbox/clock", json=body).raise_for_status().json()["now"])


@pytest.fixture(autouse=True)
def _no_time_has_passed() -> None:
    _AHEAD["s"] = 0


def _later(harbor: Harbor, seconds: float) -> None:
    _AHEAD["s"] += seconds
    _clock(harbor)


def _body(harbor: Harbor, role: str = "admin", **more: Any) -> dict[str, Any]:
    return {"email": harbor.session["emails"][role], "password": harbor.session["password"], **more}


def _enrolled(harbor: Harbor, role: str = "admin") -> tuple[str, list[str]]:
    """The secret and the recovery codes. The code of the moment before is used up by it."""
    secret = str(harbor.call("POST", "/v1/me/mfa", role).json()["secret"])
    body = {"code": _code(harbor, secret, -1)}
    done = harbor.call("POST", "/v1/me/mfa/confirm", role, json=body).raise_for_status()
    return secret, done.json()["recovery_codes"]


def _problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


WRONG = (401, "HBR-611")
LOCKED = (423, "HBR-612")
OVERDUE = (403, "HBR-613")


# --- the code -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/sign-in", "/v1/tokens"])
def test_whoever_has_a_second_factor_needs_its_code(harbor: Harbor, path: str) -> None:
    secret, _codes = _enrolled(harbor)
    with httpx.Client(base_url=harbor.base_url) as client:
        assert _problem(client.post(path, json=_body(harbor))) == WRONG
        assert client.cookies == {}
        assert _problem(client.post(path, json=_body(harbor, code="000000"))) == WRONG
        right = client.post(path, json=_body(harbor, code=_code(harbor, secret)))
        assert right.status_code in (200, 201)
        assert client.post(path, json=_body(harbor, "editor")).is_success
    assert harbor.call("GET", "/v1/me", "admin").json()["mfa"] is True


def test_a_wrong_password_is_told_before_any_code_is_asked_for(harbor: Harbor) -> None:
    _enrolled(harbor)
    wrong = {**_body(harbor), "password": "not this one at all"}

    assert _problem(harbor.client.post("/v1/tokens", json=wrong)) == (401, "unauthenticated")


def test_a_code_is_good_once_and_for_a_step_before_and_after(harbor: Harbor) -> None:
    secret, _codes = _enrolled(harbor)
    now = _code(harbor, secret)

    def send(code: str) -> httpx.Response:
        return harbor.client.post("/v1/tokens", json=_body(harbor, code=code))

    assert _problem(send(_code(harbor, secret, -1))) == WRONG  # the enrolment used it
    assert _problem(send(_code(harbor, secret, 3))) == WRONG
    assert send(now).status_code == 201
    assert _problem(send(now)) == WRONG
    _later(harbor, 60)
    assert send(_code(harbor, secret, 1)).status_code == 201


def test_a_recovery_code_is_good_once_with_or_without_its_dash(harbor: Harbor) -> None:
    _secret, codes = _enrolled(harbor)
    assert len(set(codes)) == 10
    for code in (codes[0], codes[1].replace("-", "").upper()):
        body = _body(harbor, code=code)
        assert harbor.client.post("/v1/tokens", json=body).status_code == 201
        assert _problem(harbor.client.post("/v1/tokens", json=body)) == WRONG


def test_ten_wrong_codes_lock_for_15_minutes_also_against_the_right_one(harbor: Harbor) -> None:
    secret, codes = _enrolled(harbor)
    for _ in range(9):
        body = _body(harbor, code="000000")
        assert _problem(harbor.client.post("/v1/tokens", json=body)) == WRONG
    answer = harbor.client.post("/v1/sign-in", json=_body(harbor, code="a wrong one"))
    assert _problem(answer) == LOCKED
    assert 890 <= int(answer.headers["retry-after"]) <= 900
    for code in (_code(harbor, secret), codes[0], None):
        body = _body(harbor, code=code)
        assert _problem(harbor.client.post("/v1/tokens", json=body)) == LOCKED
    _later(harbor, 15 * 60 + 1)
    body = _body(harbor, code=_code(harbor, secret))
    assert harbor.client.post("/v1/tokens", json=body).status_code == 201


def test_a_right_code_forgives_the_wrong_ones_before(harbor: Harbor) -> None:
    _secret, codes = _enrolled(harbor)
    for right in codes[:2]:
        for _ in range(9):
            body = _body(harbor, code="000000")
            assert _problem(harbor.client.post("/v1/tokens", json=body)) == WRONG
        body = _body(harbor, code=right)
        assert harbor.client.post("/v1/tokens", json=body).status_code == 201


# --- enrolling ----------------------------------------------------------------------------------


def test_starting_anew_takes_a_code_and_the_old_factor_holds_until_it_is_done(
    harbor: Harbor,
) -> None:
    _secret, codes = _enrolled(harbor)

    assert _problem(harbor.call("POST", "/v1/me/mfa", "admin")) == WRONG
    anew = harbor.call("POST", "/v1/me/mfa", "admin", json={"code": codes[0]})
    assert anew.status_code == 201
    assert _problem(harbor.client.post("/v1/tokens", json=_body(harbor))) == WRONG

    secret = anew.json()["secret"]
    body = {"code": _code(harbor, secret)}
    done = harbor.call("POST", "/v1/me/mfa/confirm", "admin", json=body).json()
    old = harbor.client.post("/v1/tokens", json=_body(harbor, code=codes[1]))
    new = harbor.client.post("/v1/tokens", json=_body(harbor, code=done["recovery_codes"][0]))
    assert (_problem(old), new.status_code) == (WRONG, 201)


def test_wrong_codes_count_at_the_confirmation_too(harbor: Harbor) -> None:
    harbor.call("POST", "/v1/me/mfa", "admin").raise_for_status()
    confirm = {"json": {"code": "000000"}}
    said = [_problem(harbor.call("POST", "/v1/me/mfa/confirm", "admin", **confirm))
            for _ in range(11)]  # fmt: skip

    assert said == [WRONG] * 9 + [LOCKED] * 2
    assert harbor.call("GET", "/v1/me", "admin").json()["mfa"] is False


def test_a_reset_opens_the_way_with_the_password_for_a_day(harbor: Harbor) -> None:
    _enrolled(harbor)
    admin = harbor.session["members"]["admin"]
    harbor.call("POST", f"/v1/members/{admin}/mfa/reset").raise_for_status()

    harbor.sign_in("admin")
    assert harbor.call("GET", "/v1/workspace", "admin").status_code == 200
    _later(harbor, 24 * 3600 + 1)
    harbor.sign_in("admin")
    assert _problem(harbor.call("GET", "/v1/workspace", "admin")) == OVERDUE
    _enrolled(harbor)
    assert harbor.call("GET", "/v1/workspace", "admin").status_code == 200


# --- trusted devices ----------------------------------------------------------------------------


def _trusted(harbor: Harbor, browser: httpx.Client) -> None:
    _secret, codes = _enrolled(harbor)
    body = _body(harbor, code=codes[0], trust_device=True)
    answer = browser.post("/v1/sign-in", json=body).raise_for_status()
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["harbor_session", "harbor_device"]
    assert all("HttpOnly; SameSite=Lax" in cookie for cookie in cookies)
    assert "Max-Age=2592000" in cookies[1]


def test_a_trusted_browser_is_asked_for_no_code_for_30_days(
    harbor: Harbor, browser: httpx.Client
) -> None:
    _trusted(harbor, browser)

    assert browser.post("/v1/sign-in", json=_body(harbor)).status_code == 200
    assert _problem(harbor.client.post("/v1/sign-in", json=_body(harbor))) == WRONG
    _later(harbor, 30 * 86400 + 1)
    assert _problem(browser.post("/v1/sign-in", json=_body(harbor))) == WRONG


def test_trust_is_of_one_person_and_no_way_in_by_itself(
    harbor: Harbor, browser: httpx.Client
) -> None:
    _trusted(harbor, browser)
    _enrolled(harbor, "editor")

    assert _problem(browser.post("/v1/sign-in", json=_body(harbor, "editor"))) == WRONG
    secret = browser.cookies["harbor_device"]
    bearer = {"authorization": f"Bearer {secret}"}
    assert _problem(harbor.client.get("/v1/me", headers=bearer)) == (401, "HBR-704")
    assert "device" not in harbor.client.get("/_sandbox/state").json()


def test_a_workspace_can_allow_no_trusted_devices(harbor: Harbor, browser: httpx.Client) -> None:
    _trusted(harbor, browser)
    wanted = {"required": False, "grace_days": 7, "trusted_devices": False}
    harbor.call("PUT", "/v1/mfa", json=wanted).raise_for_status()

    assert _problem(browser.post("/v1/sign-in", json=_body(harbor))) == WRONG
    kept = harbor.call("PUT", "/v1/mfa", json={"required": True, "grace_days": 9}).json()
    assert kept == {"required": True, "grace_days": 9, "trusted_devices": False}


def test_a_reset_forgets_trusted_devices(harbor: Harbor, browser: httpx.Client) -> None:
    _trusted(harbor, browser)
    admin = harbor.session["members"]["admin"]
    harbor.call("POST", f"/v1/members/{admin}/mfa/reset").raise_for_status()
    _enrolled(harbor)

    assert _problem(browser.post("/v1/sign-in", json=_body(harbor))) == WRONG


# --- what is required ---------------------------------------------------------------------------


def _require(harbor: Harbor, **body: Any) -> None:
    harbor.call("PUT", "/v1/mfa", json={"required": True, **body}).raise_for_status()


def test_after_the_grace_nothing_but_enrolment_is_open(
    harbor: Harbor, browser: httpx.Client
) -> None:
    _require(harbor, grace_days=3)
    due = harbor.call("GET", "/v1/me", "viewer").json()["mfa_due"]
    assert due is not None
    assert harbor.call("GET", "/v1/dashboards", "viewer").status_code == 200

    _later(harbor, 3 * 86400 + 1)
    assert _problem(harbor.call("GET", "/v1/dashboards", "viewer")) == OVERDUE
    assert _problem(harbor.call("POST", "/v1/me/token", "viewer")) == OVERDUE
    assert browser.post("/v1/sign-in", json=_body(harbor, "viewer")).status_code == 200
    assert _problem(browser.get("/v1/workspace")) == OVERDUE
    assert browser.get("/v1/me").json()["mfa_due"] == due
    _enrolled(harbor, "viewer")
    assert browser.get("/v1/workspace").status_code == 200
    assert browser.get("/v1/me").json()["mfa_due"] is None


def test_sources_are_not_talked_to_either(harbor: Harbor) -> None:
    body = {"kind": "stripe", "credentials": {"restricted_key": "rk_live_1"}}
    made = harbor.call("POST", "/v1/connections", json=body).json()["id"]
    _require(harbor, grace_days=0)

    assert _problem(harbor.call("POST", f"/v1/connections/{made}/check")) == OVERDUE


def test_keys_are_no_people(harbor: Harbor) -> None:
    key = {"name": "etl", "scopes": ["data:read"]}
    token = harbor.call("POST", "/v1/api-keys", json=key).json()["key"]
    _require(harbor, grace_days=0)

    bearer = {"authorization": f"Bearer {token}"}
    assert harbor.client.get("/v1/connections", headers=bearer).status_code == 200


def test_whoever_joins_later_has_the_grace_from_then_on(harbor: Harbor) -> None:
    link = harbor.call("POST", "/v1/invite-links", json={"role": "viewer"}).json()["token"]
    _require(harbor, grace_days=2)
    _later(harbor, 2 * 86400 - 3600)
    joins = {"token": link, "name": "Al", "password": "a long enough one", "email": "al@x.example"}
    harbor.client.post("/v1/invites/accept", json=joins).raise_for_status()
    login = {"email": "al@x.example", "password": "a long enough one"}
    _later(harbor, 7200)
    token = harbor.client.post("/v1/tokens", json=login).json()["token"]
    bearer = {"authorization": f"Bearer {token}"}

    assert _problem(harbor.call("GET", "/v1/workspace", "viewer")) == OVERDUE
    assert harbor.client.get("/v1/workspace", headers=bearer).status_code == 200
    _later(harbor, 2 * 86400)
    token = harbor.client.post("/v1/tokens", json=login).json()["token"]
    bearer = {"authorization": f"Bearer {token}"}
    assert _problem(harbor.client.get("/v1/workspace", headers=bearer)) == OVERDUE


def test_a_longer_grace_counts_from_the_requirement_and_none_frees_everybody(
    harbor: Harbor,
) -> None:
    _enrolled(harbor, "owner")
    _require(harbor, grace_days=1)
    first = harbor.call("GET", "/v1/me", "viewer").json()["mfa_due"]
    _later(harbor, 86400 + 1)
    assert _problem(harbor.call("GET", "/v1/workspace", "viewer")) == OVERDUE
    _require(harbor, grace_days=2)
    then = harbor.call("GET", "/v1/me", "viewer").json()["mfa_due"]
    assert (datetime.fromisoformat(then) - datetime.fromisoformat(first)).days == 1
    assert harbor.call("GET", "/v1/workspace", "viewer").status_code == 200
    _later(harbor, 86400)
    harbor.call("PUT", "/v1/mfa", json={"required": False}).raise_for_status()
    assert harbor.call("GET", "/v1/workspace", "viewer").status_code == 200


def test_required_single_sign_on_stops_all_passwords_but_the_owners(harbor: Harbor) -> None:
    domain = harbor.call("POST", "/v1/domains", json={"domain": "x.example"}).json()
    record = {"name": "x.example", "txt": domain["record"]}
    harbor.client.put("/_sandbox/dns", json=record).raise_for_status()
    harbor.call("POST", f"/v1/domains/{domain['id']}/verify").raise_for_status()
    oidc = {"issuer": "https://login.x.example", "client_id": "c", "client_secret": "12345678"}
    harbor.call("PUT", "/v1/sso/oidc", json=oidc).raise_for_status()
    harbor.call("POST", "/v1/sso/test").raise_for_status()
    assert harbor.client.post("/v1/tokens", json=_body(harbor)).status_code == 201
    harbor.call("PUT", "/v1/sso/required", json={"required": True}).raise_for_status()

    for path in ("/v1/sign-in", "/v1/tokens"):
        assert _problem(harbor.client.post(path, json=_body(harbor))) == (403, "forbidden")
        assert harbor.client.post(path, json=_body(harbor, "owner")).is_success
    harbor.client.cookies.clear()
    assert harbor.call("GET", "/v1/me", "admin").status_code == 200
    _later(harbor, 10 * 60 + 1)  # nobody confirmed it, so that it went back
    assert harbor.client.post("/v1/tokens", json=_body(harbor)).status_code == 201


def test_a_requirement_is_in_the_file_and_survives_a_restart(tmp_path: Path) -> None:
    with running_harbor(tmp_path) as harbor:
        secret, _codes = _enrolled(harbor)
        _require(harbor, grace_days=0)
        harbor.kill()
    (tmp_path / "demo.json").unlink()
    with running_harbor(tmp_path) as harbor:
        assert _problem(harbor.call("GET", "/v1/workspace", "viewer")) == OVERDUE
        assert harbor.call("GET", "/v1/workspace", "admin").status_code == 200
        body = _body(harbor, code=_code(harbor, secret))
        assert harbor.client.post("/v1/tokens", json=body).status_code == 201
