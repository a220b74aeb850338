"""An identity provider makes, changes and deactivates members over SCIM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harbor.running import Harbor, running_harbor

USERS = "/scim/v2/Users"
ANA = {"userName": "Ana@Brightline.example", "externalId": "okta-1",
       "name": {"givenName": "Ana", "familyName": "de Souza"}}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(running: Harbor) -> Harbor:
    running.reset()
    return running


@pytest.fixture
def provider(harbor: Harbor) -> Iterator[httpx.Client]:
    """Calls with a SCIM token, in SCIM's media type."""
    token = harbor.call("POST", "/v1/scim-tokens").json()["token"]
    headers = {"authorization": f"Bearer {token}", "content-type": "application/scim+json"}
    with httpx.Client(base_url=harbor.base_url, headers=headers, timeout=20) as client:
        yield client


def _patch(provider: httpx.Client, user: str, *operations: dict[str, Any]) -> httpx.Response:
    schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
    body = {"schemas": [schema], "Operations": operations}
    return provider.patch(f"{USERS}/{user}", json=body)


def _member(harbor: Harbor, role: str) -> str:
    return str(harbor.session["members"][role])


def _seats(harbor: Harbor) -> int:
    return int(harbor.call("GET", "/v1/billing").json()["paid_seats"])


def _works(harbor: Harbor, role: str) -> bool:
    return harbor.call("GET", "/v1/me", role).status_code == 200


def test_a_person_is_made_found_and_read(harbor: Harbor, provider: httpx.Client) -> None:
    made = provider.post(USERS, json=ANA)
    assert made.status_code == 201, made.text
    user = made.json()

    assert (user["userName"], user["displayName"], user["active"]) == (
        "ana@brightline.example", "Ana de Souza", True,
    )  # fmt: skip
    assert user["name"] == {"givenName": "Ana", "familyName": "de Souza"}
    query = {"filter": 'userName eq "ANA@brightline.example"'}
    found = provider.get(USERS, params=query).json()
    assert [each["id"] for each in found["Resources"]] == [user["id"]]
    assert provider.get(f"{USERS}/{user['id']}").json() == user
    assert provider.get(USERS).json()["totalResults"] == 6
    members = {m["id"]: m["role"] for m in harbor.call("GET", "/v1/members").json()["items"]}
    assert members[user["id"]] == "viewer"
    assert provider.get(USERS, params={"filter": "title co 1"}).status_code == 422


def test_a_member_who_is_there_is_linked_once(harbor: Harbor, provider: httpx.Client) -> None:
    body = {"userName": harbor.session["emails"]["editor"], "externalId": "okta-7"}
    first, again = (provider.post(USERS, json=body) for _ in range(2))
    assert first.json()["id"] == again.json()["id"] == _member(harbor, "editor")
    other = provider.post(USERS, json={**body, "externalId": "entra-7"})

    assert (other.status_code, other.json()["code"]) == (409, "HBR-606")
    role = harbor.call("GET", f"/v1/members/{_member(harbor, 'editor')}").json()["role"]
    assert role == "editor"


@pytest.mark.parametrize(
    ("off", "on"),
    [
        ({"op": "replace", "value": {"active": False}},
         {"op": "replace", "value": {"active": True}}),
        ({"op": "Replace", "path": "active", "value": "False"},
         {"op": "Add", "path": "active", "value": "True"}),
    ],
    ids=["okta", "entra"],
)  # fmt: skip
def test_a_deactivated_member_is_out_and_comes_back_as_before(
    harbor: Harbor, provider: httpx.Client, off: dict[str, Any], on: dict[str, Any]
) -> None:
    editor, seats = _member(harbor, "editor"), _seats(harbor)
    assert _patch(provider, editor, off).json()["active"] is False

    assert not _works(harbor, "editor")
    body = {"email": harbor.session["emails"]["editor"], "password": harbor.session["password"]}
    assert harbor.client.post("/v1/tokens", json=body).status_code == 401
    assert _seats(harbor) == seats - 1
    shown = harbor.call("GET", f"/v1/members/{editor}").json()
    assert (shown["active"], shown["role"]) == (False, "editor")
    assert _patch(provider, editor, on).json()["active"] is True
    harbor.sign_in("editor")
    assert _works(harbor, "editor")
    assert _seats(harbor) == seats


def test_names_and_addresses_change(harbor: Harbor, provider: httpx.Client) -> None:
    editor = _member(harbor, "editor")
    changed = _patch(
        provider, editor,
        {"op": "replace", "path": "name.familyName", "value": "Sand"},
        {"op": "replace", "value": {"userName": "Eli.Sand@brightline.example", "title": "Lead"}},
    ).json()  # fmt: skip

    assert (changed["displayName"], changed["userName"]) == (
        "Eli Sand", "eli.sand@brightline.example",
    )  # fmt: skip
    body = {"email": changed["userName"], "password": harbor.session["password"]}
    assert harbor.client.post("/v1/tokens", json=body).status_code == 201
    taken = {"op": "replace", "path": "userName", "value": harbor.session["emails"]["admin"]}
    assert _patch(provider, editor, taken).status_code == 409


@pytest.mark.parametrize(
    ("operation", "status"),
    [({"op": "remove", "path": "active"}, 422), ({"op": "replace", "value": "x"}, 422),
     ({"op": "replace", "path": "active", "value": "perhaps"}, 422),
     ({"op": "replace", "path": "userName", "value": "no address"}, 422)],
)  # fmt: skip
def test_what_cannot_be_understood_changes_nothing(
    harbor: Harbor, provider: httpx.Client, operation: dict[str, Any], status: int
) -> None:
    before = provider.get(f"{USERS}/{_member(harbor, 'editor')}").json()
    rename = {"op": "replace", "path": "displayName", "value": "Somebody"}
    answer = _patch(provider, _member(harbor, "editor"), rename, operation)

    assert answer.status_code == status
    assert provider.get(f"{USERS}/{before['id']}").json() == before


def test_the_owner_is_never_changed(harbor: Harbor, provider: httpx.Client) -> None:
    off = {"op": "replace", "value": {"active": False}}
    assert _patch(provider, _member(harbor, "owner"), off).status_code == 403
    assert _works(harbor, "owner")


def test_only_a_good_token_opens_it(harbor: Harbor, provider: httpx.Client) -> None:
    token = harbor.call("GET", "/v1/scim-tokens").json()["items"][0]["id"]
    assert provider.get(USERS).status_code == 200
    assert harbor.call("GET", USERS).json()["code"] == "HBR-605", "a person's token is none"
    assert provider.get("/v1/members").status_code == 401
    harbor.ahead(days=366)
    assert provider.get(USERS).json()["code"] == "HBR-605"
    harbor.ahead(days=0)
    harbor.call("DELETE", f"/v1/scim-tokens/{token}").raise_for_status()
    assert provider.get(USERS).json()["code"] == "HBR-605"


def test_more_than_ten_requests_a_second_are_refused(
    harbor: Harbor, provider: httpx.Client
) -> None:
    answers = [provider.get(f"{USERS}/{_member(harbor, 'admin')}") for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert refused
    assert {answer.json()["code"] for answer in refused} == {"HBR-303"}
    assert refused[0].headers["retry-after"] == "1"
