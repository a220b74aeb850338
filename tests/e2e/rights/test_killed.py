"""An erasure is killed at any point: whoever begins it again finishes it, and nothing is left."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from random import Random

from tests.e2e.rights.canaries import files, hits
from tests.e2e.rights.people import Person, at, joined, live
from tests.e2e.rights.rig import Place, made
from tests.harbor.running import Harbor

KILLS = 4
LONGEST_S = 0.3
"""Within this a small erasure is over, from the row of the ledger to its receipt."""


async def test_killed_erasures_are_finished(harbor: Harbor, tmp_path: Path) -> None:
    place = made(tmp_path / "product", harbor)
    people = joined(harbor, KILLS + 1)
    *gone, stays = people
    with place.serving() as served:
        async with at(served.url, people):
            await live(people)
    rng, kept = Random(7), []
    for person in gone:
        kept.append(_killed(place, person, rng.uniform(0, LONGEST_S)))
    assert any(not finished for finished in kept), "no kill came in time: all were finished"
    done = place.embark("subjects", "erase", "--json", "--yes", *[p.subject for p in gone])
    assert done.returncode == 0, done.stderr
    words = {person.subject: person.canaries for person in gone}
    assert hits(words, files(place.data)) == []
    assert hits({stays.subject: (stays.name,)}, files(place.data))
    shown = json.loads(place.embark("subjects", "show-erasure", "--json").stdout)["erasures"]
    assert all(each["vouched"] and each["manifest"]["finished"] for each in shown)
    of_first = [e for e in shown if e["manifest"]["subject"] == gone[0].subject]
    counts = {s["store"]: s["items"] for s in of_first[0]["manifest"]["stores"]}
    assert counts["conversations"] == counts["key"] == 1  # also what went before the kill
    assert place.embark("receipts", "export", "r.jsonl", "--journal", "j.jsonl").returncode == 0
    verified = place.embark("receipts", "verify", "r.jsonl", "--journal", "j.jsonl")
    assert verified.returncode == 0, verified.stdout


def _killed(place: Place, person: Person, after_s: float) -> bool:
    """`kill -9` so long after the ledger has its row; whether it was finished all the same."""
    process = place.begun("subjects", "erase", person.subject, "--yes")
    with process:
        while not _row(place, person):
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(after_s)
        process.kill()
    return _row(place, person) == [True]


def _row(place: Place, person: Person) -> list[bool]:
    """Whether each erasure of this person is finished."""
    ledger = sqlite3.connect(place.data / "journal.sqlite", timeout=30)
    try:
        wanted = "SELECT finished IS NOT NULL FROM erasure WHERE subject = ?"
        return [bool(done) for (done,) in ledger.execute(wanted, (person.subject,))]
    finally:
        ledger.close()
