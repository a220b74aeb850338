"""A page is revoked while it is being answered from: nothing of it is said or cited after that.

`EMBARK_TEST_REVOCATIONS` sets how many streams (default 20).
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from agent import Ask, Copilot
from agent.answerers.scripted import ScriptedAnswerer
from agent.seeing import Sees
from agent.types import (
    Block,
    Draft,
    MessageDelta,
    MessageFinished,
    Refusal,
    RunFailed,
    Spent,
    Utterance,
)
from agent.verification import Verifier
from guardrails import Redacted, stored
from retrieval.access import PAGE, Access, Revocation
from retrieval.access_sql import SqlRevocations
from retrieval.index import OutsideScopeError
from retrieval.types import Chunk, Evidence, Passage, Scope
from tests.agent.asking import FailingRetriever
from tests.agent.shelf import CHUNKS, NOON, SCOPE, TENANT, VERSION, deps, grounding
from tools.store.engine import open_engine

STREAMS = int(os.environ.get("EMBARK_TEST_REVOCATIONS", "20"))
GONE, STAYS = CHUNKS[0], CHUNKS[2]
OF_GONE = stored("Admins can invite up to 50 people at once.")
OF_STAYS = stored("A dashboard can be exported as PDF or as CSV.")
QUESTION = "Can people be invited, and dashboards exported?"
SENTENCES = 8


class Speaking(ScriptedAnswerer):
    """Says a sentence of each page by turns; `before` hears of each, by number, just before."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        super().__init__(())
        self._before = before

    @override
    async def draft(
        self, question: Redacted, passages: Sequence[Passage], history: Sequence[Utterance]
    ) -> AsyncGenerator[Draft | Spent, None]:
        place = {passage.chunk.id: number for number, passage in enumerate(passages, start=1)}
        for number in range(SENTENCES):
            self._before(number)
            text, chunk = ((OF_GONE, GONE), (OF_STAYS, STAYS))[number % 2]
            yield Draft(text, (place[chunk.id],))


class Rig:
    """Two processes over one database: one answers, the other revokes."""

    def __init__(self, file: Path) -> None:
        self.engines = [open_engine(f"sqlite:///{file}") for _ in range(2)]
        here, there = (SqlRevocations(lambda e=e: e) for e in self.engines)  # type: ignore[misc]
        self.now_s = 0.0
        self.access = Access(here, lambda: self.now_s)
        self.elsewhere = there

    def revoke(self, field: str = PAGE, value: str = GONE.path) -> None:
        self.elsewhere.revoke(Revocation(TENANT, field, value, NOON))
        self.now_s += 60

    def copilot(self, answerer: ScriptedAnswerer) -> Copilot:
        return Copilot(replace(deps(answerer), sees=self.access.sees))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "main.sqlite")
    yield rig
    for engine in rig.engines:
        engine.dispose()


@pytest.mark.parametrize("stream", range(STREAMS))
async def test_revoked_during_a_stream(rig: Rig, stream: int) -> None:
    at = Random(stream).randrange(SENTENCES + 1)
    before = {"gone": len(range(0, at, 2)), "stays": SENTENCES // 2}
    answerer = Speaking(lambda number: rig.revoke() if number == at else None)
    ask = Ask(TENANT, "t", "r", "m", QUESTION, SCOPE)
    events = [numbered.event async for numbered in rig.copilot(answerer).ask(ask)]
    said = "".join(event.text for event in events if isinstance(event, MessageDelta))
    assert {"gone": said.count(OF_GONE[:-1]), "stays": said.count(OF_STAYS[:-1])} == before
    (end,) = [event for event in events if isinstance(event, MessageFinished)]
    cited = {citation.chunk_id for citation in end.answer.citations}
    named = {seen.chunk_id for seen in end.answer.retrieved}
    assert STAYS.id in cited & named
    if at < SENTENCES:
        assert GONE.id not in cited | named
        assert not any(OF_GONE in citation.quote for citation in end.answer.citations)
    else:
        assert GONE.id in cited & named  # nothing was revoked: the run sees what it looks for


async def test_all_that_was_found_is_revoked(rig: Rig) -> None:
    """Then it is a refusal that does not name the page either."""
    rig.revoke()
    rig.revoke(value=STAYS.path)
    answer = await rig.copilot(Speaking()).answer(QUESTION, SCOPE)
    assert answer.refused
    assert answer.reason is Refusal.NOT_SUPPORTED
    assert GONE.title not in answer.text
    assert {seen.chunk_id for seen in answer.retrieved}.isdisjoint({GONE.id, STAYS.id})


def over(sees: Sees, *chunks: Chunk) -> Verifier:
    found = tuple(Passage(chunk, 1, 1, 1) for chunk in chunks)
    evidence = Evidence(VERSION, found, found, 0.9, {})
    return Verifier(grounding(), evidence, lambda chunk: sees(SCOPE, chunk))


def test_a_marker_of_a_revoked_page_counts_for_nothing(rig: Rig) -> None:
    rig.revoke()
    check = over(rig.access.sees, GONE, STAYS)
    assert check.check(Draft(OF_GONE, (1,))) == ()
    assert check.check(Draft(OF_GONE, (1, 2))) == ()
    (unit,) = check.check(Draft(OF_STAYS, (1, 2)))
    assert [citation.chunk_id for citation in check.citations] == [STAYS.id]
    assert unit.markers == (1,)
    assert check.dropped["revoked"] == 3


def test_a_lead_in_of_a_page_revoked_meanwhile_is_not_shown(rig: Rig) -> None:
    check = over(rig.access.sees, GONE, STAYS)
    assert check.check(Draft(stored(GONE.title), (1,), Block.HEADING)) == ()
    rig.revoke()
    (unit,) = check.check(Draft(OF_STAYS, (2,)))
    assert unit.text == OF_STAYS


def test_a_group_that_lost_its_access_is_not_answered_from_its_pages(rig: Rig) -> None:
    secret = replace(GONE, labels=replace(GONE.labels, plan=("beta",)))
    viewer = Scope(TENANT, {"plan": frozenset({"beta"})})

    def sees(_scope: Scope, chunk: Chunk) -> bool:
        return rig.access.sees(viewer, chunk)

    check = over(sees, secret, STAYS)
    assert len(check.check(Draft(OF_GONE, (1,)))) == 1
    rig.revoke("plan", "beta")
    assert check.check(Draft(OF_GONE, (1,))) == ()
    assert check.citations == ()
    assert len(check.check(Draft(OF_STAYS, (2,)))) == 1


async def test_an_index_that_answers_outside_the_scope_ends_the_run() -> None:
    """It is no refusal, and nothing of what came is said: somebody has to look."""
    parts = replace(deps(Speaking()), retriever=FailingRetriever(OutsideScopeError(2)))
    ask = Ask(TENANT, "t", "r", "m", QUESTION, SCOPE)
    events = []
    with capture_logs(), pytest.raises(OutsideScopeError):
        async for numbered in Copilot(parts).ask(ask):
            events.append(numbered.event)
    assert isinstance(events[-1], RunFailed)
    assert events[-1].code == "internal"
    assert not any(isinstance(event, MessageDelta) for event in events)
