"""A run that pauses ends with the conversation as it stands: filled in here, where it is known how
messages look on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from agent.action_types import RunPaused
from agent.types import Numbered
from api.context import Context
from api.conversations import conversation_of, wire_messages
from tools.types import Actor


async def with_snapshots(
    context: Context, actor: Actor | None, events: AsyncIterator[Numbered]
) -> AsyncIterator[Numbered]:
    """The events as they come; a pause with the messages before it."""
    async for number, event in events:
        if isinstance(event, RunPaused):
            conversation = await conversation_of(context, event.thread_id, actor)
            shown = await context.assistant.shown(conversation)
            messages = wire_messages(shown, context.page_url)
            yield Numbered(number, replace(event, messages=tuple(messages)))
        else:
            yield Numbered(number, event)
