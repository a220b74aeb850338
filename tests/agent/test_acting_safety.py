"""Killed, private, and nobody else's: what a conversation that acts must hold whatever happens."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent import Copilot, Status, UnknownThreadError
from agent.acting import Ready, Slot, Wish
from agent.action_types import CardShown, ToolCalled, ToolEnded
from agent.checkpoints import sqlite_saver
from agent.conversations_sql import SqlConversations, open_engine, upgrade
from agent.events import dump_event
from agent.types import CardAnswer
from guardrails.labels import Integrity
from tests.agent.acting_floor import QUESTION, TENANT, Stage, told
from tests.agent.test_graph import bytes_below
from tests.tools.acting.floor import ANA, person
from tools.acting import Desk, Request
from tools.journal import Action, State

MAIL = "ana.muster@acme.example"


def mails(turn: object) -> Ready | None:
    text = str(getattr(turn, "text", ""))
    token = "<EMAIL_ADDRESS_1>"
    if token not in text:
        return None
    typed = Integrity.USER_TYPED
    return Ready(Wish("set_item", {"name": Slot("owner", typed), "value": Slot(token, typed)}))


async def test_typed_values_reach_the_product_and_the_owner_and_nothing_else(
    tmp_path: Path,
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/conversations.db")
    upgrade(engine)
    store = SqlConversations(engine)
    async with sqlite_saver(tmp_path / "checkpoints.db") as saver:
        stage = Stage(lines=[mails], conversations=store, saver=saver)
        paused = await stage.says(f"make {MAIL} the owner please")
        (card,) = paused.of(CardShown)
        (call,) = paused.of(ToolCalled)
        assert MAIL in str(card.view)  # type: ignore[attr-defined]
        assert MAIL in str(call.view)  # type: ignore[attr-defined]
        await stage.approves(paused)
        assert stage.floor.shop.items == {"owner": MAIL}
        kept = await stage.copilot.conversation(TENANT, "t1", ANA)
        assert kept is not None
        shown = await stage.copilot.shown(kept)
        assert shown[0].text == f"make {MAIL} the owner please"
        assert MAIL in str(shown[1].called[0].view)
    await store.close()
    stored = bytes_below(tmp_path)
    assert b"<EMAIL_ADDRESS_1>" in stored
    assert MAIL.encode() not in stored
    assert str(ANA.rights).encode() not in stored


async def test_logged_events_hold_references_only() -> None:
    stage = Stage()
    paused = await stage.says("set lamp to crimson")
    await stage.approves(paused)
    logged = await stage.conversations.events(TENANT, "t1")
    payloads = " ".join(entry.payload for entry in logged)
    assert "ToolCalled" in payloads
    assert "crimson" not in payloads
    replayed = await stage.copilot.events(TENANT, "t1", actor=ANA)
    assert any(isinstance(e.event, ToolEnded) and e.event.view["receipt"] for e in replayed)
    assert all(dump_event(e.event) for e in replayed)


async def test_a_conversation_is_nobody_elses() -> None:
    stage = Stage()
    await stage.says(QUESTION)
    eve = person("eve")
    for other in (eve, None):
        with pytest.raises(UnknownThreadError):
            await stage.says("hello", "m9", actor=other)
        assert await stage.copilot.conversation(TENANT, "t1", other) is None
        assert await stage.copilot.events(TENANT, "t1", actor=other) == ()
        with pytest.raises(UnknownThreadError):
            _ = [e async for e in stage.copilot.resume(TENANT, "t1", other)]
    (pause,) = (await stage.says("set lamp to red")).pauses
    with pytest.raises(UnknownThreadError):
        await stage.answers(CardAnswer(pause, "approve"), actor=eve)
    assert stage.floor.shop.items == {}


# --- killed --------------------------------------------------------------------------------------


class DyingDesk:
    """Writes the proposal, and then the server stops."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.prepared = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._desk, name)

    async def prepare(self, request: Request) -> Action:
        action = await self._desk.prepare(request)
        if not self.prepared.is_set():
            self.prepared.set()
            await asyncio.sleep(60)
        return action


async def test_killed_between_proposal_and_pause_there_is_one_card() -> None:
    stage = Stage()
    dying = DyingDesk(stage.floor.desk)
    parts = stage.parts()
    assert parts.acting is not None
    acting = replace(parts.acting, desk=dying)  # type: ignore[arg-type]
    first = Copilot(replace(parts, acting=acting))
    request = stage.request("set lamp to red")
    run = asyncio.create_task(told(first, request))
    await dying.prepared.wait()
    await first.close()
    await run
    kept = await stage.copilot.conversation(TENANT, "t1", ANA)
    assert kept is not None
    assert [message.status for message in kept.messages] == [Status.INTERRUPTED]

    second = stage.another("second")
    again = [e async for e in second.resume(TENANT, "t1", ANA)]
    (action,) = await stage.actions()
    assert action.state is State.PENDING
    stage.copilot = second
    last = again[-1].event
    assert [p.action_id for p in last.pauses] == [action.id]  # type: ignore[union-attr]
    done = await stage.answers(CardAnswer(action.id, "approve"))
    assert "Done" in done.text
    assert len(stage.floor.shop.ledger) == 1


async def test_killed_after_the_checkpoint_a_wish_is_as_it_was_before_the_turn() -> None:
    """The graph kept what the turn made of the wish, the store never got the answer."""

    class Losing(type(Stage().conversations)):  # type: ignore[misc]
        lose = False

        async def finish(self, question: object, reply: object) -> object:
            if self.lose:
                raise asyncio.CancelledError
            return await super().finish(question, reply)

    stage = Stage(conversations=Losing())
    await stage.says("set lamp")
    stage.conversations.lose = True  # type: ignore[attr-defined]
    await told_or_failed(stage, "red")
    stage.conversations.lose = False  # type: ignore[attr-defined]
    resumed = [e async for e in stage.copilot.resume(TENANT, "t1", ANA)]
    (action,) = await stage.actions()
    assert [p.action_id for p in resumed[-1].event.pauses] == [action.id]  # type: ignore[union-attr]
    assert dict(action.call.arguments) == {"name": "lamp", "value": "red"}


async def told_or_failed(stage: Stage, text: str) -> None:
    found = await stage.says(text)
    assert found.kinds[-1] == "RunFailed"


async def test_a_decision_that_died_with_its_server_is_asked_again_and_not_guessed() -> None:
    stage = Stage()
    (pause,) = (await stage.says("set lamp to red")).pauses
    dying = stage.another("dying")
    parts = dying._deps  # the server is stopped inside its desk
    assert parts.acting is not None

    class Stuck(DyingDesk):
        async def decide(self, tenant: str, decision: object) -> Action:
            self.prepared.set()
            await asyncio.sleep(60)
            raise AssertionError

    stuck = Stuck(stage.floor.desk)
    copilot = Copilot(replace(parts, acting=replace(parts.acting, desk=stuck)))  # type: ignore[arg-type]
    ask = replace(
        stage.request("", "~resume.r7"), run_id="r7", resume=(CardAnswer(pause, "approve"),)
    )
    run = asyncio.create_task(told(copilot, ask))
    await stuck.prepared.wait()
    await copilot.close()
    await run
    resumed = [e async for e in stage.copilot.resume(TENANT, "t1", ANA)]
    assert [p.action_id for p in resumed[-1].event.pauses] == [pause]  # type: ignore[union-attr]
    assert stage.floor.shop.items == {}
    done = await stage.answers(CardAnswer(pause, "approve"))
    assert "Done" in done.text


_KILLED = """
import asyncio, sys
from pathlib import Path
from agent.conversations_sql import SqlConversations, open_engine
from agent.checkpoints import sqlite_saver
from tests.agent.acting_floor import Stage

async def main():
    store = SqlConversations(open_engine(f"sqlite:///{sys.argv[1]}/c.db"))
    async with sqlite_saver(Path(sys.argv[1]) / "k.db") as saver:
        stage = Stage(conversations=store, saver=saver)
        await stage.says("set lamp")
        print("asked", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_wish_outlives_its_server(tmp_path: Path) -> None:
    upgrade(open_engine(f"sqlite:///{tmp_path}/c.db"))
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    assert await server.stdout.readline() == b"asked\n"
    server.kill()
    await server.wait()
    store = SqlConversations(open_engine(f"sqlite:///{tmp_path}/c.db"))
    async with sqlite_saver(tmp_path / "k.db") as saver:
        stage = Stage(conversations=store, saver=saver)
        stage.copilot = stage.another("later")
        card = await stage.says("red", "m2")
        (call,) = card.of(ToolCalled)
        assert call.view == {"name": "lamp", "value": "red"}  # type: ignore[attr-defined]
    await store.close()
