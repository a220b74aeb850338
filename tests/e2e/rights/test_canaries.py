"""Five hundred values that only their owners may read go in through every door; the bytes of
databases, index and log hold none of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from guardrails.patterns import PatternRedactor
from tests.api.acting import interrupts
from tests.e2e.rights.canaries import files, hits
from tests.e2e.rights.people import AT_ONCE, Person, at, joined
from tests.e2e.rights.rig import made
from tests.harbor.running import Harbor

SEED = 20261121
PEOPLE = 21
OF_EACH = 3
_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _word(rng: Random, length: int) -> str:
    return "".join(rng.choice(_ALPHABET) for _ in range(length))


def _digits(rng: Random, length: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(length))


def _card(rng: Random) -> str:
    body = f"4929{_digits(rng, 11)}"
    doubled = [int(d) * (2 - at % 2) for at, d in enumerate(body)]
    total = sum(value // 10 + value % 10 for value in doubled)
    return f"{body}{-total % 10}"


def _iban(rng: Random) -> str:
    account = _digits(rng, 18)
    return f"DE{98 - int(f'{account}131400') % 97:02}{account}"


MAKERS: Mapping[str, Callable[[Random], str]] = {
    "mail": lambda rng: f"{_word(rng, 9).lower()}@{_word(rng, 8).lower()}.com",
    "card": _card,
    "iban": _iban,
    "phone": lambda rng: f"+49 30 9018{_digits(rng, 4)}",
    "key": lambda rng: f"sk_live_{_word(rng, 24)}",
    "token": lambda rng: f"ghp_{_word(rng, 36)}",
    "link": lambda rng: (
        f"postgres://u{_word(rng, 6)}:{_word(rng, 14)}@db-{_word(rng, 6)}.io:5432/x"
    ),
    "ssn": lambda rng: f"4{_digits(rng, 2)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}",
}

Given = Mapping[str, list[str]]
"""Kind -> values of one person."""


def given(rng: Random, taken: set[str]) -> Given:
    """Values that nobody else has."""
    values: dict[str, list[str]] = {kind: [] for kind in MAKERS}
    for kind, make in MAKERS.items():
        while len(values[kind]) < OF_EACH:
            if (value := make(rng)) not in taken:
                taken.add(value)
                values[kind].append(value)
    return values


def test_each_value_is_one_that_must_be_masked() -> None:
    """Else a scan that finds nothing would say nothing."""
    rng, redactor = Random(SEED), PatternRedactor()
    for values in given(rng, set()).values():
        for value in values:
            assert value not in redactor.redact(f"here it is: {value} thanks").text


async def test_no_byte_that_is_stored_or_logged_holds_a_value(
    harbor: Harbor, tmp_path: Path
) -> None:
    place = made(tmp_path / "product", harbor)
    rng, taken = Random(SEED), set[str]()
    people = [(person, given(rng, taken)) for person in joined(harbor, PEOPLE)]
    assert len(taken) >= 500
    with place.serving() as served:
        async with at(served.url, [person for person, _ in people]):
            gate = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for person, values in people:
                    group.create_task(_all_doors(person, values, gate))
            person, values = people[0]
            seen = await person.http.get(f"/v1/conversations/{person.thread}")
            assert values["mail"][0] in seen.text  # its owner reads it
    words = {p.subject: tuple(v for of in values.values() for v in of) for p, values in people}
    assert hits(words, files(place.data)) == []
    threads = {person.subject: (person.thread,) for person, _ in people}
    assert hits(threads, files(place.data)), "the scan reads nothing"
    boards = [
        board["name"] for board in harbor.call("GET", "/v1/dashboards?limit=100").json()["items"]
    ]
    assert {values["mail"][1] for _, values in people} <= set(boards)


async def _all_doors(person: Person, values: Given, gate: asyncio.Semaphore) -> None:
    async with gate:
        await _asks(person, values)
        await _acts(person, values)
        await _errs(person, values)
        await _escalates(person, values)


async def _asks(person: Person, values: Given) -> None:
    """Answer: a question with one of each kind, and one that says only a value."""
    first = ", ".join(of[0] for of in values.values())
    await person.says(f"How do I invite teammates? These are mine: {first}")
    await person.says(values["link"][1])


async def _acts(person: Person, values: Given) -> None:
    """Action and event: approved, edited, refused with a reason."""
    done = await person.approves(
        await person.says(f'Create a dashboard called "{values["mail"][1]}"')
    )
    assert done[-1].type == "RUN_FINISHED", done[-1].data
    shown = await person.says(f'Create a dashboard called "{values["key"][1]}"')
    for card in interrupts(list(shown)):
        payload = {"approved": False, "reason": f"no, {values['token'][1]} is mine"}
        entry = {"interruptId": card["id"], "status": "resolved", "payload": payload}
        await person.run(resume=[entry])
    events = await person.http.get(f"/v1/agui/threads/{person.thread}/events?follow=false")
    assert events.status_code == 200


async def _errs(person: Person, values: Given) -> None:
    """Error: in the path, the query, a header, a token, and bodies of the wrong form."""
    http, mail, key = person.http, values["mail"][2], values["key"][2]
    card, iban, ssn = values["card"][1], values["iban"][1], values["ssn"][1]
    phone, token, link = values["phone"][1], values["token"][2], values["link"][2]
    answers = [
        await http.get(f"/v1/conversations/{mail}"),
        await http.get(f"/v1/receipts/{key}"),
        await http.get("/v1/actions", params={"cursor": card, "state": iban}),
        await http.get("/v1/tools", headers={"x-request-id": ssn, "referer": link}),
        await http.get("/v1/actions", headers={"authorization": f"Bearer {token}"}),
        await http.post("/v1/agui", content=f'{{"threadId": "{phone}'.encode()),
        await http.post("/v1/agui", json={"threadId": [mail], "messages": [{"content": key}]}),
        await http.post(f"/v1/approvals/{card}/decision", json={"decision": link, "digest": iban}),
        await http.get(f"/{token}/{ssn}"),
    ]
    assert {a.status_code // 100 for a in answers} <= {2, 4}, [a.status_code for a in answers]
    for answer in answers:
        assert json.dumps(phone)[1:-1] not in answer.text


async def _escalates(person: Person, values: Given) -> None:
    """Escalation: to a person, and with what the page says of its user."""
    body = {
        "state": {"phone": values["phone"][2]},
        "context": [{"description": "card", "value": values["card"][2]}],
        "forwardedProps": {"iban": values["iban"][2]},
        "messages": [
            {
                "id": "help",
                "role": "user",
                "content": f"I want to talk to a human, call {values['phone'][2]}, my number is "
                f"{values['ssn'][2]}, refund to {values['iban'][2]} or {values['card'][2]}",
            }
        ],
    }
    frames = await person.run(**body)
    assert frames[-1].type == "RUN_FINISHED", frames[-1].data
