"""What every audit log does: rows numbered without gaps, never changed, and gone only by age."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from guardrails.audit import AuditLog, Note, Wanted, What, exported, named
from guardrails.audit.personal import PersonalAudit

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
READ = Note("t", "sam", What.EXPORT_SUBJECT, "ana", "GET /v1/subjects/{subject}/export", "req-1")


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


class AuditContract:
    """Inherited by the test module of each implementation, which provides `log` over `clock`."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def log(self, clock: Clock) -> AuditLog:
        raise NotImplementedError

    async def test_rows_are_numbered_in_their_tenant(self, log: AuditLog, clock: Clock) -> None:
        for minute in range(3):
            clock.now = NOON + timedelta(minutes=minute)
            entry = await log.write(READ)
            assert (entry.seq, entry.at, entry.note) == (minute + 1, clock.now, READ)
        assert (await log.write(replace(READ, tenant="t2"))).seq == 1
        assert [entry.seq for entry in await log.page("t")] == [3, 2, 1]
        assert [entry.seq for entry in await log.page("t2")] == [1]

    async def test_rows_at_once_all_stay(self, log: AuditLog) -> None:
        notes = [replace(READ, request_id=f"req-{n}") for n in range(12)]
        written = await asyncio.gather(*(log.write(note) for note in notes))
        assert sorted(entry.seq for entry in written) == list(range(1, 13))
        assert {e.note.request_id for e in await log.page("t")} == {n.request_id for n in notes}

    async def test_pages_are_read_by_number(self, log: AuditLog) -> None:
        for _ in range(5):
            await log.write(READ)
        first = await log.page("t", limit=2)
        assert [entry.seq for entry in first] == [5, 4]
        second = await log.page("t", before=first[-1].seq, limit=2)
        assert [entry.seq for entry in second] == [3, 2]
        assert await log.page("t", before=1) == ()

    async def test_rows_are_found_by_who_what_whom_and_when(
        self, log: AuditLog, clock: Clock
    ) -> None:
        others = (
            replace(READ, who="tom"),
            replace(READ, what=What.READ_DECISIONS, whom=None),
            replace(READ, whom="eve"),
        )
        for day, note in enumerate((READ, *others)):
            clock.now = NOON + day * DAY
            await log.write(note)

        async def found(wanted: Wanted) -> list[int]:
            return [entry.seq for entry in await log.page("t", wanted)]

        assert await found(Wanted(who="tom")) == [2]
        assert await found(Wanted(what=What.READ_DECISIONS)) == [3]
        assert await found(Wanted(whom="ana")) == [2, 1]
        assert await found(Wanted(since=NOON + DAY, until=NOON + 3 * DAY)) == [3, 2]
        assert await found(Wanted(who="sam", whom="ana", until=NOON + DAY)) == [1]

    async def test_who_is_erased_is_named_no_more(self, log: AuditLog) -> None:
        for note in (READ, READ, replace(READ, whom="eve"), replace(READ, tenant="t2")):
            await log.write(note)
        store = PersonalAudit(log)
        assert await store.residue("t", "ana") == 2
        assert await store.erase("t", "ana") == 2
        assert await store.residue("t", "ana") == await store.erase("t", "ana") == 0
        whom = [entry.note.whom for entry in await log.page("t")]
        assert whom[0] == "eve"
        assert whom[1] == whom[2]
        assert str(whom[1]).startswith("erased.")
        assert [entry.note.whom for entry in await log.page("t2")] == ["ana"]

    async def test_who_approved_is_forgotten_and_who_read_is_not(self, log: AuditLog) -> None:
        approved = replace(READ, who="ana", what=What.APPROVAL, whom="bo")
        for note in (approved, replace(approved, whom="ana"), replace(READ, who="ana", whom="bo")):
            await log.write(note)
        assert await log.naming("t", "ana") == await log.erase("t", "ana") == 2
        assert await log.naming("t", "ana") == 0
        read, own, of_bo = (entry.note for entry in await log.page("t"))
        assert (read.who, of_bo.whom) == ("ana", "bo")
        assert own.who == own.whom == of_bo.who
        assert own.who.startswith("erased.")

    @pytest.mark.parametrize("subject", ["Ana Lopez", "", "Zoë\n", "a" * 300])
    async def test_a_person_of_any_name_is_noted_and_erased(
        self, log: AuditLog, subject: str
    ) -> None:
        await log.write(replace(READ, whom=named(subject)))
        store = PersonalAudit(log)
        assert len([line async for line in store.export("t", subject)]) == 1
        assert await store.erase("t", subject) == 1
        assert await store.residue("t", subject) == 0

    async def test_the_copy_of_a_person_says_who_looked(self, log: AuditLog) -> None:
        for note in (READ, replace(READ, whom="eve")):
            await log.write(note)
        lines = [json.loads(line) async for line in PersonalAudit(log).export("t", "ana")]
        assert lines == [
            {
                "seq": 1,
                "at": "2026-03-02T12:00:00.000000+00:00",
                "who": "sam",
                "what": "export_subject",
                "whom": "ana",
                "route": "GET /v1/subjects/{subject}/export",
                "request_id": "req-1",
            }
        ]

    async def test_an_export_holds_every_row(self, log: AuditLog) -> None:
        for _ in range(5):
            await log.write(READ)
        lines = [json.loads(line) async for line in exported(log, "t", block=2)]
        assert [line["seq"] for line in lines] == [5, 4, 3, 2, 1]

    async def test_the_oldest_go_by_age_and_numbers_go_on(
        self, log: AuditLog, clock: Clock
    ) -> None:
        for day in range(4):
            clock.now = NOON + day * DAY
            await log.write(READ)
        clock.now = NOON + 10 * DAY
        assert await log.due("t", NOON + 3 * DAY) == 3
        assert await log.sweep("t", NOON + 3 * DAY, limit=2) == 2
        assert [entry.seq for entry in await log.page("t")] == [4, 3]
        assert await log.sweep("t", clock.now) == 2
        assert await log.sweep("t", clock.now) == await log.due("t", clock.now) == 0
        assert (await log.write(READ)).seq == 5

    async def test_a_sweep_spares_who_is_to_be_kept(self, log: AuditLog) -> None:
        for whom in ("ana", "eve", None):
            await log.write(replace(READ, whom=whom))
        keep = frozenset({"eve"})
        assert await log.due("t", NOON + DAY, keep) == 2
        assert await log.sweep("t", NOON + DAY, keep=keep) == 2
        assert [entry.note.whom for entry in await log.page("t")] == ["eve"]
        assert await log.sweep("t", NOON + DAY) == 1
