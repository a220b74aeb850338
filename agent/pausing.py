"""Open interrupts of a conversation: cards that were put to the user on it and wait for their word.

What was asked stands with the stored messages, whether it is still open in the journal. A run on
the thread answers every one of them, or is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.action_types import Pause
from agent.conversations import Conversation
from agent.deps import Acting
from agent.reporting import title_of
from agent.showing import marks_of
from agent.types import Ask
from agent.views import editable, manifest_of
from tools.journal import Action, State, UnknownActionError


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a run cannot begin; `code` is of the wire protocol."""

    code: str
    message: str


PENDING = Objection(
    "pending_interrupt", "A card waits for your decision. Answer every open card first."
)
EXPIRED = Objection("approval_expired", "The card has expired. Nothing happened; ask again.")
INVALID = Objection("approval_invalid", "There is no such card in this conversation.")
REFUSALS = frozenset(objection.code for objection in (PENDING, EXPIRED, INVALID))


def pause_of(acting: Acting, action: Action) -> Pause:
    return Pause(
        action_id=action.id,
        title=title_of(acting, action.call.tool),
        risk=action.tier.risk,
        digest=action.digest,
        expires=action.expires.isoformat(),
        schema=editable(manifest_of(acting.catalogue, action)),
    )


def announced(conversation: Conversation) -> tuple[str, ...]:
    """Ids of every card that was put to the user as an interrupt, oldest first."""
    marks = (mark for message in conversation.messages for mark in marks_of(message))
    found = (mark.id for mark in marks if mark.told == "card" and mark.approver == "end_user")
    return tuple(dict.fromkeys(found))


async def open_pauses(acting: Acting, conversation: Conversation) -> tuple[Action, ...]:
    """The cards of these that still wait for the user's own word. Raises JournalError."""
    now = await acting.journal.now()
    found = []
    for action_id in announced(conversation):
        action = await _known(acting, conversation.tenant, action_id)
        if action is not None and await _waits(acting, conversation, action, now):
            found.append(action)
    return tuple(found)


async def _waits(acting: Acting, conversation: Conversation, action: Action, now: datetime) -> bool:
    if action.state is not State.PENDING or action.expires <= now:
        return False
    given = await acting.journal.approvals(action.who.tenant, action.id)
    return all(approval.approver != conversation.subject for approval in given)


async def objection_to(
    acting: Acting, request: Ask, conversation: Conversation
) -> Objection | None:
    """Why the cards cannot be answered so; None when they can. A card that was decided already is
    no objection: its state is told again. Raises JournalError."""
    known = announced(conversation)
    now = await acting.journal.now()
    for answer in request.resume:
        action = await _known(acting, request.tenant, answer.action_id)
        if action is None or answer.action_id not in known or request.actor is None:
            return INVALID
        if _expired(action, now):
            return EXPIRED
    answered = {answer.action_id for answer in request.resume}
    still = {action.id for action in await open_pauses(acting, conversation)}
    return PENDING if still - answered else None


def _expired(action: Action, now: datetime) -> bool:
    if action.state is State.PENDING:
        return action.expires <= now
    return action.state is State.REFUSED and action.reason == "expired"


async def _known(acting: Acting, tenant: str, action_id: str) -> Action | None:
    try:
        return await acting.journal.action(tenant, action_id)
    except UnknownActionError:
        return None
