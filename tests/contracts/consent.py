"""What every store of consents does: a trail that only grows, and one state read from it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from guardrails.consent import (
    Channel,
    ConsentStore,
    Entry,
    Permission,
    Purpose,
    Statement,
    exported,
)

KEY = b"a key of erasures for these tests"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TRAINING = Statement(
    tenant="t",
    subject="ana",
    purpose=Purpose.TRAINING,
    given=True,
    text_version="consent-3",
    channel=Channel.PREFERENCES,
    at=NOON,
    recorded_by="ana",
)
WITHDRAWN = replace(TRAINING, given=False)


class ConsentStoreContract:
    """Inherited by the test module of each implementation, which provides `store` under KEY."""

    @pytest.fixture
    def store(self) -> ConsentStore:
        raise NotImplementedError

    async def test_many_are_read_at_once(self, store: ConsentStore) -> None:
        await store.record(TRAINING)
        await store.record(replace(TRAINING, subject="bo"))
        await store.record(replace(WITHDRAWN, subject="bo"))
        await store.record(replace(TRAINING, tenant="t2", subject="cy"))
        found = await store.of_all("t", ["ana", "bo", "cy"])
        assert found == {name: await store.of("t", name) for name in ("ana", "bo", "cy")}
        allowed = await Permission(store).who_may("t", ["ana", "bo", "cy"], Purpose.TRAINING)
        assert allowed == {"ana"}
        assert await store.of_all("t", []) == {}

    async def test_before_anybody_is_asked_support_alone_is_allowed(
        self, store: ConsentStore
    ) -> None:
        consents = await store.of("t", "ana")
        assert [p for p in Purpose if consents.allows(p)] == [Purpose.SUPPORT]
        assert [p for p in Purpose if consents.allows(p, "plan")] == [Purpose.SUPPORT]

    async def test_what_is_said_last_counts_whatever_its_time(self, store: ConsentStore) -> None:
        await store.record(TRAINING)
        assert (await store.of("t", "ana")).allows(Purpose.TRAINING)
        await store.record(replace(WITHDRAWN, at=NOON - timedelta(days=1)))
        assert not (await store.of("t", "ana")).allows(Purpose.TRAINING)

    async def test_support_can_be_withdrawn(self, store: ConsentStore) -> None:
        await store.record(replace(WITHDRAWN, purpose=Purpose.SUPPORT))
        assert not (await store.of("t", "ana")).allows(Purpose.SUPPORT)

    async def test_a_field_is_given_by_itself(self, store: ConsentStore) -> None:
        await store.record(replace(TRAINING, field="plan"))
        consents = await store.of("t", "ana")
        assert consents.allows(Purpose.TRAINING, "plan")
        assert not consents.allows(Purpose.TRAINING, "title")
        assert not consents.allows(Purpose.TRAINING)
        assert not consents.allows(Purpose.MARKETING, "plan")

    async def test_a_purpose_withdrawn_takes_its_fields_along(self, store: ConsentStore) -> None:
        await store.record(replace(TRAINING, field="plan"))
        await store.record(WITHDRAWN)
        assert not (await store.of("t", "ana")).allows(Purpose.TRAINING, "plan")
        await store.record(replace(TRAINING, field="plan"))
        assert (await store.of("t", "ana")).allows(Purpose.TRAINING, "plan")

    async def test_a_field_withdrawn_comes_back_only_by_itself(self, store: ConsentStore) -> None:
        await store.record(replace(WITHDRAWN, field="plan"))
        await store.record(TRAINING)
        consents = await store.of("t", "ana")
        assert consents.allows(Purpose.TRAINING, "title")
        assert not consents.allows(Purpose.TRAINING, "plan")

    async def test_subjects_and_tenants_are_apart(self, store: ConsentStore) -> None:
        await store.record(TRAINING)
        for other in (("t", "eve"), ("t2", "ana")):
            assert not (await store.of(*other)).allows(Purpose.TRAINING)
            assert await store.trail(*other) == ()

    async def test_the_trail_holds_all_that_was_said(self, store: ConsentStore) -> None:
        east = datetime.fromisoformat("2026-03-02T15:00:00.000123+01:00")
        said = (TRAINING, replace(WITHDRAWN, field="plan", at=east), WITHDRAWN)
        entries = [await store.record(statement) for statement in said]
        assert entries == [Entry(number, one) for number, one in enumerate(said, 1)]
        assert await store.trail("t", "ana") == tuple(entries)

    async def test_statements_at_once_all_stay(self, store: ConsentStore) -> None:
        said = [replace(TRAINING, recorded_by=f"host-{n}") for n in range(8)]
        entries = await asyncio.gather(*(store.record(statement) for statement in said))
        assert sorted(entry.number for entry in entries) == list(range(1, 9))
        trail = await store.trail("t", "ana")
        assert sorted(trail, key=lambda e: e.said.recorded_by) == sorted(
            entries, key=lambda e: e.said.recorded_by
        )

    async def test_the_export_has_a_line_an_entry(self, store: ConsentStore) -> None:
        await store.record(replace(WITHDRAWN, field="plan"))
        (line,) = exported(await store.trail("t", "ana"))
        assert json.loads(line) == {
            "number": 1,
            "subject": "ana",
            "purpose": "training",
            "field": "plan",
            "state": "withdrawn",
            "text_version": "consent-3",
            "channel": "preferences",
            "at": "2026-03-02T12:00:00.000000+00:00",
            "recorded_by": "ana",
        }

    async def test_who_is_forgotten_leaves_a_mac_and_the_fact(self, store: ConsentStore) -> None:
        for statement in (TRAINING, WITHDRAWN, replace(TRAINING, subject="eve")):
            await store.record(statement)
        erasure = await store.forget("t", "ana", NOON)
        assert (erasure.tenant, erasure.number, erasure.entries, erasure.at) == ("t", 1, 2, NOON)
        assert len(erasure.subject_mac) == 64
        assert await store.trail("t", "ana") == ()
        assert await store.erasures("t", "ana") == (erasure,)
        assert (await store.of("t", "eve")).allows(Purpose.TRAINING)
        assert await store.erasures("t", "eve") == await store.erasures("t2", "ana") == ()

    async def test_forgetting_again_changes_nothing(self, store: ConsentStore) -> None:
        await store.record(TRAINING)
        erasure = await store.forget("t", "ana", NOON)
        assert await store.forget("t", "ana", NOON + timedelta(days=1)) == erasure
        assert await store.erasures("t", "ana") == (erasure,)

    async def test_who_said_nothing_is_forgotten_too(self, store: ConsentStore) -> None:
        assert (await store.forget("t", "ana", NOON)).entries == 0
        assert len(await store.erasures("t", "ana")) == 1

    async def test_who_comes_back_starts_anew(self, store: ConsentStore) -> None:
        await store.record(TRAINING)
        await store.forget("t", "ana", NOON)
        assert not (await store.of("t", "ana")).allows(Purpose.TRAINING)
        assert (await store.record(TRAINING)).number == 1
        second = await store.forget("t", "ana", NOON + timedelta(days=1))
        assert (second.number, second.entries) == (2, 1)
        assert len(await store.erasures("t", "ana")) == 2

    async def test_forgetting_while_they_speak_loses_neither(self, store: ConsentStore) -> None:
        await store.record(TRAINING)
        _, erasure = await asyncio.gather(store.record(WITHDRAWN), store.forget("t", "ana", NOON))
        left = await store.trail("t", "ana")
        assert erasure.entries + len(left) == 2
        assert [entry.number for entry in left] == list(range(1, len(left) + 1))
