"""The same with everything in PostgreSQL: no row of the schema says anything of who was erased."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, text

from embark.onboarding_keeping import TABLES
from tests.e2e.rights.canaries import files, hits, rows
from tests.e2e.rights.people import Person, at, joined, live
from tests.e2e.rights.rig import made
from tests.harbor.running import Harbor
from tests.postgres import CONNECT, POSTGRES, own_schema

PEOPLE = 8


async def test_half_of_them_are_erased(harbor: Harbor, tmp_path: Path) -> None:
    with own_schema() as there:
        urls = {
            "EMBARK_DATABASE__URL": there.url_there,
            "EMBARK_ACTIONS__URL": there.url_there,
        }
        place = made(tmp_path / "product", harbor, **urls)
        seen = f"{POSTGRES}?options=-csearch_path%3D{there.schema}"  # above row security
        people = joined(harbor, PEOPLE)
        gone, stay = people[::2], people[1::2]
        with place.serving() as served:
            async with at(served.url, people):
                await live(people)
                assert _words(people) <= {(o, w) for o, w, _, _ in hits(_of(people), rows(seen))}
                for person in gone:
                    response = await person.http.delete("/v1/me")
                    assert response.status_code == 200, response.text
                assert hits(_of(gone), rows(seen)) == []
                assert hits({p.subject: (p.subject,) for p in gone}, _guiding(seen)) == []
                assert hits(_of(gone), files(place.data)) == []
                assert _words(stay) <= {(o, w) for o, w, _, _ in hits(_of(stay), rows(seen))}
                kept_out = await gone[0].http.get("/v1/actions")
                assert kept_out.status_code == 410  # another server may hold the key for a minute
                copy = await stay[0].http.get("/v1/me/export")
                assert stay[0].name in copy.text
                assert stay[0].clicked in copy.text
        assert place.embark("receipts", "export", "r.jsonl", "--journal", "j.jsonl").returncode == 0
        assert place.embark("receipts", "verify", "r.jsonl", "--journal", "j.jsonl").returncode == 0
        _a_minute_passes(seen)
        shown = place.embark("subjects", "show-erasure", "--json")  # visits the ledger
        assert len(json.loads(shown.stdout)["erasures"]) == len(gone)
        with place.serving() as served:
            async with at(served.url, gone[:1]):
                assert (await gone[0].http.get("/v1/actions")).json()["actions"] == []


def _guiding(url: str) -> Iterator[tuple[str, bytes]]:
    """The tables of onboarding, in which not even references are left."""
    return (each for each in rows(url) if each[0] in TABLES)


def _of(people: list[Person]) -> dict[str, tuple[str, ...]]:
    return {person.subject: person.canaries for person in people}


def _words(people: list[Person]) -> set[tuple[str, str]]:
    return {(p.subject, w) for p in people for w in (p.name, p.board, p.thread, *p.told)}


def _a_minute_passes(url: str) -> None:
    """Since these people were erased."""
    engine = create_engine(url, connect_args=CONNECT)
    with engine.begin() as connection:
        connection.execute(text("UPDATE erasure SET finished = '2020-01-01T00:00:00.000000+00:00'"))
    engine.dispose()
