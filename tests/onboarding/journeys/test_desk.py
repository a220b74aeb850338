"""A person's journey over its store: begun once, kept on its version, the same on two devices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from onboarding.journeys import Catalogue, load_sources
from onboarding.rules import Moment
from onboarding.store.journeys import (
    CatalogueStore,
    CurrentCatalogues,
    Draft,
    JourneyDesk,
    ProgressStore,
    Switch,
)
from onboarding.store.journeys.catalogue_memory import MemoryCatalogues
from onboarding.store.journeys.catalogue_sql import SqlCatalogues
from onboarding.store.journeys.desk import StepNotOpenError
from onboarding.store.journeys.progress_memory import MemoryProgress
from onboarding.store.journeys.progress_sql import SqlProgress, upgrade
from onboarding.types import Mode, Person, StepState
from tests.guardrails.databases import sqlite
from tests.onboarding.journeys.files import GOAL, STEPS, TEXT, catalogue, journey, kit, play
from tests.onboarding.rules.worlds import NOW, TENANT, event, fact, world

ANA = Person(TENANT, "ana", "acme")
TOM = Person(TENANT, "tom", "acme")
DAY = timedelta(days=1)
SHARE = f"  - {{id: share, action: share, optional: true, scope: account, title: {TEXT}}}\n"
ONE = journey(GOAL, "kits: true", "priority: 5", "exclusive: first", steps=STEPS + SHARE)


class House:
    """One tenant with its stores; every device has a desk of its own."""

    def __init__(self, progress: ProgressStore, files: CatalogueStore) -> None:
        self.progress, self.files = progress, files

    @property
    def desk(self) -> JourneyDesk:
        """Another process."""
        return JourneyDesk(self.progress, CurrentCatalogues(self.files))

    async def publish(self, *texts: str) -> None:
        sources = catalogue(*texts).sources
        expected = await self.files.pointer(TENANT)
        await self.files.publish(TENANT, Draft(sources, "growth", NOW), expected)

    async def seen(self, view: Moment, person: Person = ANA) -> dict[str, str]:
        """Step by step, on a device of its own."""
        standing = await self.desk.standing(person, view)
        steps = standing.progress.steps if standing is not None else ()
        return {step.id: step.state.value for step in steps}


@pytest.fixture(params=["memory", "sqlite"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    if request.param == "memory":
        yield House(MemoryProgress(), MemoryCatalogues())
    else:
        with sqlite(tmp_path, upgrade) as engine:
            yield House(SqlProgress(engine), SqlCatalogues(engine))


async def test_without_files_nobody_has_a_journey(house: House) -> None:
    assert await house.desk.standing(ANA, world()) is None
    assert await house.desk.plays(ANA, world(), reached=True) == ()


async def test_two_devices_agree_and_begin_once(house: House) -> None:
    await house.publish(ONE)
    view = world([event("Connected", DAY)])
    seen = await asyncio.gather(*(house.seen(view) for _ in range(4)))
    assert seen == [{"connect": "done", "view": "open", "share": "open"}] * 4
    (only,) = await house.progress.of(TENANT, "ana")
    assert (only.ref, only.entry) == ("first@1", 1)
    await house.desk.choose(ANA, Mode.ADVANCED, NOW)
    standing = await house.desk.standing(ANA, view)
    assert standing is not None
    assert standing.progress.mode is Mode.ADVANCED


async def test_what_was_seen_once_is_kept_when_its_event_is_gone(house: House) -> None:
    await house.publish(ONE)
    await house.seen(world([event("Connected", DAY)]))
    later = await house.desk.standing(ANA, world(now=NOW + 400 * DAY))
    assert later is not None
    step = later.progress.steps[0]
    assert (step.state, step.evidence) == (StepState.DONE, ("ana-Connected-86400",))
    assert step.done_at == NOW - DAY


async def test_an_account_step_is_done_for_the_colleague(house: House) -> None:
    await house.publish(ONE)
    await house.seen(world())
    await house.desk.complete(ANA, "share", NOW, ["receipt-1"])
    tom = await house.desk.standing(TOM, world())
    assert tom is not None
    step = tom.progress.steps[-1]
    assert (step.state, step.by, step.evidence) == (StepState.DONE, "ana", ("receipt-1",))


async def test_a_new_version_is_for_those_who_begin_later(house: House) -> None:
    await house.publish(ONE)
    await house.seen(world())
    longer = journey(
        GOAL, version=2, steps=STEPS + f"  - {{id: new, action: kit, title: {TEXT}}}\n"
    )
    await house.publish(longer)
    assert "new" not in await house.seen(world())
    assert "new" in await house.seen(world(), TOM)
    assert dict(await house.progress.running(TENANT)) == {"first@1": 1, "first@2": 1}


async def test_an_edited_journey_does_not_open_a_finished_list_again(house: House) -> None:
    await house.publish(ONE)
    done = world([event("Connected", 2 * DAY), event("Viewed", DAY)])
    await house.seen(done)
    finished = await house.desk.standing(ANA, done)
    assert finished is not None
    assert finished.enrolment.finished_at is not None
    steps = STEPS + f"  - {{id: new, action: kit, title: {TEXT}}}\n"
    moves = "migrate: {from: 1, drop: [share]}"
    await house.publish(journey(GOAL, moves, version=2, steps=steps))
    after = await house.desk.standing(ANA, replace(done, now=NOW + DAY))
    assert after is not None
    assert after.enrolment.ref == "first@1"
    assert after.progress == replace(finished.progress, steps=after.progress.steps)
    assert "open" not in {step.state.value for step in after.progress.steps}
    assert after.progress.share == 1.0


async def test_a_migration_takes_everybody_along_once(house: House) -> None:
    await house.publish(ONE)
    await house.seen(world([event("Connected", DAY)]))
    steps = STEPS.replace("id: connect", "id: link").replace("[connect]", "[link]")
    moves = "migrate: {from: 1, map: {connect: link}, drop: [share]}"
    await house.publish(journey(GOAL, moves, version=2, steps=steps))
    seen = await asyncio.gather(*(house.seen(world()) for _ in range(3)))
    assert seen == [{"link": "done", "view": "open"}] * 3
    (only,) = await house.progress.of(TENANT, "ana")
    assert only.ref == "first@2"


async def test_a_migration_that_loses_a_step_moves_nobody(house: House) -> None:
    await house.publish(ONE)
    await house.seen(world())
    await house.publish(journey(GOAL, "migrate: {from: 1}", version=2))
    assert set(await house.seen(world())) == {"connect", "view", "share"}


async def test_a_rollback_counts_at_once_and_strands_nobody(house: House) -> None:
    await house.publish(ONE)
    await house.publish(journey(GOAL, version=2))
    await house.seen(world())
    desk = house.desk  # which has read release 2
    assert (await _ref(desk, TOM)) == "first@2"
    await house.files.switch(TENANT, Switch(1, "ops", NOW, "fewer connected"))
    assert (await _ref(desk, Person(TENANT, "eve"))) == "first@1"
    assert (await _ref(desk, ANA)) == "first@2"  # the version that they started


async def _ref(desk: JourneyDesk, person: Person) -> str:
    standing = await desk.standing(person, world())
    assert standing is not None
    return standing.enrolment.ref


async def test_entry_asks_for_its_event_and_counts_how_often(house: House) -> None:
    entry = "entry: {on: Signed Up, max: 2, every: 30d}"
    await house.publish(
        journey(GOAL, entry, "exit: [audience_left]", "audience: {state.mfa: true}")
    )
    there, gone = {"mfa": True}, {"mfa": False}
    assert await house.seen(world(states=there)) == {}

    def at(days: int, states: dict[str, bool]) -> Moment:
        signed = [event("Signed Up", 3 * DAY)]
        return world(signed, states=dict(states), now=NOW + days * DAY)

    assert await house.seen(at(0, there)) != {}
    assert await house.seen(at(1, gone)) == {}  # who left has none
    assert await house.seen(at(2, there)) == {}  # too soon
    assert await house.seen(at(31, there)) != {}
    assert await house.seen(at(32, gone)) == {}
    assert await house.seen(at(99, there)) == {}  # too often
    entries = [(e.entry, e.left_why) for e in await house.progress.of(TENANT, "ana")]
    assert entries == [(1, "audience_left"), (2, "audience_left")]


async def test_a_role_that_becomes_known_changes_the_journey_and_keeps_the_steps(
    house: House,
) -> None:
    unknown = journey(GOAL, "audience: {profile.role: unknown}", "exit: [audience_left]",
                      "priority: 9", name="rest")  # fmt: skip
    admin = journey(GOAL, "audience: {profile.role: admin}", "priority: 1", name="admin")
    await house.publish(unknown, admin)
    events = [event("Connected", DAY)]
    assert set(await house.seen(world(events))) == {"connect", "view"}
    (first,) = await house.progress.of(TENANT, "ana")
    assert first.ref == "rest@1"
    declared = world(events, [fact("role", "admin")])
    standing = await house.desk.standing(ANA, declared)
    assert standing is not None
    assert standing.enrolment.ref == "admin@1"
    assert standing.progress.steps[0].state is StepState.DONE


async def test_who_takes_their_consent_back_leaves(house: House) -> None:
    await house.publish(journey(GOAL, "exit: [consent_withdrawn]"))
    await house.seen(world())
    assert await house.desk.standing(ANA, world(), consented=False) is None
    (left,) = await house.progress.of(TENANT, "ana")
    assert left.left_why == "consent_withdrawn"
    assert await house.desk.standing(TOM, world(), consented=False) is None
    assert await house.progress.of(TENANT, "tom") == ()


async def test_only_what_is_optional_can_be_left_out(house: House) -> None:
    await house.publish(ONE)
    await house.seen(world())
    with pytest.raises(StepNotOpenError):
        await house.desk.skip(ANA, "connect", world())
    standing = await house.desk.skip(ANA, "share", world())
    assert standing is not None
    assert standing.progress.steps[-1].state is StepState.SKIPPED
    assert (await house.seen(world(), TOM))["share"] == "open"  # theirs alone
    await house.desk.complete(TOM, "share", NOW)
    assert (await house.seen(world()))["share"] == "done"


async def test_plays_begin_are_tracked_and_end(house: House) -> None:
    offer = play("kpi: activated", "purpose: marketing", "after_goal: true",
                 "goal: {event: Shared, within: 7d}", "audience: {event: Viewed}")  # fmt: skip
    await house.publish(ONE, offer)
    view = world([event("Viewed", DAY)])
    assert await house.desk.plays(ANA, view, reached=False) == ()
    (standing,) = await house.desk.plays(ANA, view, reached=True)
    assert (standing.enrolment.ref, standing.progress.reached_at) == ("push@1", None)
    done = world([event(n, DAY * i) for n, i in (("Viewed", 3), ("Connected", 2), ("Shared", 1))])
    later = replace(done, now=NOW + DAY)
    ended = await house.desk.plays(ANA, later, reached=True)
    assert ended == ()
    assert await house.desk.plays(ANA, later, reached=True) == ()
    own = await house.desk.standing(ANA, view)
    assert own is not None
    assert own.enrolment.journey == "first"  # a play is not the journey


async def test_a_kit_is_kept_with_the_journey(house: House) -> None:
    fintech = kit(
        "industry: fintech",
        "persona: admin",
        "action: apply_kit",
        f"alerts: [{{id: a, title: {TEXT}, with: {{threshold: 3}}}}]",
        f"compliance: [{{id: n, text: {TEXT}, source: PCI DSS}}]",
        f"steps: [{{id: kit, action: kit, title: {TEXT}}}]",
    )
    await house.publish(ONE, fintech)
    known = world(facts=[fact("role", "admin"), fact("industry", "fintech")])
    assert "kit" in await house.seen(known)
    await house.publish(ONE)  # the kit is not offered any more
    assert "kit" in await house.seen(world())
    assert "kit" not in await house.seen(known, TOM)


async def test_an_anonymous_way_is_taken_along_at_sign_in(house: House) -> None:
    await house.publish(ONE)
    anonymous = Person(TENANT, "anon-1")
    await house.seen(world([event("Connected", DAY)]), anonymous)
    await house.progress.merge(TENANT, "anon-1", "ana")
    assert (await house.seen(world()))["connect"] == "done"
    assert await house.progress.of(TENANT, "anon-1") == ()


def test_stored_texts_are_the_same_catalogue() -> None:
    files = catalogue(ONE)
    again: Catalogue = load_sources(files.sources)
    assert again.digest == files.digest
    assert again.journeys == files.journeys
