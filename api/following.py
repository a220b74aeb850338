"""One reader of a thread: the prelude, the rest of the run, then later runs as they begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from ag_ui.core import BaseEvent
from ag_ui.core import Message as WireMessage

from agent import Numbered
from agent.conversations import EVENT_BLOCK
from agent.types import RunStarted
from api.context import Context
from api.conversations import conversation_of, wire_messages
from api.identity import scope_of
from api.joining import finished_prelude, prelude
from api.runs import FRAMES_PER_EVENT, Run, ThreadKey
from api.snapshots import with_snapshots
from api.sse import PING, encode
from tools.types import Actor


class Join(NamedTuple):
    """Who joins which thread, having seen which frame; `follow` waits for later runs."""

    thread: ThreadKey
    actor: Actor | None
    cursor: int | None
    follow: bool


async def join_thread(context: Context, join: Join) -> AsyncIterator[bytes]:
    """The frames for one reader. Raises NotHereError before the first of them.

    A question that a stopped server left open is taken up again here.
    """
    run = await _run_to_read(context, join)
    if run is not None:
        await run.opened()
    conversation = await conversation_of(context, join.thread.thread_id, join.actor)
    shown = await context.assistant.shown(conversation)
    history = wire_messages(shown, context.page_url)
    if run is not None:
        return _running(context, join, history, run)
    run_id = conversation.messages[-1].run_id
    paused = await context.assistant.paused(conversation, run_id)
    thread = RunStarted(conversation.thread_id, run_id)
    scope = scope_of(context.site.viewer, join.actor)
    standing = await context.assistant.standing(join.actor, scope)
    return _idle(context, join, finished_prelude(thread, history, paused, standing))


async def _run_to_read(context: Context, join: Join) -> Run | None:
    """The newest run: in memory, else taken up again, else from its log.

    Without a cursor the log tells a reader nothing that the stored conversation does not.
    """
    runs, assistant = context.runs, context.assistant
    key, actor = join.thread, join.actor
    run = runs.newest(key)
    if run is not None:
        return run
    tenant, thread_id, _ = key
    question = (await conversation_of(context, thread_id, actor)).unanswered()
    if question is not None and runs.newest(key) is None:
        events = with_snapshots(context, actor, assistant.resume(tenant, thread_id, actor))
        return runs.start(key, question.run_id, question.message_id, events)
    if join.cursor is None:
        return runs.newest(key)
    after = max(0, join.cursor // FRAMES_PER_EVENT - EVENT_BLOCK)
    logged = await assistant.events(tenant, thread_id, after, actor)
    filled = with_snapshots(context, actor, _each(logged))
    return runs.restore(key, [numbered async for numbered in filled])


async def _each(logged: Sequence[Numbered]) -> AsyncIterator[Numbered]:
    for numbered in logged:
        yield numbered


async def _running(
    context: Context, join: Join, history: list[WireMessage], run: Run
) -> AsyncIterator[bytes]:
    life = context.runs.life(join.thread)
    seen = run.position_after(join.cursor)
    position = max(seen, 1)
    begun, *state = prelude(join.thread.thread_id, history, run, position)
    number = None if seen else run.frames[0].number  # a run has one start on the wire
    yield encode(begun, number) + b"".join(encode(event) for event in state)
    async for piece in run.read(position, context.limits.heartbeat_s):
        yield piece
    if join.follow:
        async for piece in _later_runs(context, join.thread, run, life):
            yield piece


async def _idle(context: Context, join: Join, events: Sequence[BaseEvent]) -> AsyncIterator[bytes]:
    life = context.runs.life(join.thread)
    yield b"".join(encode(event) for event in events)
    if join.follow:
        async for piece in _later_runs(context, join.thread, None, life):
            yield piece


async def _later_runs(
    context: Context, key: ThreadKey, last: Run | None, life: int
) -> AsyncIterator[bytes]:
    """Every run after `last`, from its first frame; ends after `linger_s` without one, and with
    the life of the reader."""
    clock = asyncio.get_running_loop().time
    limits = context.limits
    until = clock() + limits.linger_s
    while clock() < until and context.runs.life(key) == life:
        run = await context.runs.next_run(key, last, min(limits.heartbeat_s, until - clock()))
        if run is None:
            yield PING
            continue
        async for piece in run.read(0, limits.heartbeat_s):
            yield piece
        last, until = run, clock() + limits.linger_s
