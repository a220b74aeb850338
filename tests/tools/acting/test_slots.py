"""A slot proves that its last holder is dead: files, and PostgreSQL's advisory locks."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from tests.postgres import POSTGRES, own_schema
from tools.slots import MOST, FileSlots, PostgresSlots, Slots

HOLDER = """
import sys, time
from pathlib import Path
from sqlalchemy import create_engine
from tools.slots import FileSlots, PostgresSlots
where = sys.argv[1]
slots = PostgresSlots(create_engine(where)) if "://" in where else FileSlots(Path(where))
print(slots.take(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def postgres() -> Iterator[Engine]:
    """An engine in a schema of its own."""
    with own_schema() as place:
        engine = create_engine(place.url_there)
        yield engine
        engine.dispose()


@pytest.fixture(params=["files", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "files":
        return str(tmp_path)
    engine: Engine = request.getfixturevalue("postgres")
    return engine.url.render_as_string(hide_password=False)


def slots(where: str) -> Slots:
    if "://" in where:
        return PostgresSlots(create_engine(where, poolclass=NullPool))
    return FileSlots(Path(where))


def orphans(of: Slots) -> set[str]:
    return set(of.orphaned())


def eventually(of: Slots, name: str) -> bool:
    """The kernel tells PostgreSQL of a death within moments, not at once."""
    for _ in range(100):
        if name in orphans(of):
            return True
        time.sleep(0.02)
    return False


def test_each_gets_its_own_and_a_closed_one_is_free_again(where: str) -> None:
    first, second, third = slots(where), slots(where), slots(where)
    assert (first.take(), second.take()) == ("slot-0", "slot-1")
    assert not {"slot-0", "slot-1"} & orphans(third)
    first.close()
    assert eventually(third, "slot-0")
    assert third.take() == "slot-0"
    second.close()
    third.close()


def test_a_killed_holder_is_proven_dead_and_a_live_one_is_not(where: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, where], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "slot-0"
        mine = slots(where)
        assert "slot-0" not in orphans(mine)
        holder.send_signal(signal.SIGSTOP)  # stands still, but lives
        assert "slot-0" not in orphans(mine)
        holder.kill()
        holder.wait()
        assert eventually(mine, "slot-0")
        assert mine.take() == "slot-0"
        mine.close()


def test_nobody_takes_a_slot_while_it_is_being_adopted(where: str) -> None:
    first, second = slots(where), slots(where)
    assert first.take() == "slot-0"
    first.close()
    assert eventually(second, "slot-0")
    looking = second.orphaned()
    assert next(looking) == "slot-0"
    third = slots(where)
    assert third.take() == "slot-1"
    looking.close()
    fourth = slots(where)
    assert fourth.take() == "slot-0"
    third.close()
    fourth.close()


def test_whoever_starts_gets_a_slot_however_many_look(tmp_path: Path) -> None:
    """A worker without a slot is waited for by its lease: looking must not take slots away."""
    before = [FileSlots(tmp_path) for _ in range(MOST)]
    assert len({each.take() for each in before}) == MOST
    for each in before:
        each.close()  # the files stay: every slot is looked at from now on
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            orphans(FileSlots(tmp_path))

    with ThreadPoolExecutor(3) as lookers:
        looking = [lookers.submit(look) for _ in range(3)]
        try:
            for _ in range(100):
                starting = FileSlots(tmp_path)
                assert starting.take().startswith("slot-")
                starting.close()
        finally:
            stop.set()
        assert all(done.result() is None for done in looking)


def test_more_workers_than_slots_get_names_that_nobody_adopts(where: str) -> None:
    taken = [slots(where) for _ in range(MOST + 2)]
    names = [each.take() for each in taken]
    assert len(set(names)) == MOST + 2
    assert [name.split("-")[0] for name in names] == ["slot"] * MOST + ["free"] * 2
    for each in taken:
        each.close()


def test_journals_in_other_schemas_have_slots_of_their_own(postgres: Engine) -> None:
    mine, theirs = PostgresSlots(postgres), slots(POSTGRES)
    assert mine.take() == "slot-0"
    assert "slot-0" not in orphans(mine)
    assert theirs.take() == "slot-0"
    mine.close()
    theirs.close()
