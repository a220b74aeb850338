"""Sixty people talk to a running product and are guided by it; fifty are erased: their words are
nowhere, the others have lost nothing, and every receipt holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from tests.api.serving import parse
from tests.e2e.rights.canaries import files, hits
from tests.e2e.rights.people import Person, at, joined, live
from tests.e2e.rights.rig import Place, made
from tests.harbor.running import Harbor

PEOPLE = 60
STAY = 6
"""Every so many-th person is not erased."""
BY_OPERATOR = 30
"""So many are erased by one command beside the running server, the others one by one in it."""
HURRY = 5
"""Every so many-th sends something at the very end; so does everybody whom the operator erases."""
LASTING = {"held", "consents", "actions", "checkpoints", "conversations"}
GUIDED = {"product_events", "features", "profile", "journeys", "next_steps", "deliveries"}
STEADY = GUIDED - {"features", "deliveries"}
"""Those that time alone does not change."""
LATE = 8
"""So many events: readers hold them while their person is erased."""


def left(people: list[Person], place: Place) -> list[tuple[str, str, str, str]]:
    return hits({person.subject: person.canaries for person in people}, files(place.data))


async def copy_of(person: Person) -> list[dict[str, object]]:
    """What is kept of them, but for what changes by itself: sign-ins, and what is still told."""
    response = await person.http.get("/v1/me/export")
    assert response.status_code == 200, response.text
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert lines[-1] == {"end": True, "lines": len(lines) - 2}
    if person.number % STAY == 0:
        assert {line["store"] for line in lines[1:-1]} >= GUIDED
    return [line for line in lines[1:-1] if line["store"] in LASTING | STEADY]


async def test_fifty_of_sixty_people(harbor: Harbor, tmp_path: Path) -> None:
    place = made(tmp_path / "product", harbor)
    people = joined(harbor, PEOPLE)
    stay = people[::STAY]
    gone = [person for person in people if person not in stay]
    assert len(gone) == 50
    with place.serving() as served:
        async with at(served.url, people):
            await live(people)
            await asyncio.to_thread(place.caught_up)
            found = {(owner, word) for owner, word, _, _ in left(people, place)}
            assert {(p.subject, w) for p in people for w in _lasting(p)} <= found
            before = [await copy_of(person) for person in stay]
            assert all(_says(copy, p) for copy, p in zip(before, stay, strict=True))
            await _erased(gone, place)
            assert left(gone, place) == []
            await _forgotten(gone, place)
            assert [await copy_of(person) for person in stay] == before
            for person in stay[:5]:
                shown = await person.http.get(f"/v1/conversations/{person.thread}")
                assert person.name in shown.text
            await _begins_anew(gone[-1])
    assert left(gone[:-1], place) == []
    assert {(p.subject, w) for p in stay for w in _lasting(p)} <= {
        (owner, word) for owner, word, _, _ in left(stay, place)
    }
    _holds(place, len(gone))


def _lasting(person: Person) -> tuple[str, ...]:
    """What stands somewhere in the clear; with `told` in the database of onboarding."""
    return (person.name, person.board, person.thread, *person.told)


async def _forgotten(gone: list[Person], place: Place) -> None:
    """Also by readers that held events of theirs while another process erased them: within some
    seconds not even a reference is left in what onboarding keeps."""
    names = {person.subject: (person.subject,) for person in gone}
    ends = asyncio.get_running_loop().time() + 15
    while found := hits(names, _of_onboarding(place)):
        assert asyncio.get_running_loop().time() < ends, found
        await asyncio.sleep(0.5)
    assert hits({p.subject: p.told for p in gone}, _of_onboarding(place)) == []


def _of_onboarding(place: Place) -> Iterator[tuple[str, bytes]]:
    return (each for each in files(place.data) if each[0].startswith("onboarding"))


def _says(copy: list[dict[str, object]], person: Person) -> bool:
    """Everything that they gave, the key alone masked."""
    text = json.dumps(copy, ensure_ascii=False)
    given = (*_lasting(person), f"{person.mailbox}@example.com")
    return all(word in text for word in given) and person.key not in text


async def _erased(gone: list[Person], place: Place) -> None:
    """Most by themselves while they read along, some by the operator beside the running server."""
    by_operator, by_themselves = gone[:BY_OPERATOR], gone[BY_OPERATOR:]
    reading = asyncio.create_task(_reads(gone[BY_OPERATOR]))
    await asyncio.sleep(0.5)
    for person in by_themselves:
        hurries = person.number % HURRY == 0
        if hurries:
            await _sends_late(person)
        response = await person.http.delete("/v1/me")
        assert response.status_code == 200, response.text
        counts = {s["store"]: s["items"] for s in response.json()["manifest"]["stores"]}
        assert counts["key"] == counts["conversations"] == counts["checkpoints"] == 1
        assert counts["held"] == 2
        assert counts["actions"] == 1 + person.busy
        assert counts["consents"] == person.trusting
        assert counts["product_events"] >= LATE * hurries + 6
        assert all(counts[store] for store in GUIDED)
    async with asyncio.timeout(5):
        await reading
    await asyncio.gather(*(_sends_late(person) for person in by_operator))
    subjects = [person.subject for person in by_operator]
    done = await asyncio.to_thread(place.embark, "subjects", "erase", *subjects, "--yes")
    assert done.returncode == 0, done.stderr


async def _sends_late(person: Person) -> None:
    late = [person.track("Import Failed", mode="full", error_code="E2") for _ in range(LATE)]
    assert await person.sends(*late) == ["stored"] * LATE


async def _reads(person: Person) -> None:
    """Until the stream ends."""
    path = f"/v1/agui/threads/{person.thread}/events"
    async with person.http.stream("GET", path, timeout=60) as response:
        async for _ in response.aiter_bytes():
            pass


async def _begins_anew(person: Person) -> None:
    """In the same conversation of the same browser, as a stranger."""
    assert (await person.http.get(f"/v1/conversations/{person.thread}")).status_code == 404
    assert (await person.http.get("/v1/actions")).json()["actions"] == []
    assert (await person.http.get("/v1/receipts")).json()["receipts"] == []
    person.turns = 0
    card = await person.says(f'Create a dashboard called "{person.board}"')
    done = await person.approves(card)
    assert done[-1].type == "RUN_FINISHED"
    again = await person.http.get(f"/v1/agui/threads/{person.thread}/events?follow=false")
    assert person.name not in str([frame.data for frame in parse(again.text)])
    (action,) = (await person.http.get("/v1/actions")).json()["actions"]
    assert action["state"] == "succeeded"


def _holds(place: Place, erasures: int) -> None:
    """Receipts, the journal behind them, and the manifests."""
    assert place.embark("receipts", "export", "r.jsonl", "--journal", "j.jsonl").returncode == 0
    verified = place.embark(
        "receipts", "verify", "r.jsonl", "--journal", "j.jsonl", "--every-signature"
    )
    assert verified.returncode == 0, verified.stdout
    shown = place.embark("subjects", "show-erasure", "--json")
    assert shown.returncode == 0, shown.stderr
    manifests = json.loads(shown.stdout)["erasures"]
    assert len(manifests) == erasures
    assert all(each["vouched"] and each["receipt"] for each in manifests)
