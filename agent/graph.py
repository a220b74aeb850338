"""The conversation as a picture: which step follows which, and nothing else.

    route ─┬─> retrieve ─┬─> assess ─┬─> answer ─┬─> finish
           │             └───────────┴──> refuse <┘     ^
           │                                └───────────┤
           └─> reply ───────────────────────────────────┘

The question was identified, redacted and stored before it comes here; the answer is stored after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.checkpoints import checkpoint_serializer
from agent.deps import Deps
from agent.state import ConversationState
from agent.steps import RunContext, Steps
from agent.types import RouteKind

ConversationGraph: TypeAlias = CompiledStateGraph[
    ConversationState, RunContext, ConversationState, ConversationState
]


def build_graph(deps: Deps, saver: BaseCheckpointSaver[str] | None) -> ConversationGraph:
    """The graph over these parts; `saver` keeps what a paused conversation needs, None nothing.

    Whatever serialiser the saver came with is replaced. Raises UnsafeCheckpointsError.
    """
    serializer = checkpoint_serializer()
    if saver is not None:
        saver.serde = serializer
    steps = Steps(deps)
    graph = StateGraph(ConversationState, context_schema=RunContext)
    graph.add_node("route", steps.route)
    graph.add_node("reply", steps.reply)
    graph.add_node("retrieve", steps.retrieve)
    graph.add_node("assess", steps.assess)
    graph.add_node("answer", steps.answer)
    graph.add_node("refuse", steps.refuse)
    graph.add_node("finish", steps.finish)

    graph.add_edge(START, "route")
    graph.add_conditional_edges("route", _after_route, ["retrieve", "reply"])
    graph.add_conditional_edges("retrieve", _refused_or("assess"), ["assess", "refuse"])
    graph.add_conditional_edges("assess", _refused_or("answer"), ["answer", "refuse"])
    graph.add_conditional_edges("answer", _refused_or("finish"), ["finish", "refuse"])
    graph.add_edge("reply", "finish")
    graph.add_edge("refuse", "finish")
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=saver)


# The edges are coroutines because langgraph takes plain functions through a worker thread.


async def _after_route(state: ConversationState) -> str:
    return "retrieve" if state["kind"] == RouteKind.QUESTION else "reply"


def _refused_or(onward: str) -> Callable[[ConversationState], Awaitable[str]]:
    """The edge to `onward`, unless a refusal is certain."""

    async def edge(state: ConversationState) -> str:
        return "refuse" if state.get("refusal") else onward

    return edge
