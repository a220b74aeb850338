"""People go silent: time passes, their risk grows, and what is due to them is planned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from onboarding.interventions import Channel
from onboarding.store.events.engine import upgrade as upgrade_events
from onboarding.store.features import sql as features_sql
from onboarding.store.interventions import sql as interventions_sql
from onboarding.store.interventions.store import Wanted
from onboarding.store.journeys import progress_sql
from onboarding.store.profile import sql as profile_sql
from onboarding.store.ranking import sql as ranking_sql
from onboarding.types import Person
from tests.guardrails.databases import sqlite
from tests.onboarding.engine.floor import NOON, TENANT, Floor

ANA = Person(TENANT, "ana", "acme")
PARTS = (features_sql, profile_sql, progress_sql, ranking_sql, interventions_sql)


def _tables(engine: Engine) -> None:
    upgrade_events(engine, NOON)
    for part in PARTS:
        part.upgrade(engine)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path, _tables) as engine:
        yield engine


@pytest.fixture
async def floor(database: Engine) -> AsyncIterator[Floor]:
    """Over SQL: Ana administers, has signed up, and agreed."""
    floor = await Floor.open(database=database)
    await floor.agrees("ana")
    await floor.identifies("ana", role="owner", plan="team")
    await floor.tells("ana", "Signed Up", plan="team")
    await floor.tells("ana", "Signed In")
    yield floor


async def risk(floor: Floor, step: str = "connect") -> float:
    moment = await floor.engine.moments.of(ANA, floor.clock())
    assert moment is not None
    return moment.stalled(step)


async def planned(floor: Floor) -> dict[str, Channel]:
    """Templates that wait for Ana, with their channels."""
    found = await floor.stores.deliveries.deliveries(TENANT, Wanted("ana"))
    return {each.message.template: each.message.channel for each in found}


async def passes(floor: Floor, hours: int, every: int = 1) -> int:
    """So many hours of silence, the sweep at work; how often Ana was looked at."""
    looks = 0
    for _ in range(0, hours, every):
        floor.later(hours=every)
        looks += await floor.engine.silences.visit()
    return looks


async def test_before_there_is_a_model_the_risk_is_the_rules_and_grows(floor: Floor) -> None:
    fresh = await risk(floor)
    assert fresh == pytest.approx(0.25)
    floor.later(days=3)
    silent = await risk(floor)
    floor.later(days=7)
    assert 0.5 < silent < await risk(floor) < 0.95


async def test_what_is_done_or_not_theirs_has_no_risk(floor: Floor) -> None:
    assert await risk(floor, "export") == 0.0
    await floor.tells("ana", "Import Finished", mode="full", rows=9, state="succeeded")
    floor.later(days=3)
    assert await risk(floor) == 0.0
    left = await risk(floor, "dashboard")
    assert 0.3 < left < 0.6  # one step is done: less likely than of a newcomer
    floor.later(days=-3)
    await floor.tells("ana", "Dashboard Created")
    assert await risk(floor, "invite") < 0.2


async def test_without_consent_there_is_no_risk(floor: Floor) -> None:
    await floor.agrees("ana", given=False)
    assert await floor.engine.moments.of(ANA, floor.clock()) is None


async def test_the_stalled_admin_is_written_to_though_nothing_happens(floor: Floor) -> None:
    assert "connect-help" not in await planned(floor)
    assert await passes(floor, 9, every=3) == 3
    assert await risk(floor) < 0.3
    assert "connect-help" not in await planned(floor)
    await passes(floor, 6, every=3)
    assert await risk(floor) >= 0.3
    assert (await planned(floor))["connect-help"] is Channel.EMAIL


async def test_activation_coaching_reaches_who_stalls(floor: Floor) -> None:
    await passes(floor, 18, every=3)
    assert (await planned(floor))["connect-tip"] is Channel.IN_APP
    ways = await floor.stores.progress.of(TENANT, "ana")
    assert "activation-coaching" in {each.journey for each in ways}


async def test_churn_reduction_reaches_who_is_away(floor: Floor) -> None:
    await floor.tells("ana", "Import Finished", mode="full", rows=9, state="succeeded")
    await passes(floor, 24 * 9, every=24)
    assert "what-changed" not in await planned(floor)
    await passes(floor, 48, every=24)
    assert (await planned(floor))["what-changed"] is Channel.EMAIL
    assert "what-was-missing" not in await planned(floor)
    await passes(floor, 24 * 8, every=24)
    assert "what-was-missing" in await planned(floor)


async def test_who_comes_back_is_not_looked_at(floor: Floor) -> None:
    floor.later(minutes=59)
    await floor.tells("ana", "Signed In")
    floor.later(minutes=59)
    assert await floor.engine.silences.visit() == 0
    floor.later(minutes=1)
    assert await floor.engine.silences.visit() == 1


async def test_two_processes_look_once(floor: Floor) -> None:
    other = floor.another()
    floor.later(hours=1)
    looks = [await each.silences.visit() for each in (floor.engine, other, floor.engine)]
    assert looks == [1, 0, 0]


async def test_an_idle_stall_is_found_where_the_risk_grows_later(floor: Floor) -> None:
    """Half an hour after the step was shown the risk is too low; it is asked for again."""
    await floor.tells("ana", "step_shown", step="connect")
    found: list[tuple[str, float]] = []
    began = floor.clock()
    for _ in range(40):
        floor.later(minutes=30)
        for each in await floor.engine.frictions.visit(TENANT, floor.clock()):
            hours = (floor.clock() - began) / timedelta(hours=1)
            found.append((each.friction.detector, hours))
    assert [name for name, _ in found] == ["idle_stall"]
    assert 10 < found[0][1] < 14
