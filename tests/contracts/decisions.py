"""What every record of decisions does: rows once, found by keys, nameless or gone when asked."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from guardrails.consent import Purpose
from guardrails.decisions import (
    Amount,
    Assignment,
    Cursor,
    Decision,
    DecisionRecord,
    Kind,
    Outcome,
    OutcomeUpdate,
    Place,
    Retention,
    Versions,
    Wanted,
    exported,
    sweep_due,
)
from guardrails.tenancy import EVERYBODY

NOON = datetime(2026, 3, 2, 12, 0, 0, 250, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def id_of(name: object) -> str:
    """22 characters, the same for the same name."""
    return sha256(str(name).encode()).hexdigest()[:22]


ANSWER = Decision(
    id=id_of("answer"),
    tenant="t",
    kind=Kind.ANSWER,
    purpose=Purpose.SUPPORT,
    at=NOON,
    outcome=Outcome.SHOWN,
    reason="grounded",
    subject="ana",
    place=Place("thread-1", "run-1", "message-1"),
    versions=Versions("gpt-5", "answer-7", "policy-2", "idx-9", "invite/1.2"),
    assignment=Assignment("tone", "b", 0.25),
    evidence=("start/setup#3", "start/setup#4"),
    amounts={Amount.TOKENS_IN: 812, Amount.TOTAL_MS: 1430},
)
HELPFUL = OutcomeUpdate(id_of("helpful"), "t", ANSWER.id, Outcome.HELPFUL, NOON + MINUTE)


def made(number: int, like: Decision = ANSWER) -> Decision:
    """As another, in the numberth minute after it."""
    return replace(like, id=id_of(number), at=like.at + number * MINUTE)


NUDGE = replace(ANSWER, kind=Kind.NUDGE)
OF_EVE = replace(ANSWER, subject="eve")
ELSEWHERE = replace(ANSWER, place=Place("thread-2"))


async def ids(record: DecisionRecord, wanted: Wanted, limit: int = 100) -> list[str]:
    """Of all pages, in their order."""
    found: list[str] = []
    page = await record.query("t", wanted, limit=limit)
    found += [row.decision.id for row in page.rows]
    while page.next is not None:
        assert len(page.rows) == limit
        page = await record.query("t", wanted, after=Cursor.parse(str(page.next)), limit=limit)
        found += [row.decision.id for row in page.rows]
    return found


class DecisionRecordContract:
    """Inherited by the test module of each implementation, which provides `record`."""

    @pytest.fixture
    def record(self) -> DecisionRecord:
        raise NotImplementedError

    async def test_a_decision_comes_back_as_it_was(self, record: DecisionRecord) -> None:
        bare = Decision(id_of("bare"), "t", Kind.NUDGE, Purpose.MARKETING, NOON)
        assert await record.add("t", [ANSWER, bare]) == (2, 0, 0)
        for decision in (ANSWER, bare):
            found = await record.get("t", decision.id)
            assert found is not None
            assert (found.decision, found.updates) == (decision, ())
        assert await record.get("t", id_of("none")) is None

    async def test_the_same_row_again_changes_nothing(self, record: DecisionRecord) -> None:
        await record.add("t", [ANSWER, HELPFUL])
        other = replace(ANSWER, outcome=Outcome.FAILED, subject="eve")
        unhelpful = replace(HELPFUL, outcome=Outcome.UNHELPFUL)
        assert await record.add("t", [other, unhelpful, made(1), made(1)]) == (1, 3, 0)
        found = await record.get("t", ANSWER.id)
        assert found is not None
        assert (found.decision, found.updates) == (ANSWER, (HELPFUL,))

    async def test_the_newest_update_is_the_outcome(self, record: DecisionRecord) -> None:
        later = OutcomeUpdate(id_of("l"), "t", ANSWER.id, Outcome.RESOLVED, NOON + 2 * MINUTE, "ok")
        assert await record.add("t", [later, HELPFUL, ANSWER]) == (3, 0, 0)
        found = await record.get("t", ANSWER.id)
        assert found is not None
        assert found.updates == (HELPFUL, later)
        assert found.outcome is Outcome.RESOLVED
        assert found.decision.outcome is Outcome.SHOWN

    async def test_an_update_of_nothing_is_told(self, record: DecisionRecord) -> None:
        assert await record.add("t", [HELPFUL]) == (0, 0, 1)
        assert await record.add("t", [ANSWER]) == (1, 0, 0)
        found = await record.get("t", ANSWER.id)
        assert found is not None
        assert found.updates == ()

    async def test_rows_of_another_tenant_are_refused(self, record: DecisionRecord) -> None:
        with pytest.raises(ValueError, match="another tenant"):
            await record.add("t", [ANSWER, replace(ANSWER, tenant="t2")])
        assert await record.get("t", ANSWER.id) is None

    async def test_tenants_are_apart(self, record: DecisionRecord) -> None:
        await record.add("t", [ANSWER, HELPFUL])
        await record.add("t2", [replace(ANSWER, tenant="t2", subject="eve")])
        theirs = await record.get("t2", ANSWER.id)
        assert theirs is not None
        assert (theirs.decision.subject, theirs.updates) == ("eve", ())
        assert await record.erase("t2", "ana") == 0
        assert len((await record.query("t2")).rows) == 1
        assert await record.add("t3", [replace(HELPFUL, tenant="t3")]) == (0, 0, 1)

    async def test_pages_come_newest_first(self, record: DecisionRecord) -> None:
        await record.add("t", [made(number) for number in (3, 1, 4, 0, 2)])
        newest_first = [id_of(number) for number in (4, 3, 2, 1, 0)]
        for limit in (1, 2, 4, 5, 6):
            assert await ids(record, Wanted(), limit) == newest_first

    async def test_no_row_of_one_moment_is_lost_between_pages(self, record: DecisionRecord) -> None:
        await record.add("t", [replace(made(number), at=NOON) for number in range(7)])
        found = await ids(record, Wanted(), 2)
        assert sorted(found) == sorted(id_of(number) for number in range(7))

    async def test_what_comes_meanwhile_moves_no_page(self, record: DecisionRecord) -> None:
        await record.add("t", [made(number) for number in range(4)])
        first = await record.query("t", limit=2)
        await record.add("t", [made(9)])
        second = await record.query("t", after=first.next, limit=2)
        assert [row.decision.id for row in second.rows] == [id_of(1), id_of(0)]

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (Wanted(kind=Kind.NUDGE), [1]),
            (Wanted(subject="eve"), [2, 1]),
            (Wanted(thread_id="thread-2"), [3, 2]),
            (Wanted(since=NOON + MINUTE), [3, 2, 1]),
            (Wanted(until=NOON + MINUTE), [0]),
            (Wanted(since=NOON + MINUTE, until=NOON + 3 * MINUTE), [2, 1]),
            (Wanted(kind=Kind.ANSWER, subject="eve", thread_id="thread-2"), [2]),
            (Wanted(kind=Kind.ESCALATION), []),
        ],
    )
    async def test_queries_meet_all_that_is_given(
        self, record: DecisionRecord, wanted: Wanted, expected: list[int]
    ) -> None:
        await record.add(
            "t",
            [
                made(0),
                made(1, replace(NUDGE, subject="eve")),
                made(2, replace(ELSEWHERE, subject="eve")),
                made(3, replace(ELSEWHERE, subject=None)),
            ],
        )
        for limit in (1, 100):
            assert await ids(record, wanted, limit) == [id_of(number) for number in expected]

    async def test_the_export_has_a_line_a_decision(self, record: DecisionRecord) -> None:
        await record.add("t", [made(number) for number in range(5)])
        await record.add("t", [ANSWER, HELPFUL])
        lines = [json.loads(line) async for line in exported(record, "t", Wanted(), block=2)]
        expected = [id_of(number) for number in (4, 3, 2, 1)]
        assert [line["id"] for line in lines[:4]] == expected
        last = next(line for line in lines if line["id"] == ANSWER.id)
        assert last == {
            "tenant": "t",
            "id": ANSWER.id,
            "kind": "answer",
            "purpose": "support",
            "at": "2026-03-02T12:00:00.000250+00:00",
            "first_outcome": "shown",
            "outcome": "helpful",
            "reason": "grounded",
            "subject": "ana",
            "thread_id": "thread-1",
            "run_id": "run-1",
            "message_id": "message-1",
            "model_version": "gpt-5",
            "prompt_version": "answer-7",
            "policy_version": "policy-2",
            "index_version": "idx-9",
            "tool_version": "invite/1.2",
            "experiment": "tone",
            "arm": "b",
            "propensity": 0.25,
            "evidence": ["start/setup#3", "start/setup#4"],
            "amounts": {"tokens_in": 812, "total_ms": 1430},
            "updates": [
                {
                    "id": HELPFUL.id,
                    "outcome": "helpful",
                    "at": "2026-03-02T12:01:00.000250+00:00",
                    "reason": None,
                }
            ],
        }

    async def test_an_erased_subject_is_nobody(self, record: DecisionRecord) -> None:
        await record.add("t", [ANSWER, HELPFUL, made(1), made(2, OF_EVE)])
        assert await record.erase("t", "ana") == 2
        assert await ids(record, Wanted(subject="ana")) == []
        assert await ids(record, Wanted(thread_id="thread-1")) == [id_of(2)]
        rows = [await record.get("t", id) for id in (ANSWER.id, id_of(1))]
        decisions = [row.decision for row in rows if row is not None]
        names = {decision.subject for decision in decisions}
        (name,) = names  # still one person, but nobody knows whom
        assert name is not None
        assert name.startswith("erased.")
        assert len(name) == len("erased.") + 22
        nobodys = replace(ANSWER, subject=name, place=Place())
        assert decisions == [nobodys, made(1, nobodys)]
        assert rows[0] is not None
        assert rows[0].updates == (HELPFUL,)
        assert await record.erase("t", "ana") == 0

    async def test_who_is_erased_twice_gets_two_names(self, record: DecisionRecord) -> None:
        names: set[str | None] = set()
        for number in range(2):
            await record.add("t", [made(number)])
            await record.erase("t", "ana")
            found = await record.get("t", id_of(number))
            assert found is not None
            names.add(found.decision.subject)
        assert len(names) == 2

    async def test_a_sweep_takes_the_oldest_of_a_kind(self, record: DecisionRecord) -> None:
        rows = [made(number) for number in range(5)]
        await record.add("t", [*rows, replace(NUDGE, id=id_of(5)), HELPFUL])
        follows = [replace(HELPFUL, id=id_of(f"u{n}"), decision_id=id_of(n)) for n in range(5)]
        await record.add("t", follows)
        assert await record.sweep("t", Kind.ANSWER, NOON + 3 * MINUTE, limit=2) == 2
        assert await ids(record, Wanted(kind=Kind.ANSWER)) == [id_of(4), id_of(3), id_of(2)]
        assert await record.sweep("t", Kind.ANSWER, NOON + 3 * MINUTE) == 1
        assert await record.sweep("t", Kind.ANSWER, NOON + 3 * MINUTE) == 0
        assert await ids(record, Wanted()) == [id_of(4), id_of(3), id_of(5)]
        assert await record.add("t", follows) == (0, 2, 3)
        await record.add("t", rows)  # as from a backup: their updates went too
        again = [await record.get("t", row.id) for row in rows]
        assert [len(found.updates) for found in again if found] == [0, 0, 0, 1, 1]

    async def test_a_sweep_spares_who_is_to_be_kept(self, record: DecisionRecord) -> None:
        rows = [replace(made(n), subject=who) for n, who in enumerate(("ana", "eve", None))]
        await record.add("t", rows)
        late, keep = NOON + timedelta(days=1), frozenset({"eve"})
        assert await record.due("t", Kind.ANSWER, late, keep) == 2
        assert await record.due("t", Kind.ANSWER, late) == 3
        assert await record.sweep("t", Kind.ANSWER, late, keep=keep) == 2
        assert await ids(record, Wanted()) == [id_of(1)]
        assert await record.due("t2", Kind.ANSWER, late) == 0

    async def test_retention_is_by_kind(self, record: DecisionRecord) -> None:
        days = dict.fromkeys(Kind, 30) | {Kind.NUDGE: 2}
        old, older = NOON - timedelta(days=3), NOON - timedelta(days=31)
        for tenant in ("t", "t2"):
            rows = [
                replace(made(0), at=old),
                replace(made(1, NUDGE), at=old),
                replace(made(2), at=older),
                replace(made(3, NUDGE), at=NOON),
            ]
            await record.add(tenant, [replace(row, tenant=tenant) for row in rows])
        gone = await sweep_due(record, "t2", Retention(days), NOON)
        assert gone == dict.fromkeys(Kind, 0) | {Kind.NUDGE: 1, Kind.ANSWER: 1}
        assert len(await ids(record, Wanted())) == 4
        gone = await sweep_due(record, EVERYBODY, Retention(days), NOON)
        assert sum(gone.values()) == 2
        assert await ids(record, Wanted()) == [id_of(3), id_of(0)]

    async def test_writers_at_once_store_each_row_once(self, record: DecisionRecord) -> None:
        rows = [made(number) for number in range(40)]
        several = await asyncio.gather(*(record.add("t", rows[at : at + 20]) for at in range(21)))
        assert sum(added.new for added in several) == 40
        assert await ids(record, Wanted(), 7) == [row.id for row in reversed(rows)]
