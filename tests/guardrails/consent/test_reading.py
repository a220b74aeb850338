"""The cached reader, fields by purpose, and what a statement may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from typing_extensions import override

from guardrails.consent import (
    NOTHING_SAID,
    CachedConsents,
    Consents,
    Permission,
    Purpose,
    Statement,
    filter_fields,
)
from guardrails.consent.memory import MemoryConsents
from guardrails.store import StoreUnavailableError
from tests.contracts.consent import KEY, TRAINING, WITHDRAWN
from tests.guardrails.consent.test_properties import Clock


class Counting(MemoryConsents):
    """Counts readings; while `away` there are none."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.readings = 0
        self.away = False

    @override
    async def of(self, tenant: str, subject: str) -> Consents:
        self.readings += 1
        if self.away:
            raise StoreUnavailableError("away")
        return await super().of(tenant, subject)


async def test_a_young_reading_costs_no_other() -> None:
    clock, store = Clock(), Counting()
    reader = CachedConsents(store, 30, clock)
    await store.record(TRAINING)
    for clock.now in (0, 10, 29.9):
        await reader.of("t", "ana")
    assert store.readings == 1
    clock.now = 30
    await reader.of("t", "ana")
    assert store.readings == 2


async def test_what_somebody_says_first_counts_at_once_in_another_process() -> None:
    clock, store = Clock(), Counting()
    reader = CachedConsents(store, 30, clock)
    for clock.now in (0, 0.4):
        assert not (await reader.of("t", "ana")).allows(Purpose.TRAINING)
    assert store.readings == 1
    await store.record(TRAINING)
    clock.now = 0.5
    assert (await reader.of("t", "ana")).allows(Purpose.TRAINING)


async def test_of_many_only_those_are_read_that_are_not_young() -> None:
    clock, store = Clock(), Counting()
    reader = CachedConsents(store, 30, clock)
    for subject in ("ana", "bo"):
        await store.record(replace(TRAINING, subject=subject))
    await reader.of("t", "ana")
    clock.now = 20
    assert (await reader.of_all("t", ["ana", "bo"])).keys() == {"ana", "bo"}
    assert store.readings == 2
    clock.now = 31
    await reader.of_all("t", ["ana", "bo"])
    assert store.readings == 3
    store.away = True
    assert await Permission(reader).who_may("t", ["ana", "bo"], Purpose.SUPPORT) == {"ana", "bo"}
    assert await Permission(reader).who_may("t", ["ana", "cy"], Purpose.SUPPORT) == frozenset()


async def test_what_is_said_here_is_seen_at_once() -> None:
    store = Counting()
    reader = CachedConsents(store, 60, Clock())
    await store.record(TRAINING)
    assert (await reader.of("t", "ana")).allows(Purpose.TRAINING)
    await store.record(WITHDRAWN)
    assert (await reader.of("t", "ana")).allows(Purpose.TRAINING)  # recorded elsewhere, still young
    reader.drop("t", "ana")
    assert not (await reader.of("t", "ana")).allows(Purpose.TRAINING)


async def test_an_old_reading_is_not_told_when_the_store_is_away() -> None:
    clock, store = Clock(), Counting()
    reader = CachedConsents(store, 60, clock)
    await reader.of("t", "ana")
    store.away = True
    clock.now = 59.9
    assert (await reader.of("t", "ana")).allows(Purpose.SUPPORT)
    clock.now = 60
    with pytest.raises(StoreUnavailableError):
        await reader.of("t", "ana")


@pytest.mark.parametrize("age_s", [60.1, 3600, -1])
def test_no_reader_may_be_older_than_the_limit(age_s: float) -> None:
    with pytest.raises(ValueError, match="at most 60 s"):
        CachedConsents(MemoryConsents(KEY), age_s)


async def test_the_reader_keeps_as_many_as_it_is_told() -> None:
    store = Counting()
    reader = CachedConsents(store, 60, Clock(), size=2)
    for subject in ("a", "b", "c", "c", "b"):
        await reader.of("t", subject)
    assert store.readings == 3
    await reader.of("t", "a")
    assert store.readings == 4


def test_fields_are_kept_for_the_purposes_that_are_allowed() -> None:
    tags = {
        "plan": frozenset({Purpose.SUPPORT, Purpose.MARKETING}),
        "title": frozenset({Purpose.MARKETING}),
        "ip": frozenset[Purpose](),
    }
    fields = {"plan": "team", "title": "CTO", "ip": "10.0.0.1", "note": "x"}
    filtered = filter_fields(fields, tags, NOTHING_SAID)
    assert filtered.serving(Purpose.SUPPORT) == {"plan": "team"}
    assert filtered.serving(Purpose.MARKETING) == {}
    assert filtered.untagged == ("ip", "note")
    assert filtered.unconsented == ("title",)


WRONG: tuple[Callable[[], Statement], ...] = (
    lambda: replace(TRAINING, tenant=""),
    lambda: replace(TRAINING, tenant="*"),
    lambda: replace(TRAINING, subject="Ana Lopez"),
    lambda: replace(TRAINING, subject="a" * 201),
    lambda: replace(TRAINING, recorded_by="ana\n"),
    lambda: replace(TRAINING, text_version="I agree to everything"),
    lambda: replace(TRAINING, field="ana@acme.io"),
    lambda: replace(TRAINING, field=""),
    lambda: replace(TRAINING, at=TRAINING.at.replace(tzinfo=None)),
)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_statement_takes_references_and_ids_alone(wrong: Callable[[], Statement]) -> None:
    with pytest.raises(ValueError, match=r"no reference|no id|zone|every tenant") as refused:
        wrong()
    assert "ana" not in str(refused.value).lower()
