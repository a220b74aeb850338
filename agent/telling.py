"""What a conversation is told without asking: how an action ended after its run had gone on."""

from __future__ import annotations

from datetime import datetime

from agent.conversations import Conversation, Question
from agent.deps import Acting
from agent.showing import marks_of
from guardrails import literal
from retrieval.types import Scope
from tools.journal import Action, OutboxRow, State, UnknownActionError

BUSY_S = 60.0
"""For how long an unanswered question keeps news back: another server may be answering it, and a
run waits at most a third of this for an action."""
_NEWS = frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.REFUSED})


async def outcome_of(
    acting: Acting, row: OutboxRow, conversation: Conversation, now: datetime
) -> Question | bool:
    """The event that tells of it; True when there is nothing to tell, False when not yet."""
    try:
        action = await acting.journal.action(row.tenant, row.action_id)
    except UnknownActionError:
        return True
    if not _is_news(action, row) or _was_told(conversation, action):
        return True
    open_ = conversation.unanswered()
    if open_ is not None and (now - open_.created).total_seconds() < BUSY_S:
        return False
    name = f"{action.id}.{action.state.value}"
    return Question(
        tenant=conversation.tenant,
        thread_id=conversation.thread_id,
        message_id=f"~told.{name}",
        run_id=f"told.{name}",
        text=literal(""),
        scope=_scope(conversation),
        created=now,
        subject=conversation.subject,
        role="event",
        cause={"kind": "outcome", "actions": [action.id]},
    )


def _is_news(action: Action, row: OutboxRow) -> bool:
    """Steps are told with their flow; a state that was left again has a row of its own."""
    return (
        action.parent is None
        and action.state in _NEWS
        and row.kind == f"action.{action.state.value}"
        and action.reason not in {"edited", "merged"}
    )


def _was_told(conversation: Conversation, action: Action) -> bool:
    marks = (mark for message in conversation.messages for mark in marks_of(message))
    return any(mark.id == action.id and mark.state == action.state.value for mark in marks)


def _scope(conversation: Conversation) -> Scope:
    asked = [m.scope for m in conversation.messages if m.scope is not None]
    return asked[-1] if asked else Scope(conversation.tenant)
