"""Receipts over HTTP: everybody's own, the tenant's for staff, and keys that verify them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Header
from joserfc import jws
from joserfc.jwk import KeySet

from api.errors import install
from api.receipts import ReceiptDesk, router
from guardrails.audit.memory import MemoryAudit
from tests.tools.journal.making import ADA, BOB, EVE, Hands, new, succeeded
from tools.journal_memory import MemoryJournal
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.types import Actor

PEOPLE = {"ada": ADA, "bob": BOB, "eve": EVE, "staff": ADA._replace(subject="sam")}


async def caller(x_test_user: str = Header()) -> Actor:
    return Actor(PEOPLE[x_test_user], frozenset(), staff=x_test_user == "staff")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    hands = Hands()
    ring = KeyRing.open(tmp_path / "keys", hands.at)
    journal = MemoryJournal(JwsSealer(ring, hands), hands)
    await succeeded(journal, new(who=ADA))
    await succeeded(journal, new(who=EVE))
    await succeeded(journal, new(who=ADA))
    app = FastAPI()
    install(app)
    app.include_router(router(ReceiptDesk(journal, ring, caller, MemoryAudit(hands))))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def get(client: httpx.AsyncClient, user: str, path: str) -> httpx.Response:
    return await client.get(path, headers={"x-test-user": user})


async def test_the_list_is_ones_own(client: httpx.AsyncClient) -> None:
    found = (await get(client, "ada", "/v1/receipts")).json()
    assert [line["id"] for line in found["receipts"]] == ["rcpt_1", "rcpt_2"]
    assert found["more"] is False
    assert set(found["receipts"][0]) == {"id", "seq", "actionId", "tool", "outcome", "at"}
    assert (await get(client, "bob", "/v1/receipts")).json() == {"receipts": [], "more": False}
    of_eve = (await get(client, "eve", "/v1/receipts")).json()["receipts"]
    assert [line["seq"] for line in of_eve] == [1]  # of another tenant


async def test_staff_see_the_tenants_chain_in_pages(client: httpx.AsyncClient) -> None:
    first = (await get(client, "staff", "/v1/receipts?limit=1")).json()
    assert ([line["seq"] for line in first["receipts"]], first["more"]) == ([1], True)
    second = (await get(client, "staff", "/v1/receipts?limit=1&after=1")).json()
    assert ([line["seq"] for line in second["receipts"]], second["more"]) == ([2], False)


async def test_one_receipt_says_what_was_done(client: httpx.AsyncClient) -> None:
    found = (await get(client, "ada", "/v1/receipts/rcpt_1")).json()
    assert (found["title"], found["outcome"]) == ("Invite people", "succeeded")
    assert (found["approvedBy"], found["effectRef"]) == (["ada"], "inv_1")
    assert found["canUndo"] is True
    assert found["undo"].startswith("The invitation is withdrawn")


async def test_those_of_others_and_those_that_are_not_there_look_the_same(
    client: httpx.AsyncClient,
) -> None:
    refused = [
        await get(client, user, f"/v1/receipts/{name}{kind}")
        for user, name in (("bob", "rcpt_1"), ("ada", "rcpt_9"), ("eve", "rcpt_2"))
        for kind in ("", "/jws")
    ]
    assert {response.status_code for response in refused} == {404}
    assert len({response.text for response in refused}) == 1
    assert (await get(client, "staff", "/v1/receipts/rcpt_2")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/rcpt_0", "/1", "/rcpt_1x", "?limit=0", "?limit=501", "?after=-1"]
)
async def test_what_is_no_receipt_is_a_mistake(client: httpx.AsyncClient, path: str) -> None:
    assert (await get(client, "ada", f"/v1/receipts{path}")).status_code == 422


async def test_the_original_verifies_with_the_published_keys(client: httpx.AsyncClient) -> None:
    original = await get(client, "ada", "/v1/receipts/rcpt_2/jws")
    assert original.headers["content-type"] == "application/jose"
    published = await client.get("/.well-known/jwks.json")
    assert published.headers["content-type"] == "application/jwk-set+json"
    assert published.headers["cache-control"] == "public, max-age=300"
    assert '"d"' not in published.text
    keys = KeySet.import_key_set(published.json())
    verified = jws.deserialize_compact(original.text, keys, algorithms=["Ed25519"])
    assert json.loads(verified.payload)["seq"] == 2
