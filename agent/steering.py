"""Which way a turn goes once something can be acted on.

Without acting parts, and outside a conversation, the router's word stands as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.asked import picked
from agent.deps import Deps
from agent.language import Control
from agent.memory import remembered
from agent.router import Ruling, plain
from agent.running import RunContext, language_for
from agent.state import ConversationState
from agent.types import RouteKind

_BY_CAUSE = {"decision": "decide", "outcome": "report", "reminder": "remind"}


class Way(NamedTuple):
    """`path` is the edge from `route`; `reply` the key of a fixed reply, for `reply`; the name of
    the control, for `manage`."""

    path: str
    reply: str | None = None


def steer(deps: Deps, state: ConversationState, context: RunContext, ruling: Ruling) -> Way:
    usual = _usual(deps, context, ruling)
    if _answers(deps, state, context):
        return Way("recommend")
    if deps.acting is None:
        return usual
    cause = state.get("cause", "")
    if cause:
        return Way(_BY_CAUSE[cause])
    if context.actor is None:
        return Way("reply", "act_sign_in") if ruling.kind is RouteKind.ACTION else usual
    memory = remembered(state)
    under_way = bool(memory.get("wish") or memory.get("offered"))
    control = _control(context)
    if control is not None and not (under_way and control is Control.CANCEL):
        return Way("manage", control.value)
    return Way("plan", ruling.reply) if under_way or _may_act(ruling) else usual


def _answers(deps: Deps, state: ConversationState, context: RunContext) -> bool:
    """Whether the text picks an answer of the question that was put with the next steps."""
    if deps.guide is None or context.actor is None or state.get("cause"):
        return False
    return picked(remembered(state), context.turn.text) is not None


def _usual(deps: Deps, context: RunContext, ruling: Ruling) -> Way:
    if ruling.kind is RouteKind.QUESTION:
        return Way("retrieve")
    guided = deps.guide is not None and context.actor is not None
    if ruling.kind is RouteKind.PROGRESS and guided:
        return Way("recommend")
    return Way("reply", ruling.reply)


def _control(context: RunContext) -> Control | None:
    said = plain(context.turn.text)
    controls = language_for(context.turn).controls
    return next((c.control for c in controls if c.pattern.fullmatch(said)), None)


def _may_act(ruling: Ruling) -> bool:
    """Whether the planner looks at it: an order, and whatever is not plainly something else."""
    if ruling.kind is RouteKind.ACTION:
        return True
    return ruling.kind is RouteKind.QUESTION and not ruling.asks
