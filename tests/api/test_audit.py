"""Staff read nothing of others that is not written down first; the whole API is walked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guardrails.audit import What
from tests.agent.acting_floor import TENANT
from tests.api.privacy import Kept, kept

OF_ANA = ('"ana"', "lamp", "shade")
"""What stands in whatever is hers: her reference, and the names that she gave."""
BODIES: dict[tuple[str, str], Any] = {
    ("put", "/v1/subjects/{subject}/consents"): {
        "textVersion": "c-1",
        "said": [{"purpose": "training", "given": True}],
    },
    ("put", "/v1/subjects/{subject}/hold"): {"reason": "case-7"},
    ("post", "/v1/actions/{action_id}/resolve"): {"outcome": "failed", "note": "seen"},
}
LAST = ("delete", "/v1/subjects/{subject}")


class Named(dict[str, str]):
    """Of what a route takes; whatever is none of Ana's has some name."""

    def __missing__(self, key: str) -> str:
        return "x"


class Call(NamedTuple):
    method: str
    path: str
    url: str
    body: Any


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Kept]:
    async with kept(tmp_path) as opened:
        await opened.used()
        yield opened


async def calls(house: Kept) -> list[Call]:
    """Every operation of the document on what is Ana's; what erases her comes last."""
    pending = [a for a in await house.stage.actions() if a.state.value == "pending"]
    shade = pending[0]
    asked = {"textVersion": "c-1", "said": [{"purpose": "marketing", "given": False}]}
    await house.call("PUT", "/v1/me/consents", body=asked)
    await house.call("PUT", "/v1/subjects/ana/hold", "sam", {"reason": "case-1"})
    assert (await house.call("DELETE", "/v1/subjects/zoe", "sam")).status_code == 200
    (erased,) = [e for e in await house.audit.page(TENANT) if e.note.what is What.ERASE_SUBJECT]
    assert erased.note.whom != "zoe"
    names = Named(
        {
            "subject": "ana",
            "action_id": shade.id,
            "receipt_id": "rcpt_1",
            "thread_id": "t1",
            "chunk_id": "guides/invite%231",
            "path": "guides/invite.md",
            "erasure_id": "A" * 22,
        }
    )
    word = {"digest": shade.digest, "decision": "approve"}
    decision = ("post", "/v1/approvals/{action_id}/decision")
    found = [
        Call(method, path, path.format_map(names), {**BODIES, decision: word}.get((method, path)))
        for path, operations in house.app.openapi()["paths"].items()
        for method in operations
    ]
    return sorted(found, key=_in_order)


def _in_order(call: Call) -> tuple[bool, bool, bool, str]:
    """What is read, then what a card that is open allows, then what closes it; erasing last."""
    deciding = call.path.endswith("/decision")
    return call[:2] == LAST, call.method != "get", not deciding, call.path


def hers(text: str) -> bool:
    return any(word in text for word in OF_ANA)


async def test_every_answer_that_is_of_others_was_written_down(house: Kept) -> None:
    showed = set()
    for call in await calls(house):
        before = await house.rows()
        answer = await house.call(call.method, call.url, "sam", call.body)
        new = (await house.rows())[len(before) :]
        if answer.is_success and hers(answer.text):
            showed.add(call.path)
            assert [row for row in new if row[0] == "sam"], f"{call.method} {call.path}"
        assert answer.status_code != 500, call
    assert showed >= {
        "/v1/actions/{action_id}",
        "/v1/approvals",
        "/v1/approvals/{action_id}",
        "/v1/approvals/{action_id}/decision",
        "/v1/audit",
        "/v1/decisions",
        "/v1/decisions/export",
        "/v1/holds",
        "/v1/receipts/{receipt_id}",
        "/v1/subjects/{subject}/consents",
        "/v1/subjects/{subject}/export",
        "/v1/subjects/{subject}/hold",
    }


async def test_what_cannot_be_written_down_is_not_shown(house: Kept) -> None:
    every = await calls(house)
    house.audit.away = True
    refused = set()
    for call in every:
        answer = await house.call(call.method, call.url, "sam", call.body)
        assert not hers(answer.text), f"{call.method} {call.path}: {answer.text}"
        if answer.status_code == 503:
            refused.add(call.path)
    assert refused >= {
        "/v1/actions/{action_id}",
        "/v1/actions/{action_id}/cancel",
        "/v1/approvals",
        "/v1/approvals/{action_id}",
        "/v1/approvals/{action_id}/decision",
        "/v1/audit",
        "/v1/decisions",
        "/v1/decisions/export",
        "/v1/receipts",
        "/v1/receipts/{receipt_id}",
        "/v1/receipts/{receipt_id}/jws",
        "/v1/subjects/{subject}",
        "/v1/subjects/{subject}/consents",
        "/v1/subjects/{subject}/export",
        "/v1/subjects/{subject}/hold",
    }
    (action,) = [a for a in await house.stage.actions() if a.state.value == "pending"]
    assert action.call.arguments["name"] == "shade"  # nobody decided it


async def test_the_rows_say_who_what_whom_and_by_which_way(house: Kept) -> None:
    await house.call("GET", "/v1/subjects/ana/export", "sam", **{"x-request-id": "req-9"})
    (entry,) = (await house.call("GET", "/v1/audit?what=export_subject", "sam")).json()["entries"]
    assert entry == {
        "seq": entry["seq"],
        "at": house.clock().isoformat().replace("+00:00", "Z"),
        "who": "sam",
        "what": "export_subject",
        "whom": "ana",
        "route": "GET /v1/subjects/{subject}/export",
        "requestId": "req-9",
    }


async def test_a_strange_request_id_is_replaced(house: Kept) -> None:
    await house.call("GET", "/v1/decisions", "sam", **{"x-request-id": "a b"})
    newest = (await house.audit.page(TENANT))[0].note
    assert newest.request_id not in {"", "a b"}


async def test_pages_of_the_log(house: Kept) -> None:
    for _ in range(3):
        await house.call("GET", "/v1/decisions?subject=ana", "sam")
    path = "/v1/audit?whom=ana&what=read_decisions&limit=2"
    first = (await house.call("GET", path, "sam")).json()
    assert (len(first["entries"]), first["more"]) == (2, True)
    last = first["entries"][-1]["seq"]
    second = (await house.call("GET", f"{path}&before={last}", "sam")).json()
    assert (len(second["entries"]), second["more"]) == (1, False)


@pytest.mark.parametrize(("who", "status"), [("ana", 404), ("", 401), ("bo", 404)])
async def test_the_log_is_for_staff(house: Kept, who: str, status: int) -> None:
    assert (await house.call("GET", "/v1/audit", who)).status_code == status


async def test_what_people_read_of_themselves_is_no_row(house: Kept) -> None:
    before = await house.rows()
    for path in ("/v1/actions", "/v1/approvals", "/v1/receipts", "/v1/me/consents"):
        assert (await house.call("GET", path)).is_success
    assert await house.rows() == before


async def test_a_copy_and_an_erasure_of_ones_own_are_rows(house: Kept) -> None:
    assert (await house.call("GET", "/v1/me/export")).is_success
    assert (await house.rows())[-1] == ("self", "export_subject", "ana")
    assert (await house.call("DELETE", "/v1/me")).is_success
    *_, copied, erased = await house.rows()
    assert (copied[:2], erased[:2]) == (("self", "export_subject"), ("self", "erase_subject"))
    assert str(copied[2]).startswith("erased.")
    assert "ana" not in [name for row in await house.rows() for name in row]


async def test_every_decision_on_a_card_is_a_row(house: Kept) -> None:
    approvals = [row for row in await house.rows() if row[1] == "approval"]
    assert approvals == []  # of the conversation's own desk: it has no log in this house
    (card,) = (await house.call("GET", "/v1/approvals")).json()["approvals"]
    word = {"digest": card["digest"], "decision": "approve"}
    done = await house.call("POST", f"/v1/approvals/{card['actionId']}/decision", body=word)
    assert done.is_success, done.text
    assert (await house.rows())[-1] == ("ana", "approval", "ana")
    newest = (await house.audit.page(TENANT))[0].note
    assert (newest.route, newest.request_id) == ("approve by api", card["actionId"])


async def test_no_word_is_taken_that_is_not_written_down(house: Kept) -> None:
    (card,) = (await house.call("GET", "/v1/approvals")).json()["approvals"]
    house.audit.away = True
    for verdict in ("approve", "deny"):
        word = {"digest": card["digest"], "decision": verdict}
        path = f"/v1/approvals/{card['actionId']}/decision"
        assert (await house.call("POST", path, body=word)).status_code == 503
    (shown,) = (await house.call("GET", "/v1/approvals")).json()["approvals"]
    assert shown["status"] == "pending"


async def test_who_is_erased_is_not_named_in_the_log(house: Kept) -> None:
    for path in ("/v1/subjects/ana/export", "/v1/subjects/ana/consents"):
        await house.call("GET", path, "sam")
    assert (await house.call("DELETE", "/v1/me")).is_success
    rows = [row for row in await house.rows() if row[0] == "sam"]
    assert [row[1] for row in rows] == ["export_subject", "read_consents"]
    assert all(str(row[2]).startswith("erased.") for row in rows)


async def test_the_copy_says_who_looked(house: Kept) -> None:
    await house.call("GET", "/v1/subjects/ana/export", "sam")
    lines = [json.loads(line) for line in (await house.call("GET", "/v1/me/export")).iter_lines()]
    seen = [line for line in lines if line.get("store") == "audit"]
    assert [(line["who"], line["what"]) for line in seen] == [
        ("self", "export_subject"),  # this one
        ("sam", "export_subject"),
    ]
