"""What the graph may remember between turns: plain JSON values, and three that are never stored.

Checkpoints are untrusted input and hold neither document text nor anything that carries authority:
evidence and answer travel in untracked channels, the viewer's scope in the run's context.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from langgraph.channels import UntrackedValue

from agent.answering import Written
from agent.types import Answer
from retrieval.types import Evidence


class ConversationState(TypedDict, total=False):
    """One turn as the graph sees it; every turn overwrites all of it."""

    message_id: str
    text: str  # the user's words, redacted
    kind: str  # a RouteKind
    reply: str | None  # key of the fixed reply, for a turn that is no question
    question: str  # the text as it stands alone
    refusal: str | None  # a Refusal, once one is certain
    timings_ms: dict[str, float]  # step -> milliseconds
    evidence: Annotated[Evidence | None, UntrackedValue]
    written: Annotated[Written | None, UntrackedValue]
    answer: Annotated[Answer | None, UntrackedValue]
