"""One reader of a thread: the prelude, the rest of the run, then later runs as they begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from ag_ui.core import Message as WireMessage

from agent import Conversation
from agent.conversations import EVENT_BLOCK
from api.context import Context
from api.conversations import wire_messages
from api.errors import NotHereError
from api.joining import finished_prelude, prelude
from api.runs import FRAMES_PER_EVENT, Run, ThreadKey
from api.sse import PING, encode


class Join(NamedTuple):
    """Who joins which thread, having seen which frame; `follow` waits for later runs."""

    key: ThreadKey
    cursor: int | None
    follow: bool


async def join_thread(context: Context, join: Join) -> AsyncIterator[bytes]:
    """The frames for one reader. Raises NotHereError before the first of them.

    A question that a stopped server left open is taken up again here.
    """
    run = await _run_to_read(context, join)
    if run is not None:
        await run.opened()
    conversation = await _conversation(context, join.key)
    history = wire_messages(conversation, context.page_url)
    if run is None:
        return _idle(context, join, history, conversation.messages[-1].run_id)
    return _running(context, join, history, run)


async def _conversation(context: Context, key: ThreadKey) -> Conversation:
    conversation = await context.assistant.conversation(*key)
    if conversation is None or not conversation.messages:
        raise NotHereError("no_such_thread", "there is no conversation of this id")
    return conversation


async def _run_to_read(context: Context, join: Join) -> Run | None:
    """The newest run: in memory, else taken up again, else from its log.

    Without a cursor the log tells a reader nothing that the stored conversation does not.
    """
    runs, assistant = context.runs, context.assistant
    run = runs.newest(join.key)
    if run is not None:
        return run
    conversation = await _conversation(context, join.key)
    question = conversation.unanswered()
    if question is not None and runs.newest(join.key) is None:
        events = assistant.resume(*join.key)
        return runs.start(join.key, question.run_id, question.message_id, events)
    if join.cursor is None:
        return runs.newest(join.key)
    after = max(0, join.cursor // FRAMES_PER_EVENT - EVENT_BLOCK)
    return runs.restore(join.key, await assistant.events(*join.key, after))


async def _running(
    context: Context, join: Join, history: list[WireMessage], run: Run
) -> AsyncIterator[bytes]:
    seen = run.position_after(join.cursor)
    position = max(seen, 1)
    begun, *state = prelude(join.key.thread_id, history, run, position)
    number = None if seen else run.frames[0].number  # a run has one start on the wire
    yield encode(begun, number) + b"".join(encode(event) for event in state)
    async for piece in run.read(position, context.limits.heartbeat_s):
        yield piece
    if join.follow:
        async for piece in _later_runs(context, join.key, run):
            yield piece


async def _idle(
    context: Context, join: Join, history: list[WireMessage], run_id: str
) -> AsyncIterator[bytes]:
    events = finished_prelude(join.key.thread_id, run_id, history)
    yield b"".join(encode(event) for event in events)
    if join.follow:
        async for piece in _later_runs(context, join.key, None):
            yield piece


async def _later_runs(context: Context, key: ThreadKey, last: Run | None) -> AsyncIterator[bytes]:
    """Every run after `last`, from its first frame; ends after `linger_s` without one."""
    clock = asyncio.get_running_loop().time
    limits = context.limits
    until = clock() + limits.linger_s
    while clock() < until:
        run = await context.runs.next_run(key, last, min(limits.heartbeat_s, until - clock()))
        if run is None:
            yield PING
            continue
        async for piece in run.read(0, limits.heartbeat_s):
            yield piece
        last, until = run, clock() + limits.linger_s
