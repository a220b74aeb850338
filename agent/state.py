"""What the graph may remember between turns: plain JSON values, and four that are never stored.

Checkpoints are untrusted input and hold neither document text nor anything that carries authority:
evidence, answer and proposed actions travel in untracked channels, the viewer's scope and the
signed-in person in the run's context. A wish in the making is kept with tokens for the values that
the user typed; what it may do is decided anew by the desk, whatever a checkpoint says.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from langgraph.channels import UntrackedValue

from agent.answering import Written
from agent.types import Answer
from retrieval.types import Evidence
from tools.journal import Action


class Memory(TypedDict, total=False):
    """What is carried from turn to turn."""

    wish: dict[str, object] | None  # an `agent.acting.Wish`, see `agent.memory`
    offered: str | None  # the tool that the last answer offered to run
    asked: dict[str, object] | None  # the question put with the next steps, see `agent.asked`


class ConversationState(TypedDict, total=False):
    """One turn as the graph sees it; every turn overwrites all of it."""

    message_id: str
    cause: str  # "" for a user's message; else `decision`, `outcome` or `reminder`, of actions
    action_ids: list[str]  # that the turn is about
    item_ids: list[str]  # that a reminder is about
    memory: Memory
    before: Memory  # as it was when `before_id` began: a turn that runs again starts from here
    before_id: str
    path: str  # the edge that is taken next
    say: str | None  # key of the words that go with a card
    say_values: dict[str, str]
    text: str  # the user's words, redacted
    kind: str  # a RouteKind
    reply: str | None  # key of the fixed reply, for a turn that is no question
    question: str  # the text as it stands alone
    refusal: str | None  # a Refusal, once one is certain
    timings_ms: dict[str, float]  # step -> milliseconds
    evidence: Annotated[Evidence | None, UntrackedValue]
    written: Annotated[Written | None, UntrackedValue]
    answer: Annotated[Answer | None, UntrackedValue]
    actions: Annotated[list[Action] | None, UntrackedValue]
