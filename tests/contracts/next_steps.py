"""What every store of next steps does, and every pointer at the version that serves."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from onboarding.ranking import Snooze, muted, never, snoozed
from onboarding.store.ranking.personal import AgingNextSteps, PersonalNextSteps
from onboarding.store.ranking.rows import dumped
from onboarding.store.ranking.store import Champions, NextSteps
from onboarding.types import Decision, Outcome, OutcomeKind, Person
from tests.onboarding.ranking.making import NOON, decided

DAY = timedelta(days=1)


def made(number: int, user: str = "ana", tenant: str = "t", days: int = 0) -> Decision:
    """A real decision of the curated order, by number."""
    base = decided(seed=number)
    return replace(
        base, id=f"{number:022d}", person=Person(tenant, user, "acme"), at=NOON + days * DAY
    )


def done(decision: Decision, action: str = "connect", days: int = 0) -> Outcome:
    at = decision.at + days * DAY
    return Outcome(decision.id, decision.person, action, OutcomeKind.COMPLETED, at)


class NextStepsContract:
    """Inherited by the test module of each implementation, which provides `store`."""

    @pytest.fixture
    def store(self) -> NextSteps:
        raise NotImplementedError

    async def test_a_decision_comes_back_byte_for_byte(self, store: NextSteps) -> None:
        decision = made(1)
        await store.add(decision)
        found = await store.decision("t", decision.id)
        assert found == decision
        assert dumped(found) == dumped(decision)

    async def test_a_decision_is_stored_once(self, store: NextSteps) -> None:
        await asyncio.gather(*(store.add(made(1)) for _ in range(4)))
        await store.add(replace(made(1), policy="another"))
        assert await store.decisions_of("t", "ana") == (made(1),)

    async def test_the_latest_is_by_time(self, store: NextSteps) -> None:
        for number, days in ((1, 2), (2, 0), (3, 1)):
            await store.add(made(number, days=days))
        latest = await store.latest("t", "ana")
        assert latest is not None
        assert latest.id == made(1).id
        assert await store.latest("t", "eve") is None

    async def test_a_window_leaves_its_end_out(self, store: NextSteps) -> None:
        for number in range(4):
            await store.add(made(number, days=number))
            await store.note(done(made(number, days=number)))
        window = ("t", NOON + DAY, NOON + 3 * DAY)
        assert [each.at for each in await store.decisions(*window)] == [NOON + DAY, NOON + 2 * DAY]
        assert [each.at for each in await store.outcomes(*window)] == [NOON + DAY, NOON + 2 * DAY]

    async def test_an_outcome_counts_once(self, store: NextSteps) -> None:
        outcome = done(made(1))
        told = await asyncio.gather(*(store.note(outcome) for _ in range(4)))
        assert sorted(told) == [False, False, False, True]
        assert await store.outcomes_of("t", "ana") == (outcome,)

    async def test_a_snooze_acts_at_once_and_ends(self, store: NextSteps) -> None:
        decision = made(1)
        await store.note(snoozed(decision, "connect", Snooze.DAY, NOON))
        mutes = await store.mutes("t", "ana")
        assert muted(mutes, NOON + DAY / 2) == {"connect"}
        assert muted(mutes, NOON + DAY) == frozenset()

    async def test_a_snooze_until_the_next_visit_ends_with_it(self, store: NextSteps) -> None:
        await store.note(snoozed(made(1), "connect", Snooze.NEXT_VISIT, NOON))
        mutes = await store.mutes("t", "ana")
        assert muted(mutes, NOON + 9 * DAY, NOON - DAY) == {"connect"}
        assert muted(mutes, NOON + 9 * DAY, NOON + 8 * DAY) == frozenset()

    async def test_never_stands_until_it_is_undone(self, store: NextSteps) -> None:
        decision = made(1)
        await store.note(never(decision, "connect", NOON))
        await store.note(snoozed(decision, "connect", Snooze.DAY, NOON + DAY))
        assert muted(await store.mutes("t", "ana"), NOON + 900 * DAY) == {"connect"}
        assert await store.undo("t", "ana", "connect")
        assert not await store.undo("t", "ana", "connect")
        assert await store.mutes("t", "ana") == ()

    async def test_never_replaces_a_snooze(self, store: NextSteps) -> None:
        await store.note(snoozed(made(1), "connect", Snooze.DAY, NOON))
        await store.note(never(made(1), "connect", NOON + DAY))
        assert muted(await store.mutes("t", "ana"), NOON + 9 * DAY) == {"connect"}

    async def test_tenants_and_people_are_apart(self, store: NextSteps) -> None:
        for tenant, user in (("t", "ana"), ("t", "eve"), ("t2", "ana")):
            decision = made(1, user, tenant)
            await store.add(replace(decision, id=f"{user}-{tenant}"))
            await store.note(never(decision, "connect", NOON))
        assert [d.id for d in await store.decisions_of("t", "ana")] == ["ana-t"]
        assert await store.decision("t2", "ana-t") is None
        assert await store.erase("t", "ana") == 3
        assert await store.count("t", "eve") == await store.count("t2", "ana") == 3
        assert await store.mutes("t", "ana") == ()

    async def test_a_person_gets_a_copy_and_is_forgotten(self, store: NextSteps) -> None:
        personal = PersonalNextSteps(store)
        await store.add(made(1))
        await store.note(never(made(1), "connect", NOON))
        lines = [json.loads(line) async for line in personal.export("t", "ana")]
        assert [line["kind"] for line in lines[:1]] == ["decision"]
        assert lines[0]["snapshot"]["values"]["role"] == "admin"
        assert len(lines) == await personal.residue("t", "ana") == 3
        assert await personal.erase("t", "ana") == 3
        assert await personal.erase("t", "ana") == await personal.residue("t", "ana") == 0

    async def test_what_is_old_goes_oldest_first(self, store: NextSteps) -> None:
        aging = AgingNextSteps(store)
        for number in range(4):
            await store.add(made(number, days=number))
        await store.add(made(9, "eve"))
        await store.note(done(made(0)))
        await store.note(never(made(0), "invite", NOON))
        border, keep = NOON + 2 * DAY, frozenset({"eve"})
        assert await aging.due("t", border, keep) == 4
        assert await aging.sweep("t", border, keep, 1) == 1
        assert (await store.decisions_of("t", "ana"))[0].at == NOON + DAY
        assert await aging.sweep("t", border, keep) == 3
        assert await aging.sweep("t", border, keep) == await aging.due("t", border, keep) == 0
        assert len(await store.decisions_of("t", "eve")) == 1
        assert muted(await store.mutes("t", "ana"), NOON + 99 * DAY) == {"invite"}


class ChampionsContract:
    """Inherited likewise, which provides `champions`."""

    @pytest.fixture
    def champions(self) -> Champions:
        raise NotImplementedError

    async def test_nothing_serves_at_first(self, champions: Champions) -> None:
        assert await champions.champion("t", "ranker") is None
        assert (await champions.rollback("t", "ranker", "ops", "why", NOON)).version is None

    async def test_a_rollback_goes_back_one_version_each_time(self, champions: Champions) -> None:
        for version in ("v1", "v2", "v3"):
            await champions.promote("t", "ranker", version, "ops", "gate.passed", NOON)
        found = [
            (await champions.rollback("t", "ranker", "ops", "ece", NOON)).version for _ in range(4)
        ]
        assert found == ["v2", "v1", None, None]
        assert len(await champions.moves("t", "ranker")) == 7

    async def test_promoted_again_after_a_rollback(self, champions: Champions) -> None:
        for version in ("v1", "v2"):
            await champions.promote("t", "ranker", version, "ops", "gate.passed", NOON)
        await champions.rollback("t", "ranker", "ops", "ece", NOON)
        await champions.promote("t", "ranker", "v3", "ops", "gate.passed", NOON)
        assert (await champions.rollback("t", "ranker", "ops", "ece", NOON)).version == "v1"

    async def test_slots_and_tenants_are_apart(self, champions: Champions) -> None:
        await champions.promote("t", "ranker", "v1", "ops", "gate.passed", NOON)
        assert await champions.champion("t", "stalls") is None
        assert await champions.champion("t2", "ranker") is None

    async def test_moves_at_once_are_all_kept(self, champions: Champions) -> None:
        moves = (
            champions.promote("t", "ranker", f"v{n}", "ops", "gate.passed", NOON) for n in range(6)
        )
        assert sorted(move.number for move in await asyncio.gather(*moves)) == [1, 2, 3, 4, 5, 6]
        assert len(await champions.moves("t", "ranker")) == 6

    async def test_a_sentence_is_no_reason(self, champions: Champions) -> None:
        with pytest.raises(ValueError, match="reason"):
            await champions.promote("t", "ranker", "v1", "ops", "because I can", NOON)
