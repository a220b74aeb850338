"""What every store of progress and of published files does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from onboarding.journeys import (
    Done,
    Enrolment,
    FileKind,
    GuideMark,
    GuideState,
    Moved,
    Source,
)
from onboarding.store.journeys import (
    CatalogueStore,
    Draft,
    EditedVersionError,
    Marks,
    PersonalJourneys,
    ProgressStore,
    StaleReleaseError,
    Switch,
    UnknownReleaseError,
)
from onboarding.types import Mode, Person, StepScope, StepState

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANA = Person("t", "ana", "acme")
TOM = Person("t", "tom", "acme")
WAY = Enrolment(ANA, "first", 1, NOON, kit="fintech-admin@1")


def done(step: str, **changes: object) -> Done:
    base = Done(step, f"do_{step}", StepState.DONE, NOON + HOUR, by="ana", evidence=(f"m-{step}",))
    return replace(base, **changes)  # type: ignore[arg-type]


def seen(guide: str = "tip", **changes: object) -> GuideMark:
    base = GuideMark(guide, 1, GuideState.SHOWN, NOON, NOON)
    return replace(base, **changes)  # type: ignore[arg-type]


class ProgressStoreContract:
    """Inherited by the test module of each implementation, which provides `store`."""

    @pytest.fixture
    def store(self) -> ProgressStore:
        raise NotImplementedError

    async def test_a_journey_is_begun_once_on_however_many_devices(
        self, store: ProgressStore
    ) -> None:
        later = replace(WAY, started_at=NOON + HOUR, version=2)
        first, *others = await asyncio.gather(*(store.enrol(WAY) for _ in range(4)))
        assert {first, *others} == {WAY}
        assert await store.enrol(later) == WAY
        assert await store.of("t", "ana") == (WAY,)
        assert await store.of("u", "ana") == ()

    async def test_times_are_set_once_and_what_ended_is_begun_anew(
        self, store: ProgressStore
    ) -> None:
        await store.enrol(WAY)
        reached = await store.mark(WAY, Marks(reached_at=NOON + HOUR))
        again = await store.mark(WAY, Marks(reached_at=NOON + 2 * HOUR, finished_at=NOON + HOUR))
        assert reached.reached_at == again.reached_at == NOON + HOUR
        assert again.finished_at == NOON + HOUR
        second = await store.enrol(replace(WAY, started_at=NOON + 3 * HOUR))
        assert second.entry == 2
        assert [each.entry for each in await store.of("t", "ana")] == [1, 2]
        left = await store.mark(second, Marks(left_at=NOON + 4 * HOUR, left_why="audience_left"))
        assert (left.left_why, left.is_running) == ("audience_left", False)

    async def test_completion_is_idempotent_and_the_first_record_stands(
        self, store: ProgressStore
    ) -> None:
        await store.enrol(WAY)
        records = [done("a", at=NOON + n * HOUR, by=f"d{n}") for n in range(1, 6)]
        await asyncio.gather(*(store.complete(WAY, [each]) for each in records))
        (kept,) = await store.done(WAY)
        assert kept in records
        await store.complete(WAY, [done("a", by="late")])
        assert await store.done(WAY) == (kept,)

    async def test_done_takes_the_place_of_left_out_and_never_the_other_way(
        self, store: ProgressStore
    ) -> None:
        left_out = done("a", state=StepState.SKIPPED, evidence=())
        await store.enrol(WAY)
        await store.complete(WAY, [left_out])
        assert await store.done(WAY) == (left_out,)
        await store.complete(WAY, [done("a")])
        await store.complete(WAY, [left_out])
        assert await store.done(WAY) == (done("a"),)

    async def test_what_one_does_for_the_account_is_done_for_all(
        self, store: ProgressStore
    ) -> None:
        shared = done("connect", scope=StepScope.ACCOUNT, action="connect_data")
        theirs = await store.enrol(Enrolment(TOM, "other", 1, NOON))
        await store.enrol(WAY)
        await store.complete(WAY, [shared, done("own")])
        (seen,) = await store.done(theirs)
        assert (seen.action, seen.by, seen.scope) == ("connect_data", "ana", StepScope.ACCOUNT)
        stranger = Enrolment(Person("t", "eve", "other"), "first", 1, NOON)
        assert await store.done(await store.enrol(stranger)) == ()
        elsewhere = Enrolment(Person("u", "tom", "acme"), "first", 1, NOON)
        assert await store.done(await store.enrol(elsewhere)) == ()

    async def test_who_has_no_account_does_it_alone(self, store: ProgressStore) -> None:
        alone = await store.enrol(Enrolment(Person("t", "sam"), "first", 1, NOON))
        await store.complete(alone, [done("connect", scope=StepScope.ACCOUNT)])
        assert [each.step for each in await store.done(alone)] == ["connect"]
        other = await store.enrol(Enrolment(Person("t", "pat"), "first", 1, NOON))
        assert await store.done(other) == ()

    async def test_a_migration_renames_crosswise_and_loses_nothing(
        self, store: ProgressStore
    ) -> None:
        await store.enrol(WAY)
        await store.complete(WAY, [done("a"), done("b", at=NOON + 2 * HOUR), done("gone")])
        moved = Moved(WAY, replace(WAY, version=2), {"a": "b", "b": "a"})
        assert await store.move(moved)
        assert not await store.move(moved)  # they are not on that version any more
        (now,) = await store.of("t", "ana")
        assert (now.version, now.started_at) == (2, NOON)
        found = {each.step: each for each in await store.done(now)}
        assert found.keys() == {"a", "b", "gone"}
        assert (found["b"].action, found["a"].action) == ("do_a", "do_b")

    async def test_two_steps_that_become_one_keep_the_first(self, store: ProgressStore) -> None:
        await store.enrol(WAY)
        await store.complete(WAY, [done("a", at=NOON + 3 * HOUR), done("b", at=NOON + HOUR)])
        assert await store.move(Moved(WAY, replace(WAY, version=2), {"a": "c", "b": "c"}))
        (kept,) = await store.done(replace(WAY, version=2))
        assert (kept.step, kept.action) == ("c", "do_b")

    async def test_a_finished_way_is_not_moved(self, store: ProgressStore) -> None:
        await store.enrol(WAY)
        await store.mark(WAY, Marks(finished_at=NOON))
        assert not await store.move(Moved(WAY, replace(WAY, version=2), {}))

    async def test_the_choice_of_mode_is_the_last_one(self, store: ProgressStore) -> None:
        assert await store.mode("t", "ana") is None
        await store.choose("t", "ana", Mode.ADVANCED, NOON)
        await store.choose("t", "ana", Mode.SIMPLE, NOON - HOUR)  # told late
        assert await store.mode("t", "ana") is Mode.ADVANCED
        assert await store.mode("u", "ana") is None

    async def test_a_guide_is_over_once_and_goes_on_elsewhere(self, store: ProgressStore) -> None:
        begun = seen(stop=2)
        first, *others = await asyncio.gather(*(store.note("t", "ana", begun) for _ in range(4)))
        assert {first, *others} == {begun}
        late = seen(stop=1, at=NOON + HOUR, shown_at=NOON - HOUR)
        stands = await store.note("t", "ana", late)
        assert stands == replace(begun, at=NOON + HOUR), "a second device is behind"
        newer = await store.note("t", "ana", seen(version=2, at=NOON + 2 * HOUR))
        assert (newer.version, newer.stop) == (2, 0), "another version has other places"
        over = await store.note("t", "ana", seen(state=GuideState.DONE, at=NOON + 3 * HOUR))
        assert over.state is GuideState.DONE
        again = seen(state=GuideState.DISMISSED, at=NOON + 4 * HOUR)
        assert await store.note("t", "ana", again) == over
        assert await store.guides("t", "ana") == (over,)
        assert await store.guides("u", "ana") == await store.guides("t", "tom") == ()

    async def test_guides_are_joined_told_erased_and_swept(self, store: ProgressStore) -> None:
        await store.note("t", "anon", seen(state=GuideState.DISMISSED))
        await store.note("t", "anon", seen("walk", stop=1))
        await store.note("t", "ana", seen("walk", stop=3))
        await store.note("t", "ana", seen("tip"))
        await store.merge("t", "anon", "ana")
        whole = {each.guide: each for each in await store.guides("t", "ana")}
        assert whole["tip"].state is GuideState.DISMISSED
        assert whole["walk"].stop == 3
        assert await store.count("t", "anon") == 0
        told = [line async for line in PersonalJourneys(store).export("t", "ana")]
        assert any('"guide":"walk@1"' in line for line in told)
        assert await store.count("t", "ana") == 2
        later = NOON + HOUR
        assert await store.due("t", later, frozenset({"ana"})) == 0
        assert await store.due("t", later, frozenset()) == 2
        assert await store.sweep("t", later, frozenset(), 1) == 1
        assert await store.erase("t", "ana") == 1
        assert await store.count("t", "ana") == 0

    async def test_a_merge_keeps_every_step_of_both(self, store: ProgressStore) -> None:
        anonymous = Enrolment(Person("t", "anon"), "first", 1, NOON - HOUR)
        await store.enrol(anonymous)
        await store.complete(anonymous, [done("a", by="anon"), done("b", by="anon")])
        await store.choose("t", "anon", Mode.ADVANCED, NOON)
        await store.enrol(replace(WAY, version=2))
        await store.complete(WAY, [done("b", at=NOON + 9 * HOUR), done("c")])
        assert await store.merge("t", "anon", "ana") == 1
        (whole,) = await store.of("t", "ana")
        assert (whole.version, whole.started_at, whole.person) == (2, NOON - HOUR, ANA)
        found = {each.step: each.by for each in await store.done(whole)}
        assert found == {"a": "anon", "b": "anon", "c": "ana"}
        assert await store.of("t", "anon") == ()
        assert await store.mode("t", "ana") is Mode.ADVANCED
        assert await store.merge("t", "anon", "ana") == 0

    async def test_ended_ways_stay_apart_in_a_merge(self, store: ProgressStore) -> None:
        before = Enrolment(Person("t", "anon"), "first", 1, NOON - 5 * HOUR)
        await store.enrol(before)
        await store.complete(before, [done("a")])
        await store.mark(before, Marks(finished_at=NOON - 4 * HOUR))
        await store.enrol(WAY)
        await store.merge("t", "anon", "ana")
        entries = [(e.entry, e.is_running) for e in await store.of("t", "ana")]
        assert entries == [(1, False), (2, True)]
        assert [d.step for d in await store.done((await store.of("t", "ana"))[0])] == ["a"]

    async def test_who_is_under_way_is_counted_by_version(self, store: ProgressStore) -> None:
        await store.enrol(WAY)
        await store.enrol(Enrolment(TOM, "first", 2, NOON))
        await store.enrol(Enrolment(Person("t", "eve"), "first", 2, NOON))
        over = await store.enrol(Enrolment(Person("t", "sam"), "first", 2, NOON))
        await store.mark(over, Marks(left_at=NOON))
        assert await store.running("t") == {"first@1": 1, "first@2": 2}
        assert await store.running("u") == {}

    async def test_ways_name_nobody_and_leave_out_what_was_done_before(
        self, store: ProgressStore
    ) -> None:
        await store.enrol(WAY)
        await store.complete(WAY, [done("a"), done("b", state=StepState.SKIPPED)])
        shared = done("x", scope=StepScope.ACCOUNT, by="tom")
        await store.complete(WAY, [shared, replace(shared, action="old", at=NOON - HOUR)])
        await store.mark(WAY, Marks(reached_at=NOON + HOUR))
        (way,) = await store.ways("t", "first")
        assert (way.started_at, way.finished) == (NOON, True)
        assert way.done == {"do_a": NOON + HOUR, "do_x": NOON + HOUR}
        assert way.own == {"do_a"}
        assert await store.ways("t", "other") == ()

    async def test_erasure_leaves_the_account_what_was_done_for_it(
        self, store: ProgressStore
    ) -> None:
        await store.enrol(WAY)
        await store.enrol(Enrolment(TOM, "first", 1, NOON))
        await store.complete(WAY, [done("a"), done("connect", scope=StepScope.ACCOUNT)])
        await store.choose("t", "ana", Mode.SIMPLE, NOON)
        personal = PersonalJourneys(store)
        lines = [line async for line in personal.export("t", "ana")]
        assert len(lines) == 2
        assert "do_a" in lines[1]
        assert await personal.residue("t", "ana") > 0
        assert await personal.erase("t", "ana") > 0
        assert await personal.residue("t", "ana") == 0
        assert await personal.erase("t", "ana") == 0
        (shared,) = await store.done((await store.of("t", "tom"))[0])
        assert (shared.action, shared.by, shared.evidence) == ("do_connect", None, ())

    async def test_old_ways_go_the_oldest_first_and_held_ones_stay(
        self, store: ProgressStore
    ) -> None:
        for number in range(4):
            person = Person("t", f"u{number}")
            await store.enrol(Enrolment(person, "first", 1, NOON + number * HOUR))
        ended = Enrolment(ANA, "first", 1, NOON - 9 * HOUR)
        await store.enrol(ended)
        await store.mark(ended, Marks(finished_at=NOON + 30 * HOUR))
        before, keep = NOON + 10 * HOUR, frozenset({"u0"})
        assert await store.due("t", before, keep) == 3
        assert await store.sweep("t", before, keep, 2) == 2
        assert [len(await store.of("t", f"u{n}")) for n in range(4)] == [1, 0, 0, 1]
        assert await store.sweep("t", before, keep, 500) == 1
        assert await store.sweep("t", before, keep, 500) == 0
        assert len(await store.of("t", "ana")) == 1

    async def test_what_is_no_reference_is_refused(self, store: ProgressStore) -> None:
        with pytest.raises(ValueError, match="user is no reference"):
            await store.enrol(replace(WAY, person=Person("t", "ana smith")))
        with pytest.raises(ValueError, match="without a zone"):
            await store.enrol(replace(WAY, started_at=NOON.replace(tzinfo=None)))


def source(name: str, version: int, text: str = "text") -> Source:
    return Source(FileKind.JOURNEY, name, version, text)


def draft(*sources: Source) -> Draft:
    return Draft(sources, "ops@acme.example", NOON, "a note")


class CatalogueStoreContract:
    """Inherited by the test module of each implementation, which provides `files`."""

    @pytest.fixture
    def files(self) -> CatalogueStore:
        raise NotImplementedError

    async def test_nothing_is_published_at_first(self, files: CatalogueStore) -> None:
        assert await files.pointer("t") is None
        assert await files.releases("t") == ()
        assert (await files.published("t")).ever == {}
        with pytest.raises(UnknownReleaseError):
            await files.release("t", 1)

    async def test_a_release_is_a_set_of_versions(self, files: CatalogueStore) -> None:
        one = await files.publish("t", draft(source("b", 1), source("a", 1)), None)
        two = await files.publish("t", draft(source("a", 2, "new"), source("b", 1)), 1)
        assert (one.number, two.number) == (1, 2)
        assert [s.version for s in (await files.release("t", 1)).sources] == [1, 1]
        assert [s.text for s in (await files.release("t", 2)).sources] == ["new", "text"]
        assert await files.pointer("t") == 2
        assert await files.pointer("u") is None
        assert [r.number for r in await files.releases("t")] == [2, 1]
        assert one.digest != two.digest
        published = await files.published("t")
        assert published.ever.keys() == {
            ("journey", "a", 1),
            ("journey", "a", 2),
            ("journey", "b", 1),
        }
        assert published.current == {("journey", "a"): 2, ("journey", "b"): 1}

    async def test_an_edited_version_is_refused_whole(self, files: CatalogueStore) -> None:
        await files.publish("t", draft(source("a", 1)), None)
        with pytest.raises(EditedVersionError, match="journey a@1"):
            await files.publish("t", draft(source("a", 1, "edited"), source("c", 1)), 1)
        assert await files.pointer("t") == 1
        assert ("journey", "c", 1) not in (await files.published("t")).ever

    async def test_of_two_who_publish_one_is_told(self, files: CatalogueStore) -> None:
        await files.publish("t", draft(source("a", 1)), None)
        results = await asyncio.gather(
            *(files.publish("t", draft(source("a", n, f"{n}")), 1) for n in range(2, 6)),
            return_exceptions=True,
        )
        stale = [each for each in results if isinstance(each, StaleReleaseError)]
        assert len(stale) == 3
        assert await files.pointer("t") == 2

    async def test_a_rollback_is_one_pointer(self, files: CatalogueStore) -> None:
        await files.publish("t", draft(source("a", 1)), None)
        await files.publish("t", draft(source("a", 2, "new")), 1)
        back = await files.switch("t", Switch(1, "ops", NOON + HOUR, "fewer connected"))
        assert (back.number, await files.pointer("t")) == (1, 1)
        assert [s.version for s in back.sources] == [1]
        assert [(s.number, s.why) for s in await files.switches("t")] == [
            (1, "fewer connected"),
            (2, "published"),
            (1, "published"),
        ]
        with pytest.raises(UnknownReleaseError):
            await files.switch("t", Switch(9, "ops", NOON, "no such"))
        third = await files.publish("t", draft(source("a", 3, "newer")), 1)
        assert third.number == 3
