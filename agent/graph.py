"""The conversation as a picture: which step follows which, and nothing else.

    route ─┬─> retrieve ─┬─> assess ─┬─> answer ─┬─> offer ──> finish
           │      ^      └───────────┴──> refuse <┘              ^
           │      │ an aside                 └───────────────────┤
           ├─> reply <┤ ─────────────────────────────────────────┤
           ├─> recommend <┤ ─────────────────────────────────────┤ next steps
           ├─> plan ──┴─┬────────────────────────────────────────┤ asks one thing
           │            └─> propose ─┬───────────────────────────┤ cannot
           ├─> manage ──┬────────────│───────────────────────────┤
           │            └────────────┼─> present ──> (the end: somebody else decides)
           │                         │    │   ^
           │                         │    v   │ edited
           ├─────────────────────────│─> decide: pauses for the user's own word
           │                         v    │
           │                      execute <┤
           │                         v     v
           ├────────────────────────> report ────────────────────┤
           └─> remind ───────────────────────────────────────────┘

The question was identified, redacted and stored before it comes here; the answer is stored after.
A pause grants nothing: the journal does, and a run begins at `decide` with the user's word whether
or not a checkpoint is left of the pause.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.action_steps import ActionSteps
from agent.checkpoints import checkpoint_serializer
from agent.deps import Deps
from agent.managing import ManagingSteps
from agent.planning_steps import PlanningSteps
from agent.recommending import RecommendingSteps
from agent.reminding import RemindingSteps
from agent.running import RunContext
from agent.state import ConversationState
from agent.steps import Steps

ConversationGraph: TypeAlias = CompiledStateGraph[
    ConversationState, RunContext, ConversationState, ConversationState
]
_Blank: TypeAlias = StateGraph[ConversationState, RunContext, ConversationState, ConversationState]


def build_graph(deps: Deps, saver: BaseCheckpointSaver[str] | None) -> ConversationGraph:
    """The graph over these parts; `saver` keeps what a paused conversation needs, None nothing.

    Whatever serialiser the saver came with is replaced. Raises UnsafeCheckpointsError.
    """
    serializer = checkpoint_serializer()
    if saver is not None:
        saver.serde = serializer
    graph = StateGraph(ConversationState, context_schema=RunContext)
    _add_answering(graph, deps)
    _add_acting(graph, deps)
    graph.add_edge(START, "route")
    graph.add_conditional_edges(
        "route",
        _path,
        ["retrieve", "reply", "recommend", "plan", "manage", "decide", "report", "remind"],
    )
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=saver)


def _add_answering(graph: _Blank, deps: Deps) -> None:
    steps = Steps(deps)
    graph.add_node("route", steps.route)
    graph.add_node("reply", steps.reply)
    graph.add_node("retrieve", steps.retrieve)
    graph.add_node("assess", steps.assess)
    graph.add_node("answer", steps.answer)
    graph.add_node("offer", PlanningSteps(deps).offer)
    graph.add_node("recommend", RecommendingSteps(deps).recommend)
    graph.add_node("refuse", steps.refuse)
    graph.add_node("finish", steps.finish)

    graph.add_conditional_edges("retrieve", _refused_or("assess"), ["assess", "refuse"])
    graph.add_conditional_edges("assess", _refused_or("answer"), ["answer", "refuse"])
    graph.add_conditional_edges("answer", _refused_or("offer"), ["offer", "refuse"])
    for last in ("offer", "reply", "refuse", "recommend"):
        graph.add_edge(last, "finish")


def _add_acting(graph: _Blank, deps: Deps) -> None:
    before, after = PlanningSteps(deps), ActionSteps(deps)
    graph.add_node("plan", before.plan)
    graph.add_node("propose", before.propose)
    graph.add_node("present", before.present)
    graph.add_node("manage", ManagingSteps(deps).manage)
    graph.add_node("decide", after.decide)
    graph.add_node("execute", after.execute)
    graph.add_node("report", after.report)
    graph.add_node("remind", RemindingSteps(deps).remind)

    standing = ["present", "execute", "report"]
    graph.add_conditional_edges(
        "plan", _path, ["propose", "retrieve", "reply", "recommend", "finish"]
    )
    graph.add_conditional_edges("propose", _path, [*standing, "finish"])
    graph.add_conditional_edges("manage", _path, [*standing, "finish"])
    graph.add_conditional_edges("present", _path, {"decide": "decide", "end": END})
    graph.add_conditional_edges("decide", _path, standing)
    graph.add_edge("execute", "report")
    graph.add_edge("report", "finish")
    graph.add_edge("remind", "finish")


# The edges are coroutines because langgraph takes plain functions through a worker thread.


async def _path(state: ConversationState) -> str:
    return state["path"]


def _refused_or(onward: str) -> Callable[[ConversationState], Awaitable[str]]:
    """The edge to `onward`, unless a refusal is certain."""

    async def edge(state: ConversationState) -> str:
        return "refuse" if state.get("refusal") else onward

    return edge
