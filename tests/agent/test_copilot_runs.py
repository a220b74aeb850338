from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from agent import (
    ConversationsUnavailableError,
    Copilot,
    MemoryConversations,
    Message,
    Numbered,
    Status,
    UnknownThreadError,
)
from agent.answerers.scripted import Pause
from agent.conversations import LoggedEvent, Reply
from agent.conversations_sql import SqlConversations, open_engine, upgrade
from agent.types import (
    MessageDelta,
    MessageFinished,
    RunFailed,
    RunFinished,
    RunStarted,
)
from tests.agent.asking import (
    FIFTY,
    SEVEN,
    SHOWN,
    STEP,
    FailingRetriever,
    HeldRetriever,
    answer_in,
    drained,
    kinds,
    request,
    speaking,
    until,
)
from tests.agent.shelf import TENANT, ShelfRetriever, counter, deps

# --- once, whatever happens --------------------------------------------------------------------


async def test_the_same_message_twice_is_answered_once() -> None:
    retriever = ShelfRetriever()
    copilot = Copilot(deps(speaking(FIFTY, STEP), retriever=retriever))
    first = answer_in(await drained(copilot.ask(request())))
    again = await drained(copilot.ask(request("Another text?")))
    assert answer_in(again) == first
    assert "".join(e.event.text for e in again if isinstance(e.event, MessageDelta)) == first.text
    assert kinds(again)[-1] is RunFinished
    assert len(retriever.asked) == 1


async def test_the_same_message_at_once_is_one_run() -> None:
    retriever = ShelfRetriever()
    copilot = Copilot(deps(speaking(FIFTY, Pause(0.05), SEVEN), retriever=retriever))
    runs = await asyncio.gather(*(drained(copilot.ask(request())) for _ in range(5)))
    assert all(run == runs[0] for run in runs)
    assert len(retriever.asked) == 1


async def test_a_client_that_goes_away_does_not_stop_the_run() -> None:
    copilot = Copilot(deps(speaking(FIFTY, Pause(0.1), SEVEN)))
    async with aclosing(copilot.ask(request())) as events:
        async for numbered in events:
            if isinstance(numbered.event, MessageDelta):
                break
    joined = await drained(copilot.ask(request()))
    assert answer_in(joined).text.endswith("The link works for seven days [1].")
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert len(kept.messages) == 2


async def test_closing_marks_the_turn_and_resume_answers_it_once() -> None:
    store = MemoryConversations()
    copilot = Copilot(deps(speaking(FIFTY, Pause(30)), conversations=store))
    events: list[Numbered] = []

    async def watch() -> None:
        async for numbered in copilot.ask(request()):
            events.append(numbered)
            if isinstance(numbered.event, MessageDelta):
                reached.set()

    reached = asyncio.Event()
    watching = asyncio.create_task(watch())
    await reached.wait()
    await copilot.close()
    await watching
    assert isinstance(events[-1].event, RunFailed)
    assert events[-1].event.code == "cancelled"
    kept = await store.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.INTERRUPTED]
    assert len(await copilot.events(TENANT, "t1")) == len(events) - 1

    later = Copilot(deps(speaking(FIFTY), conversations=store))
    resumed = await drained(later.resume(TENANT, "t1"))
    assert answer_in(resumed).text == SHOWN
    assert resumed[0].number > events[-1].number
    assert resumed[0].event == RunStarted("t1", "run-m1")
    assert await drained(later.resume(TENANT, "t1")) == []
    kept = await store.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.DONE, Status.DONE]


async def test_resuming_a_run_under_way_joins_it() -> None:
    retriever = HeldRetriever()
    copilot = Copilot(deps(speaking(), retriever=retriever))
    running = asyncio.create_task(drained(copilot.ask(request())))
    await until(retriever.reached)
    joined = asyncio.create_task(drained(copilot.resume(TENANT, "t1")))
    await asyncio.sleep(0.01)
    retriever.release.set()
    assert await joined == await running
    assert len(retriever.asked) == 1


async def test_resuming_what_is_not_there_is_an_error() -> None:
    with pytest.raises(UnknownThreadError, match="t9"):
        await drained(Copilot(deps()).resume(TENANT, "t9"))


async def test_two_servers_answering_one_question_store_one_answer() -> None:
    store = MemoryConversations()
    held = HeldRetriever()
    slow = Copilot(
        replace(deps(speaking(SEVEN), conversations=store, retriever=held), new_id=counter("slow"))
    )
    quick = Copilot(replace(deps(speaking(FIFTY), conversations=store), new_id=counter("quick")))
    running = asyncio.create_task(drained(slow.ask(request())))
    await until(held.reached)
    first = answer_in(await drained(quick.ask(request())))
    held.release.set()
    assert answer_in(await running) == first
    kept = await store.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.message_id for m in kept.messages] == ["m1", "quick1"]


async def test_a_bug_ends_the_run_and_keeps_the_question() -> None:
    copilot = Copilot(deps(retriever=FailingRetriever(ZeroDivisionError("bug"))))
    events: list[Numbered] = []
    with pytest.raises(ZeroDivisionError):
        async for numbered in copilot.ask(request()):
            events.append(numbered)
    assert isinstance(events[-1].event, RunFailed)
    assert events[-1].event.code == "internal"
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert kept.unanswered() is not None


class FullConversations(MemoryConversations):
    """Takes questions, but has no room for answers."""

    @override
    async def finish(self, question: Message, reply: Reply) -> Message:
        raise ConversationsUnavailableError("disk full")


async def test_an_answer_that_cannot_be_stored_is_not_called_finished() -> None:
    copilot = Copilot(deps(speaking(), conversations=FullConversations()))
    events: list[Numbered] = []
    with pytest.raises(ConversationsUnavailableError):
        async for numbered in copilot.ask(request()):
            events.append(numbered)
    assert MessageFinished not in kinds(events)
    assert isinstance(events[-1].event, RunFailed)
    assert events[-1].event.code == "upstream_unavailable"


class HiccupingConversations(MemoryConversations):
    """Cannot append for a while."""

    @override
    async def append(self, tenant: str, thread_id: str, events: Sequence[LoggedEvent]) -> None:
        raise ConversationsUnavailableError("database is locked")


async def test_a_hiccup_of_the_log_costs_neither_answer_nor_log() -> None:
    copilot = Copilot(
        deps(speaking(FIFTY, Pause(0.3), SEVEN), conversations=HiccupingConversations())
    )
    events = await drained(copilot.ask(request()))
    assert answer_in(events).text.endswith("seven days [1].")
    assert await copilot.events(TENANT, "t1") == tuple(events)


# --- killed ------------------------------------------------------------------------------------

_SERVER = """
import asyncio, sys
from agent import Copilot
from agent.conversations_sql import SqlConversations, open_engine
from agent.types import MessageDelta
from tests.agent.asking import FIFTY, Pause, request, speaking
from tests.agent.shelf import deps

async def main():
    store = SqlConversations(open_engine(sys.argv[1]))
    copilot = Copilot(deps(speaking(FIFTY, Pause(60)), conversations=store))
    async for numbered in copilot.ask(request()):
        if isinstance(numbered.event, MessageDelta):
            print(numbered.number, flush=True)

asyncio.run(main())
"""


async def test_a_killed_server_leaves_a_question_that_is_answered_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/conversations.db"
    upgrade(open_engine(url))
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, url, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    seen = int(await server.stdout.readline())
    server.kill()
    await server.wait()

    store = SqlConversations(open_engine(url))
    copilot = Copilot(deps(speaking(FIFTY), conversations=store))
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.OPEN]
    resumed, again = await asyncio.gather(
        drained(copilot.resume(TENANT, "t1")), drained(copilot.resume(TENANT, "t1"))
    )
    assert resumed == again
    assert answer_in(resumed).text == SHOWN
    assert resumed[0].number > seen
    kept = await copilot.conversation(TENANT, "t1")
    assert kept is not None
    assert [m.role for m in kept.messages] == ["user", "assistant"]
    await store.close()
