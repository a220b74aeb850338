"""The desk over its stores: what a decision sees after an edit, a withdrawal, an erasure."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from guardrails.consent import CachedConsents, Channel, Purpose, Statement
from guardrails.consent.memory import MemoryConsents
from onboarding.profile import (
    Mind,
    NoSuchFactError,
    NoSuchValueError,
    NotAskedError,
    Words,
    load_beliefs,
    load_evidence,
    load_facts,
    load_graph,
    load_models,
    load_questions,
)
from onboarding.profile.questions import Scores
from onboarding.store.profile.desk import ProfileDesk
from onboarding.store.profile.graph_memory import MemoryGraph
from onboarding.store.profile.graph_sql import SqlGraph
from onboarding.store.profile.memory import MemoryProfiles
from onboarding.store.profile.parts import ProfileParts
from onboarding.store.profile.personal import AgingGraph, AgingProfile, PersonalProfile
from onboarding.store.profile.sql import SqlProfiles, upgrade
from onboarding.types import UNKNOWN, History, Person, Profile, Source
from tests.contracts.consent import KEY
from tests.guardrails.databases import sqlite
from tests.onboarding.profile.making import ANA, NOON, event
from tools.store.engine import open_engine

FACTS = load_facts()
MIND = Mind(FACTS, load_evidence(FACTS), load_models(FACTS))
WORDS = Words(FACTS, load_beliefs())
ADMIN = (
    event("signup_completed", 1, utm_source="search", plan="team", job_title="IT administrator"),
    event("invitation_accepted", 2, role="admin"),
    event("page", 3, name="team"),
    event("page", 4, name="audit_log"),
    event("permission_used", 6, scope="manage_sso"),
    *(event("source_connected", 10 + n, connector="postgres") for n in range(4)),
)
HISTORY = History(recent=ADMIN)


class Clock:
    def __init__(self) -> None:
        self.now = NOON + timedelta(days=1)
        self.seconds = 0.0

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.now += timedelta(seconds=seconds)


async def score(_person: Person, profile: Profile) -> Scores:
    """Who is known to be a developer should first connect, others invite."""
    return {
        "developer": {"connect": 0.5, "invite": 0.1},
        "admin": {"connect": 0.1, "invite": 0.4},
    }.get(profile.value("role"), {"connect": 0.20, "invite": 0.19})


@dataclass
class House:
    desk: ProfileDesk
    parts: ProfileParts
    consents: MemoryConsents
    clock: Clock

    async def says(self, given: bool, purpose: Purpose = Purpose.PRODUCT_ANALYTICS) -> None:
        at = self.clock.now
        said = ("t", "ana", purpose, given, "v1", Channel.PREFERENCES, at, "ana")
        await self.consents.record(Statement(*said))

    async def role(self) -> str:
        return (await self.desk.profile(ANA)).value("role")


def built(store: SqlProfiles | MemoryProfiles, graph: SqlGraph | MemoryGraph) -> House:
    clock, consents = Clock(), MemoryConsents(KEY)
    reader = CachedConsents(consents, monotonic=clock.monotonic)
    files = (MIND, WORDS, load_questions(FACTS), load_graph())
    parts = ProfileParts(store, graph, reader, *files, score)
    return House(ProfileDesk(parts, clock), parts, consents, clock)


@pytest.fixture(params=["memory", "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    if request.param == "memory":
        opened = built(MemoryProfiles(), MemoryGraph())
        await opened.says(True)
        yield opened
        return
    with sqlite(tmp_path, upgrade) as engine:
        opened = built(SqlProfiles(engine), SqlGraph(engine))
        await opened.says(True)
        yield opened


async def test_what_is_learned_is_kept_once(house: House) -> None:
    first = await house.desk.learn(ANA, HISTORY)
    assert first.profile.value("role") == "admin" == await house.role()
    assert first.new > 3
    again = await house.desk.learn(ANA, HISTORY)
    assert again.new == 0
    assert again.profile == await house.desk.profile(ANA)


async def test_a_belief_is_a_fact_and_an_edge_with_its_events(house: House) -> None:
    learned = await house.desk.learn(ANA, HISTORY)
    assert (await house.desk.profile(ANA)).value("belief.own_data") == "own"
    (edge, *_) = await house.parts.graph.shown_by("t", "m10")
    assert (edge.rel, edge.dst) == ("holds", "belief:belief.own_data=own")
    assert [b.id for b in learned.model.beliefs] == ["own_data"]


async def test_a_belief_that_fails_its_tests_goes(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    names = {"y": "source_connected", "n": "sample_opened"}
    contrary = "ynynynynynyn" + "nnnyyy" * 2
    events = [event(names[each], 100 + at) for at, each in enumerate(contrary)]
    learned = await house.desk.learn(ANA, History(recent=tuple(events)))
    assert not learned.model.trusted
    assert "belief.own_data" not in (await house.desk.profile(ANA)).facts
    page = await house.desk.page(ANA)
    assert (page.trusted, page.alignment is not None) == (False, True)


async def test_a_correction_wins_over_any_inference(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    await house.desk.correct(ANA, "role", "developer")
    assert await house.role() == "developer"
    await house.desk.learn(ANA, HISTORY)
    assert await house.role() == "developer"
    (line, *_) = (await house.desk.page(ANA)).told.lines
    assert (line.says, line.why, line.source) == (
        "You work as a developer.",
        ("you said so",),
        Source.DECLARED,
    )


async def test_what_is_deleted_does_not_come_back_from_the_same_events(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    assert await house.desk.delete(ANA, "role") == 1
    assert await house.role() == UNKNOWN
    await house.desk.learn(ANA, HISTORY)
    assert await house.role() == UNKNOWN
    assert "role" not in {f.name for f in await house.parts.store.facts("t", "ana")}


async def test_do_not_infer(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    await house.desk.allow_inference(ANA, "role", allowed=False)
    await house.desk.learn(ANA, HISTORY)
    assert await house.role() == UNKNOWN
    assert (await house.desk.page(ANA)).told.quiet == ("role",)
    await house.desk.allow_inference(ANA, "role", allowed=True)
    await house.desk.learn(ANA, HISTORY)
    assert await house.role() == "admin"


async def test_off_as_a_whole(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    await house.desk.personalise(ANA, on=False)
    assert await house.desk.profile(ANA) == Profile()
    assert (await house.desk.learn(ANA, HISTORY)).new == 0
    assert await house.desk.question(ANA, "s1") is None
    assert await house.desk.grow(ADMIN[-1]) == 0
    page = await house.desk.page(ANA)
    assert page.told.off
    assert page.told.lines != ()  # what is stored is shown
    assert not any(line.used for line in page.told.lines)
    await house.desk.personalise(ANA, on=True)
    assert await house.role() == "admin"


async def test_a_withdrawal_is_in_effect_within_a_minute(house: House) -> None:
    """Read each second: nothing is used after 60 s, and nothing is stored."""
    await house.desk.learn(ANA, HISTORY)
    await house.desk.grow(ADMIN[-1])
    await house.desk.correct(ANA, "size", "1-10")
    await house.says(False)
    gone_after = None
    for second in range(61):
        if not (await house.desk.profile(ANA)).facts:
            gone_after = second
            break
        house.clock.wait(1)
    assert gone_after is not None
    assert gone_after <= 60
    assert await house.parts.store.count("t", "ana") == 0
    assert await house.parts.graph.of("t", "ana") == ()
    assert (await house.desk.learn(ANA, HISTORY)).new == 0
    assert await house.desk.grow(ADMIN[-1]) == 0


async def test_a_withdrawal_reaches_who_does_not_come_back(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    await house.desk.personalise(ANA, on=False)
    assert await house.desk.sweep_withdrawn("t") == 0
    await house.says(False)
    house.clock.wait(60)
    assert await house.desk.sweep_withdrawn("t") > 3
    assert [f.name for f in await house.parts.store.facts("t", "ana")] == ["~off"]
    assert await house.desk.sweep_withdrawn("t") == 0


async def test_without_consent_nothing_is_imported_or_asked(house: House) -> None:
    await house.says(False)
    assert await house.desk.take_import(ANA, {"role": "admin"}) == 0
    assert await house.desk.question(ANA, "s1") is None
    assert await house.parts.store.count("t", "ana") == 0


async def test_an_import_stands_between(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    assert await house.desk.take_import(ANA, {"role": "executive"}) == 1
    assert await house.role() == "executive"
    await house.desk.correct(ANA, "role", "end_user")
    assert await house.role() == "end_user"
    with pytest.raises(NoSuchValueError, match="1-10, 11-50"):
        await house.desk.take_import(ANA, {"size": "big"})


async def test_a_question_is_asked_answered_and_not_asked_again(house: House) -> None:
    offer = await house.desk.question(ANA, "s1")
    assert offer is not None
    assert offer.worth.question.id == "role"
    assert await house.desk.question(ANA, "s1") is not None  # still open: the same
    assert len(await house.parts.store.asked("t", "ana")) == 1
    with pytest.raises(NoSuchValueError):
        await house.desk.reply(ANA, "s1", "role", "king")
    await house.desk.reply(ANA, "s1", "role", "developer")
    assert await house.role() == "developer"
    with pytest.raises(NotAskedError):
        await house.desk.reply(ANA, "s1", "role", "admin")
    assert await house.desk.question(ANA, "s1") is None
    assert await house.desk.question(ANA, "s2") is None


async def test_a_question_that_is_skipped_leaves_the_person_alone(house: House) -> None:
    assert await house.desk.question(ANA, "s1") is not None
    await house.desk.reply(ANA, "s1", "role", None)
    assert await house.role() == UNKNOWN
    assert await house.desk.question(ANA, "s2") is None
    for wrong in (("s1", "size"), ("s1", "nothing"), ("s9", "role")):
        with pytest.raises(NotAskedError):
            await house.desk.reply(ANA, *wrong, None)


async def test_what_is_no_fact_is_said(house: House) -> None:
    with pytest.raises(NoSuchFactError):
        await house.desk.correct(ANA, "mood", "good")
    with pytest.raises(NoSuchFactError):
        await house.desk.delete(ANA, "~off")
    with pytest.raises(NoSuchFactError):
        await house.desk.allow_inference(ANA, "belief.none", allowed=False)
    with pytest.raises(NoSuchValueError):
        await house.desk.correct(ANA, "belief.own_data", "ana@acme.io")


async def test_the_graph_grows_once_an_event(house: House) -> None:
    failed = event("connection_failed", 5, connector="postgres", error_code="E1")
    assert await house.desk.grow(failed) == 4
    assert await house.desk.grow(failed) == 0
    assert await house.desk.grow(ADMIN[-1], [failed]) == 2  # uses, solved_by
    assert await house.desk.grow(replace(failed, user=None)) == 0


async def test_the_copy_and_the_end_of_it(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    await house.desk.grow(ADMIN[-1])
    await house.desk.question(ANA, "s1")
    await house.desk.learn(Person("t", "bo"), History(recent=(replace(ADMIN[1], user="bo"),)))
    personal = PersonalProfile(house.parts.store, house.parts.graph)
    lines = [json.loads(line) async for line in personal.export("t", "ana")]
    assert {line["kind"] for line in lines} >= {"fact", "edge", "self_model"}
    assert all("tenant" not in line for line in lines)
    (role,) = [line for line in lines if line.get("name") == "role"]
    assert role["odds"]["admin"] == role["confidence"]
    left = await personal.residue("t", "ana")
    assert left >= len(lines)
    assert await personal.erase("t", "ana") == left
    assert await personal.erase("t", "ana") == await personal.residue("t", "ana") == 0
    assert [line async for line in personal.export("t", "ana")] == []


async def test_what_is_old_goes(house: House) -> None:
    await house.desk.learn(ANA, HISTORY)
    await house.desk.grow(ADMIN[-1])
    later = house.clock.now + timedelta(days=1)
    for aging in (AgingProfile(house.parts.store), AgingGraph(house.parts.graph)):
        due = await aging.due("t", later, frozenset())
        assert due > 0
        assert await aging.due("t", later, frozenset({"ana"})) == 0
        assert await aging.sweep("t", later, frozenset()) == due
        assert await aging.due("t", later, frozenset()) == 0


@pytest.mark.alone
async def test_an_edit_changes_the_next_decision_of_another_process_within_a_second(
    tmp_path: Path,
) -> None:
    """Two engines over one file, as two workers: nothing is cached in between."""
    with sqlite(tmp_path, upgrade) as first:
        other: Engine = open_engine(str(first.url))
        writer = built(SqlProfiles(first), SqlGraph(first))
        reader = built(SqlProfiles(other), SqlGraph(other))
        for each in (writer, reader):
            await each.says(True)
        await writer.desk.learn(ANA, HISTORY)
        assert await reader.role() == "admin"
        began = time.perf_counter()
        await writer.desk.correct(ANA, "role", "developer")
        seen = await reader.role()
        took = time.perf_counter() - began
        other.dispose()
    assert seen == "developer"
    assert took < 1.0
