"""Harbor over its socket: who may do what, keys, versions, invites, faults, and what it counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


INVITE = {"email": "zoe@x.example", "role": "viewer"}


def _code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_person_signs_in_and_is_told_who_they_are(harbor: Harbor) -> None:
    body = {"email": harbor.session["emails"]["admin"], "password": harbor.session["password"]}
    token = harbor.client.post("/v1/tokens", json=body).json()["token"]
    me = harbor.client.get("/v1/me", headers={"authorization": f"Bearer {token}"}).json()

    assert (me["role"], me["plan"], me["email_domain"]) == (
        "admin", "enterprise", "brightline.example",
    )  # fmt: skip
    assert "security.manage" in me["permissions"]
    assert "workspace.manage" not in me["permissions"]


def test_a_wrong_password_and_a_made_up_token_are_refused(harbor: Harbor) -> None:
    body = {"email": "ada@brightline.example", "password": "not this one"}
    assert _code(harbor.client.post("/v1/tokens", json=body)) == (401, "unauthenticated")
    bad = {"authorization": "Bearer hbr_usr_made_up"}
    assert _code(harbor.client.get("/v1/me", headers=bad)) == (401, "HBR-704")
    assert _code(harbor.client.get("/v1/me")) == (401, "unauthenticated")


STALE = ({"cookie": "harbor_session=hbr_ses_gone"}, {"authorization": "Bearer hbr_usr_gone"})


@pytest.mark.parametrize("stale", STALE)
def test_what_is_left_of_an_old_session_stops_nobody_from_signing_in(
    harbor: Harbor, stale: dict[str, str]
) -> None:
    known = {"email": harbor.session["emails"]["admin"], "password": harbor.session["password"]}
    new = {"email": "zoe@x.example", "password": "a long enough one", "name": "Z", "workspace": "X"}
    wrong = {"token": "made-up", "name": "Z", "password": "a long enough one"}
    with httpx.Client(base_url=harbor.base_url, headers=stale) as client:
        assert client.get("/v1/me").json()["code"] == "HBR-704"
        assert client.post("/v1/tokens", json=known).status_code == 201
        assert client.post("/v1/sign-up", json=new).status_code == 201
        assert client.post("/v1/invites/accept", json=wrong).json()["code"] == "HBR-501"
        signed = client.post("/v1/sign-in", json=known)
        assert signed.status_code == 200
        assert signed.headers["set-cookie"].startswith("harbor_session=hbr_ses_")


def test_a_token_that_ran_out_stops_nobody_from_signing_in(harbor: Harbor) -> None:
    harbor.ahead(days=8)
    old = {"authorization": f"Bearer {harbor.session['token']}"}
    body = {"email": harbor.session["emails"]["owner"], "password": harbor.session["password"]}

    assert _code(harbor.client.get("/v1/me", headers=old)) == (401, "HBR-704")
    assert harbor.client.post("/v1/tokens", json=body, headers=old).status_code == 201


@pytest.mark.parametrize(
    ("role", "method", "path", "body", "allowed"),
    [
        ("viewer", "POST", "/v1/invites", INVITE, False),
        ("editor", "POST", "/v1/invites", INVITE, False),
        ("admin", "POST", "/v1/invites", INVITE, True),
        ("admin", "POST", "/v1/invites", {**INVITE, "role": "billing"}, False),
        ("owner", "POST", "/v1/invites", {**INVITE, "role": "billing"}, True),
        ("viewer", "POST", "/v1/dashboards", {"name": "A"}, False),
        ("editor", "POST", "/v1/dashboards", {"name": "A"}, True),
        ("editor", "PUT", "/v1/mfa", {"required": True}, False),
        ("admin", "PUT", "/v1/mfa", {"required": True}, True),
        ("admin", "PATCH", "/v1/workspace", {"name": "B"}, False),
        ("owner", "PATCH", "/v1/workspace", {"name": "B"}, True),
        ("editor", "GET", "/v1/billing", None, False),
        ("billing", "GET", "/v1/billing", None, True),
        ("billing", "GET", "/v1/dashboards", None, False),
    ],
)
def test_a_role_may_do_what_the_facts_say(
    harbor: Harbor, role: str, method: str, path: str, body: object, allowed: bool
) -> None:
    answer = harbor.call(method, path, role, json=body)

    assert answer.is_success if allowed else answer.status_code == 403, answer.text


def test_the_same_key_is_one_effect_and_another_body_under_it_is_refused(harbor: Harbor) -> None:
    key = {"idempotency-key": "k-1"}
    first = harbor.call("POST", "/v1/dashboards", json={"name": "A"}, headers=key)
    again = harbor.call("POST", "/v1/dashboards", json={"name": "A"}, headers=key)
    other = harbor.call("POST", "/v1/dashboards", json={"name": "B"}, headers=key)

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert _code(other) == (422, "HBR-702")
    assert len(harbor.effects()["create_dashboard"]) == 1
    harbor.ahead(hours=25)
    harbor.sign_in()
    late = harbor.call("POST", "/v1/dashboards", json={"name": "A"}, headers=key)
    assert late.json()["id"] != first.json()["id"], "a key is kept for a day"


def test_a_change_needs_the_version_that_was_read(harbor: Harbor) -> None:
    made = harbor.call("POST", "/v1/dashboards", json={"name": "A"})
    path = f"/v1/dashboards/{made.json()['id']}"

    assert _code(harbor.call("PATCH", path, json={"name": "B"})) == (428, "HBR-705")
    old = {"if-match": made.headers["etag"]}
    assert harbor.call("PATCH", path, json={"name": "B"}, headers=old).status_code == 200
    assert _code(harbor.call("PATCH", path, json={"name": "C"}, headers=old)) == (412, "HBR-701")
    before = {"harbor-version": "2026.1"}
    assert harbor.call("PATCH", path, json={"name": "D"}, headers=before).status_code == 200


def test_invites_keep_their_rules(harbor: Harbor) -> None:
    one = harbor.call("POST", "/v1/invites", json=INVITE)
    again = harbor.call("POST", "/v1/invites", json=INVITE)
    assert one.json()["id"] == again.json()["id"]
    member = {"email": "ada@brightline.example", "role": "viewer"}
    assert _code(harbor.call("POST", "/v1/invites", json=member)) == (409, "HBR-504")
    many = {"emails": [f"p{n}@x.example" for n in range(51)], "role": "viewer"}
    assert _code(harbor.call("POST", "/v1/invites/bulk", json=many)) == (422, "HBR-505")
    path = f"/v1/invites/{one.json()['id']}"
    for _ in range(3):
        assert harbor.call("POST", path + "/resend").status_code == 200
    assert harbor.call("POST", path + "/resend").status_code == 409
    assert harbor.call("DELETE", path).json()["state"] == "revoked"
    assert _code(harbor.call("POST", path + "/resend")) == (410, "HBR-501")
    assert harbor.call("POST", "/v1/invites", json=INVITE).json()["id"] != one.json()["id"]


def test_who_accepts_an_invite_becomes_a_member(harbor: Harbor) -> None:
    link = harbor.call("POST", "/v1/invite-links", json={"role": "viewer", "max_uses": 1}).json()
    joins = {"token": link["token"], "name": "Zoe", "password": "a long enough one",
             "email": "zoe@x.example"}  # fmt: skip
    assert harbor.client.post("/v1/invites/accept", json=joins).status_code == 201
    roles = {m["email"]: m["role"] for m in harbor.call("GET", "/v1/members").json()["items"]}
    assert roles["zoe@x.example"] == "viewer"
    late = {**joins, "email": "late@x.example"}
    assert _code(harbor.client.post("/v1/invites/accept", json=late)) == (410, "HBR-501")


@pytest.mark.parametrize(
    ("fault", "status", "effects"), [("429", 429, 0), ("403", 403, 0), ("500", 500, 0)]
)
def test_a_refusing_fault_has_no_effect(
    harbor: Harbor, fault: str, status: int, effects: int
) -> None:
    harbor.fault("create_invite", fault, retry_after=7)
    answer = harbor.call("POST", "/v1/invites", json=INVITE)

    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("7" if fault == "429" else None)
    assert len(harbor.effects().get("create_invite", {})) == effects
    assert harbor.call("POST", "/v1/invites", json=INVITE).status_code == 201


@pytest.mark.parametrize(("fault", "effects"), [("drop_before", 0), ("drop_after_effect", 1)])
def test_a_dropped_connection_answers_nothing(harbor: Harbor, fault: str, effects: int) -> None:
    harbor.fault("create_invite", fault)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):  # closed, or reset
        harbor.call("POST", "/v1/invites", json=INVITE)

    assert len(harbor.effects().get("create_invite", {})) == effects


def test_an_api_key_does_what_its_scopes_say_until_it_is_revoked(harbor: Harbor) -> None:
    body = {"name": "etl", "scopes": ["dashboards:read"]}
    made = harbor.call("POST", "/v1/api-keys", json=body).json()
    bearer = {"authorization": f"Bearer {made['key']}"}

    assert harbor.client.get("/v1/dashboards", headers=bearer).status_code == 200
    new = harbor.client.post("/v1/dashboards", headers=bearer, json={"name": "A"})
    assert _code(new) == (403, "HBR-703")
    assert harbor.call("DELETE", f"/v1/api-keys/{made['id']}").status_code == 200
    assert _code(harbor.client.get("/v1/dashboards", headers=bearer)) == (401, "HBR-704")


def test_single_sign_on_wants_a_domain_and_goes_back_when_asked(harbor: Harbor) -> None:
    oidc = {"issuer": "https://login.x.example", "client_id": "c", "client_secret": "12345678"}
    assert _code(harbor.call("PUT", "/v1/sso/oidc", json=oidc)) == (403, "HBR-604")
    domain = harbor.call("POST", "/v1/domains", json={"domain": "x.example"}).json()
    path = f"/v1/domains/{domain['id']}/verify"
    assert _code(harbor.call("POST", path)) == (403, "HBR-604")
    record = {"name": "x.example", "txt": domain["record"]}
    harbor.client.put("/_sandbox/dns", json=record).raise_for_status()
    assert harbor.call("POST", path).json()["state"] == "verified"
    changed = harbor.call("PUT", "/v1/sso/oidc", json=oidc).json()
    assert "client_secret" not in changed
    assert harbor.call("POST", "/v1/sso/restore").json()["kind"] == "none"


def test_the_document_names_every_operation_once_and_what_it_takes(harbor: Harbor) -> None:
    document = harbor.client.get("/openapi.json").json()
    operations = [o for path in document["paths"].values() for o in path.values()]
    names = [operation["operationId"] for operation in operations]

    assert document["openapi"] == "3.1.0"
    assert len(names) == len(set(names)) > 80
    keyed = {o["operationId"] for o in operations if o["x-idempotent"]}
    assert {"create_connection", "start_import", "create_dashboard"} <= keyed
    assert not {"resend_invite", "test_alert", "reset_member_mfa"} & keyed
    assert not any("_sandbox" in path for path in document["paths"])


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with running_harbor(tmp_path) as harbor:
        harbor.call("POST", "/v1/dashboards", json={"name": "A"}).raise_for_status()
    (tmp_path / "demo.json").unlink()
    with running_harbor(tmp_path) as harbor:
        found = harbor.call("GET", "/v1/dashboards").json()["items"]
    assert [dashboard["name"] for dashboard in found] == ["A"]
