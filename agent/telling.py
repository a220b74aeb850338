"""What a conversation is told without asking: how an action ended after its run had gone on, and
later what it left open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from agent.conversations import Conversation, Question
from agent.deps import Acting
from agent.reminding import first_due_s, reminder_of, reminding
from agent.showing import marks_of
from guardrails import literal
from retrieval.types import Scope
from tools.journal import REMINDER, Action, OutboxRow, State, UnknownActionError

BUSY_S = 60.0
"""For how long an unanswered question keeps news back: another server may be answering it, and a
run waits at most a third of this for an action."""
AGAIN_S = 5.0
"""A conversation that is busy is looked at again after this."""
_NEWS = frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.REFUSED})


@dataclass(frozen=True, slots=True)
class News:
    """What one row of the outbox comes to: an event to tell, if any; after how many seconds the row
    is to be looked at again, if ever; and after how many its action is to be reminded of."""

    event: Question | None = None
    again_s: float | None = None
    remind_s: float | None = None


async def news_of(
    acting: Acting, row: OutboxRow, conversation: Conversation, now: datetime
) -> News:
    """Raises JournalError."""
    try:
        action = await acting.journal.action(row.tenant, row.action_id)
    except UnknownActionError:
        return News()
    if row.kind == REMINDER:
        return await _reminder(acting, row, action, conversation, now)
    remind_s = _remind_after(acting, row, action)
    if not _is_news(action, row) or _was_told(conversation, action):
        return News(remind_s=remind_s)
    if _is_busy(conversation, now):
        return News(again_s=AGAIN_S)
    name = f"{action.id}.{action.state.value}"
    return News(_event(conversation, "outcome", action, name, now), remind_s=remind_s)


async def _reminder(
    acting: Acting, row: OutboxRow, action: Action, conversation: Conversation, now: datetime
) -> News:
    found = await reminder_of(acting, row, action)
    if found.items and _is_busy(conversation, now):
        return News(again_s=AGAIN_S)
    name = f"{action.id}.reminder{found.stage}"
    told = any(message.message_id == f"~told.{name}" for message in conversation.messages)
    if not found.items or told:
        return News(again_s=found.again_s)
    event = _event(conversation, "reminder", action, name, now)
    cause = {**event.cause, "items": [item.id for item in found.items]}
    return News(replace(event, cause=cause), again_s=found.again_s)


def _remind_after(acting: Acting, row: OutboxRow, action: Action) -> float | None:
    if row.kind != f"action.{State.SUCCEEDED.value}":
        return None
    tool = reminding(acting, action)
    return first_due_s(tool) if tool is not None else None


def _is_busy(conversation: Conversation, now: datetime) -> bool:
    open_ = conversation.unanswered()
    return open_ is not None and (now - open_.created).total_seconds() < BUSY_S


def _event(
    conversation: Conversation, kind: str, action: Action, name: str, now: datetime
) -> Question:
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
        cause={"kind": kind, "actions": [action.id]},
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
