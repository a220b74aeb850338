"""One pass of a turn through the graph: from its start, or from where it paused."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Durability

from agent.graph import ConversationGraph
from agent.running import RunContext
from agent.state import ConversationState
from agent.types import RunEvent

_PAUSED = ("decide",)


async def passing(
    graph: ConversationGraph,
    context: RunContext,
    timings: Mapping[str, float],
    cause: Mapping[str, object],
) -> AsyncGenerator[RunEvent, None]:
    """The events of one pass. The graph's thread id names the tenant first, unambiguously.

    A decision goes on where the conversation paused; where no checkpoint is left of the pause, or
    a later turn took its place, it begins anew and comes to the same node.
    """
    turn = context.turn
    kind = str(cause.get("kind", ""))
    fresh: ConversationState = {
        "message_id": turn.message_id,
        "text": turn.text,
        "cause": kind,
        "action_ids": _names(cause, "actions"),
        "item_ids": _names(cause, "items"),
        "timings_ms": dict(timings),
    }
    thread = json.dumps([turn.tenant, turn.thread_id])
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    keep: Durability | None = "exit" if graph.checkpointer else None
    resumes = kind == "decision" and await _paused(graph, config)
    goes_on: Command[str] = Command(resume=True, update=fresh)
    stream = graph.astream(
        goes_on if resumes else fresh,
        config,
        context=context,
        stream_mode=["custom"],
        durability=keep,
        version="v2",
    )
    async for part in stream:
        if part["type"] == "custom":
            yield part["data"]


def _names(cause: Mapping[str, object], key: str) -> list[str]:
    found = cause.get(key)
    return [str(name) for name in found] if isinstance(found, list) else []


async def _paused(graph: ConversationGraph, config: RunnableConfig) -> bool:
    if not graph.checkpointer:
        return False
    return (await graph.aget_state(config)).next == _PAUSED
