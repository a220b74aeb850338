"""Runs that nobody asked for, such as the end of an action, go to whoever follows the thread."""

from __future__ import annotations

import asyncio

from agent.copilot import Pushed
from api.context import Context
from api.runs import ThreadKey

LOOK_S = 0.05
PATIENCE_S = 10.0
"""How long a pushed run waits for the one before it to reach its readers: they end together."""


async def push_runs(context: Context) -> None:
    """Until cancelled."""
    async for pushed in context.assistant.pushed():
        await _push(context, pushed)


async def _push(context: Context, pushed: Pushed) -> None:
    key = ThreadKey(pushed.tenant, pushed.thread_id, pushed.subject)
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_S
    while (before := context.runs.newest(key)) is not None and not before.done:
        if clock() > until:
            return  # it is stored: whoever comes back reads it
        await asyncio.sleep(LOOK_S)
    events = context.assistant.follow(pushed)
    context.runs.start(key, pushed.run_id, pushed.message_id, events)
