"""Consent over generated histories: the newest statement wins, a withdrawal is in effect within
60 s, and no field is kept without a tag and a consent.

`EMBARK_TEST_CONSENT_EVENTS` sets the number of events; 10,000 in a soak.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from guardrails.consent import (
    CachedConsents,
    Consents,
    ConsentStore,
    Entry,
    Erasure,
    Purpose,
    Statement,
    effective,
    filter_fields,
)
from guardrails.consent.memory import MemoryConsents
from guardrails.consent.sql import SqlConsents, upgrade
from guardrails.consent.state import Topic
from tests.contracts.consent import KEY, TRAINING
from tools.store.engine import open_engine

FIELDS = ("plan", "title", "seats")
EVENTS = int(os.environ.get("EMBARK_TEST_CONSENT_EVENTS", "500"))  # safety reference, row 38
LIMIT_S = 60.0
names = st.none() | st.sampled_from(FIELDS)
statements = st.builds(
    lambda purpose, field, given: replace(TRAINING, purpose=purpose, field=field, given=given),
    st.sampled_from(Purpose),
    names,
    st.booleans(),
)
histories = st.lists(statements, max_size=25)
subjects = (f"subject-{number}" for number in count())


class Slate:
    """The rule again, as switches that each statement sets: what `Consents` must come to."""

    def __init__(self) -> None:
        self.whole = {purpose: purpose is Purpose.SUPPORT for purpose in Purpose}
        self.own: dict[tuple[Purpose, str], bool] = {}

    def hear(self, statement: Statement) -> None:
        if statement.field is not None:
            self.own[statement.purpose, statement.field] = statement.given
            return
        self.whole[statement.purpose] = statement.given
        if not statement.given:
            for field in FIELDS:
                if self.own.get((statement.purpose, field)):
                    del self.own[statement.purpose, field]

    def allows(self, purpose: Purpose, field: str | None) -> bool:
        return self.own.get((purpose, field or ""), self.whole[purpose])


def all_topics() -> list[Topic]:
    return [(purpose, field) for purpose in Purpose for field in (None, *FIELDS)]


@given(histories)
@settings(max_examples=300)
def test_the_newest_statement_wins(history: list[Statement]) -> None:
    async def told(store: ConsentStore) -> Consents:
        for statement in history:
            await store.record(statement)
        return await store.of("t", "ana")

    slate = Slate()
    for statement in history:
        slate.hear(statement)
    consents = asyncio.run(told(MemoryConsents(KEY)))
    for topic in all_topics():
        assert consents.allows(*topic) == slate.allows(*topic), topic


def test_sql_comes_to_the_same_state_as_memory() -> None:
    engine = open_engine("sqlite://")
    upgrade(engine)

    @given(histories)
    @settings(max_examples=60)
    def same(history: list[Statement]) -> None:
        stores: tuple[ConsentStore, ...] = (MemoryConsents(KEY), SqlConsents(engine, KEY))
        subject = next(subjects)

        async def told(store: ConsentStore) -> Consents:
            for statement in history:
                await store.record(replace(statement, subject=subject))
            return await store.of("t", subject)

        memory, sql = (asyncio.run(told(store)) for store in stores)
        assert memory == sql

    same()
    engine.dispose()


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class SlowConsents:
    """A store of which a reading takes `takes_s`; what it returns is as of its beginning, and
    `meanwhile` happens right after."""

    def __init__(self, clock: Clock) -> None:
        self.inner = MemoryConsents(KEY)
        self.takes_s = 0.0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self._clock = clock

    async def of(self, tenant: str, subject: str) -> Consents:
        found = await self.inner.of(tenant, subject)
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
        self._clock.now += self.takes_s
        return found

    async def of_all(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Consents]:
        return {subject: await self.of(tenant, subject) for subject in subjects}

    async def record(self, statement: Statement) -> Entry:
        return await self.inner.record(statement)

    async def trail(self, tenant: str, subject: str) -> tuple[Entry, ...]:
        return await self.inner.trail(tenant, subject)

    async def forget(self, tenant: str, subject: str, now: datetime) -> Erasure:
        return await self.inner.forget(tenant, subject, now)

    async def erasures(self, tenant: str, subject: str) -> tuple[Erasure, ...]:
        return await self.inner.erasures(tenant, subject)


class Step(NamedTuple):
    """Somebody says something, time passes, consents are read, meanwhile more is said."""

    said: Statement | None
    pause_s: float
    takes_s: float
    meanwhile: Statement | None


class Watch:
    """Who withdrew what, and when, beside the store that records it."""

    def __init__(self, store: ConsentStore, clock: Clock) -> None:
        self.withdrawn: dict[Topic, float] = dict.fromkeys(all_topics(), -LIMIT_S)
        self._store, self._clock, self._slate = store, clock, Slate()
        self._look()

    async def hear(self, statement: Statement) -> None:
        await self._store.record(statement)
        self._slate.hear(statement)
        self._look()

    def _look(self) -> None:
        for topic in all_topics():
            if self._slate.allows(*topic):
                self.withdrawn.pop(topic, None)
            else:
                self.withdrawn.setdefault(topic, self._clock.now)


perhaps = st.none() | statements
steps = st.builds(
    Step, perhaps, st.sampled_from((0, 10, 29, 31, 45, 60)), st.sampled_from((0, 15, 30)), perhaps
)


@given(st.lists(steps, min_size=2, max_size=8), st.sampled_from((0, 30, 59, LIMIT_S)))
@settings(max_examples=EVENTS)
def test_a_withdrawal_is_in_effect_within_60_s(history: list[Step], age_s: float) -> None:
    """Somebody else records, before and during readings: nothing that was withdrawn 60 s before
    the question is allowed in the answer."""

    async def lived() -> None:
        clock = Clock()
        store = SlowConsents(clock)
        reader = CachedConsents(store, age_s, clock)
        watch = Watch(store, clock)
        for step in history:
            if step.said is not None:
                await watch.hear(step.said)
            clock.now += step.pause_s
            before = dict(watch.withdrawn)
            asked, store.takes_s = clock.now, step.takes_s
            if step.meanwhile is not None:
                store.meanwhile = partial(watch.hear, step.meanwhile)
            consents = await reader.of("t", "ana")
            store.meanwhile = None
            for topic, since in before.items():
                assert asked - since < LIMIT_S or not consents.allows(*topic)

    asyncio.run(lived())


values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
field_names = st.sampled_from((*FIELDS, "email", "ip", "note"))
tags = st.dictionaries(field_names, st.frozensets(st.sampled_from(Purpose)))


@given(st.dictionaries(field_names, values), tags, histories)
@settings(max_examples=EVENTS)
def test_no_field_is_kept_without_a_tag_and_a_consent(
    fields: dict[str, JsonValue], tagged: dict[str, frozenset[Purpose]], history: list[Statement]
) -> None:
    slate = Slate()
    for statement in history:
        slate.hear(statement)
    consents = effective(Entry(number, said) for number, said in enumerate(history, 1))
    filtered = filter_fields(fields, tagged, consents)
    dropped = {*filtered.untagged, *filtered.unconsented}
    assert filtered.kept.keys() | dropped == fields.keys()
    assert not filtered.kept.keys() & dropped
    for name, kept in filtered.kept.items():
        assert kept.value == fields[name]
        assert kept.purposes == {p for p in tagged[name] if slate.allows(p, name)} != frozenset()
    for purpose in Purpose:
        allowed = {n for n in fields if purpose in tagged.get(n, ()) and slate.allows(purpose, n)}
        assert filtered.serving(purpose).keys() == allowed
