"""What is remembered event by event is what the log says, at every decision, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from onboarding.events import EventLog
from onboarding.events.memory import MemoryEventLog
from onboarding.features.memory import MemoryFeatures
from onboarding.features.offline import Asked, Known, replayed
from onboarding.features.store import FeatureStore
from onboarding.store.events.engine import upgrade as upgrade_events
from onboarding.store.events.grouping import Grouped
from onboarding.store.events.log import SqlEventLog
from onboarding.store.features import sql
from onboarding.store.features.replay import SqlReplay
from onboarding.store.features.sql import SqlFeatures
from onboarding.types import Snapshot
from tests.contracts.events import mac
from tests.guardrails.databases import postgres, sqlite
from tests.onboarding.features.streams import START, Online, differences, features, run


def known(done: Online, asked: Sequence[Asked], *, of_account: bool) -> list[Known]:
    """What was known at each decision, worked out by hand."""
    found: list[Known] = []
    for place, each in enumerate(asked):
        ids = {k.anonymous for k in done.links if k.user == each.person.user and k.at <= each.at}
        for event in done.stored:
            own = event.user == each.person.user or (event.user is None and event.anonymous in ids)
            shared = event.account is not None and event.account == each.person.account
            analysed = "product_analytics" in event.purposes
            wanted = shared if of_account else own
            if event.received_at <= each.at and wanted and analysed:
                found.append(Known(place, event))
    return found


def offline(done: Online, asked: Sequence[Asked]) -> tuple[Snapshot, ...]:
    own, account = (known(done, asked, of_account=flag) for flag in (False, True))
    return replayed(features(), asked, own, account)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_online_is_offline(seed: int) -> None:
    done = asyncio.run(run(seed, MemoryEventLog(mac), MemoryFeatures()))
    for online, twin in zip(done.snapshots, offline(done, done.asked), strict=True):
        assert differences(online, twin) == {}
        assert 0 <= float(online.values["engagement"]) <= 100


def test_streams_say_something() -> None:
    """A stream in which nothing happens would agree with anything."""
    seen: dict[str, set[object]] = {}
    for seed in range(40):
        for each in asyncio.run(run(seed, MemoryEventLog(mac), MemoryFeatures())).snapshots:
            for name, value in each.values.items():
                seen.setdefault(name, set()).add(value)
    never_given = {"steps_left", "time_in_step", "days_since_progress", "is_advanced"}
    assert {name for name, values in seen.items() if len(values) < 2} == never_given


def test_nothing_leaks_from_after_a_decision() -> None:
    """What comes a second after it, or happened before and comes after, changes nothing."""
    done = asyncio.run(run(7, MemoryEventLog(mac), MemoryFeatures()))
    asked = done.asked[2]
    before = offline(done, [asked])[0]
    later = [
        replace(
            event,
            message_id=f"late-{event.message_id}",
            occurred_at=asked.at - timedelta(minutes=5),
            received_at=asked.at + timedelta(seconds=1),
        )
        for event in done.stored
    ]
    done.stored.extend(later)
    assert differences(before, offline(done, [asked])[0]) == {}
    then = replace(asked, at=asked.at + timedelta(seconds=2))
    assert differences(before, offline(done, [then])[0]) != {}


def test_the_order_of_arrival_does_not_matter() -> None:
    done = asyncio.run(run(11, MemoryEventLog(mac), MemoryFeatures()))
    end = max(event.received_at for event in done.stored) + timedelta(seconds=1)
    asked = [replace(each, at=end) for each in done.asked]
    first = offline(done, asked)
    done.stored.reverse()
    for one, other in zip(first, offline(done, asked), strict=True):
        assert differences(one, other) == {}


@contextmanager
def on_sqlite(folder: Path) -> Iterator[Engine]:
    with sqlite(folder, partial(upgrade_events, now=START)) as engine:
        sql.upgrade(engine)
        yield engine


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        with on_sqlite(tmp_path) as opened:
            yield opened
        return
    with postgres(partial(upgrade_events, now=START)) as opened:
        sql.upgrade(opened)
        yield opened


async def test_the_database_says_the_same(engine: Engine) -> None:
    log: EventLog = SqlEventLog(engine, mac, Grouped(linger_s=0.0))
    store: FeatureStore = SqlFeatures(engine)
    done = await run(3, log, store, decisions=5)
    replay = await SqlReplay(engine).snapshots("t", features(), done.asked)
    by_hand = offline(done, done.asked)
    for online, twin, checked in zip(done.snapshots, replay, by_hand, strict=True):
        assert differences(online, twin) == {}
        assert differences(online, checked) == {}
