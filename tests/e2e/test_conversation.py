"""A whole conversation on a running Harbor: typed planner, real desk, real tools; what was done is
taken back, and Harbor is as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agent import Ask, Copilot
from agent.acting.typed import TypedPlanner
from agent.action_types import CardShown
from agent.answerers.scripted import ScriptedAnswerer
from agent.types import CardAnswer
from retrieval.memory import HashEncoder
from retrieval.types import Scope
from tests.agent.acting_floor import FIFTY, Told, told
from tests.agent.shelf import deps
from tests.e2e.floor import Floor, open_floor
from tests.harbor.running import Harbor, running_harbor
from tools.types import Actor

GUEST = "dana.new@northwind.example"


@dataclass
class Talk:
    copilot: Copilot
    actor: Actor
    _numbers: Any = field(default_factory=lambda: count(1))

    async def says(self, text: str) -> Told:
        return await self._run(text, f"m{next(self._numbers)}")

    async def approves(self, paused: Told) -> Told:
        words = tuple(CardAnswer(pause, "approve") for pause in paused.pauses)
        assert words, paused.text
        return await self._run("", f"~resume.{next(self._numbers)}", *words)

    async def _run(self, text: str, message_id: str, *words: CardAnswer) -> Told:
        tenant = self.actor.tenant
        run = f"r{next(self._numbers)}"
        ask = Ask(tenant, "t1", run, message_id, text, Scope(tenant), self.actor, words)
        return await told(self.copilot, ask)


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as running:
        yield running


@pytest.fixture
async def floor(harbor: Harbor, tmp_path: Path) -> AsyncIterator[Floor]:
    harbor.reset()
    async with open_floor(harbor, tmp_path) as given:
        yield given


async def talk(floor: Floor, role: str = "owner") -> Talk:
    acting = replace(floor.hands.acting, planner=TypedPlanner(HashEncoder()))
    parts = replace(
        deps(ScriptedAnswerer((FIFTY,))),
        acting=acting,
        clock=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
    )
    return Talk(Copilot(parts), await floor.person(role))


async def test_said_approved_done_and_taken_back(floor: Floor) -> None:
    owner = await talk(floor)
    before = floor.harbor.state("audit_event", "event", "token")
    paused = await owner.says(f"Invite {GUEST} as a viewer")
    (card,) = paused.of(CardShown)
    fields = {line["name"]: line["value"] for line in card.view["fields"]}  # type: ignore[attr-defined]
    assert (fields["email"], fields["role"]) == (GUEST, "viewer")
    assert floor.harbor.state("audit_event", "event", "token") == before
    done = await owner.approves(paused)
    assert "Done: **Invite a person**. Receipt rcpt_1." in done.text
    assert GUEST in floor.harbor.call("GET", "/v1/invites").text
    back = await owner.approves(await owner.says("undo that"))
    assert "Taken back: **Invite a person**. Receipt rcpt_2." in back.text
    invites = floor.harbor.call("GET", "/v1/invites?state=pending").json()["items"]
    assert GUEST not in [invite["email"] for invite in invites]


async def test_one_thing_is_asked_at_a_time_and_a_question_does_not_lose_the_wish(
    floor: Floor,
) -> None:
    owner = await talk(floor)
    asked = await owner.says(f"Invite {GUEST}")
    assert asked.text.endswith("?")
    aside = await owner.says("How many people can be invited at once?")
    assert "50 people at once [1]" in aside.text
    paused = await owner.says("viewer")
    assert paused.pauses
    assert "Done" in (await owner.approves(paused)).text


async def test_what_the_product_refuses_is_told_and_nothing_happened(floor: Floor) -> None:
    owner = await talk(floor)
    paused = await owner.says(f"Invite {GUEST} as a viewer")
    floor.harbor.fault("create_invite", "403")
    try:
        failed = await owner.approves(paused)
    finally:
        floor.harbor.no_faults()
    assert "did not work" in failed.text
    assert GUEST not in floor.harbor.call("GET", "/v1/invites").text


async def test_a_viewer_is_offered_and_does_only_what_viewers_may(floor: Floor) -> None:
    viewer = await talk(floor, "viewer")
    told = await viewer.says(f"Invite {GUEST} as an admin")
    assert not told.pauses
    assert "Invite a person" not in (await viewer.says("what can you do?")).text
    assert GUEST not in floor.harbor.call("GET", "/v1/invites").text
