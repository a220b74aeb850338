"""Events and messages as their owner sees them: tokens become values, references become cards.

Nothing that passes here is stored. Whoever cannot be shown a value any more sees the token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from agent.action_types import ActionMark, CardShown, ToolCalled, ToolEnded, View
from agent.conversations import Message
from agent.deps import Acting
from agent.events import stored_answer
from agent.types import Answer, MessageDelta, MessageFinished, RunEvent
from agent.views import Approver, arguments_view, card_view, manifest_of, result_view
from tools.journal import Action, JournalError, State
from tools.vault import KeyDestroyedError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose conversation it is."""

    tenant: str
    subject: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A stored message as its owner reads it; `text` is in the clear."""

    stored: Message
    text: str
    called: tuple[ToolCalled, ...] = ()
    cards: tuple[CardShown, ...] = ()
    ended: tuple[ToolEnded, ...] = ()


def marks_of(message: Message) -> tuple[ActionMark, ...]:
    """The actions that a stored answer tells of."""
    if message.role != "assistant" or not message.decision.get("actions"):
        return ()
    return stored_answer(message).actions


class Showing:
    """Fills what leaves for one owner."""

    def __init__(self, acting: Acting, owner: Owner) -> None:
        self._acting = acting
        self._owner = owner

    async def event(self, event: RunEvent) -> RunEvent:
        match event:
            case MessageDelta():
                return replace(event, text=await self.text(event.text))
            case MessageFinished():
                return replace(event, answer=await self._answer(event.answer))
            case ToolCalled():
                return replace(event, view=await self._call(event.action_id))
            case CardShown():
                return replace(event, view=await self.card(event.action_id))
            case ToolEnded():
                return replace(event, view=await self.result(event.action_id))
            case _:
                return event

    async def text(self, text: str) -> str:
        """Text with the owner's own values; secrets stay masked."""
        if "<" not in text:
            return text
        who = self._owner
        try:
            return await self._acting.held.shown(who.tenant, who.subject, who.thread_id, text)
        except KeyDestroyedError:
            return text

    async def message(self, message: Message) -> ShownMessage:
        """A stored message with its actions as they stand now."""
        cards: list[CardShown] = []
        called: list[ToolCalled] = []
        ended: list[ToolEnded] = []
        for told in marks_of(message):
            call = await self._call(told.id)
            called.append(ToolCalled(told.id, told.tool, message.message_id, call))
            if told.told == "card":
                cards.append(CardShown(told.id, await self.card(told.id)))
            else:
                ended.append(ToolEnded(told.id, await self.result(told.id)))
        text = await self.text(message.text)
        return ShownMessage(message, text, tuple(called), tuple(cards), tuple(ended))

    async def _answer(self, answer: Answer) -> Answer:
        return replace(answer, text=await self.text(answer.text))

    async def _call(self, action_id: str) -> View:
        action = await self._action(action_id)
        if action is None:
            return {}
        return arguments_view(action, manifest_of(self._acting.catalogue, action))

    async def card(self, action_id: str) -> View:
        action = await self._action(action_id)
        if action is None:
            return {"actionId": action_id, "status": "unknown"}
        manifest = manifest_of(self._acting.catalogue, action)
        return card_view(action, manifest, await self._approver(action))

    async def _approver(self, action: Action) -> Approver:
        """Whose word the card waits for; the owner's own comes first where two are needed."""
        if action.state is not State.PENDING:
            return "nobody"
        given = await self._acting.journal.approvals(action.who.tenant, action.id)
        spoken = any(approval.approver == self._owner.subject for approval in given)
        return "other" if spoken or action.who.subject != self._owner.subject else "end_user"

    async def result(self, action_id: str) -> View:
        action = await self._action(action_id)
        if action is None:
            return {"actionId": action_id, "state": "unknown"}
        receipts = await self._acting.journal.receipt_of(action.who.tenant, action_id)
        manifest = manifest_of(self._acting.catalogue, action)
        card = card_view(action, manifest, await self._approver(action))
        return {**result_view(action, manifest, receipts), "card": dict(card)}

    async def _action(self, action_id: str) -> Action | None:
        """None when the journal does not know it or does not answer: the view is then bare."""
        try:
            return await self._acting.journal.action(self._owner.tenant, action_id)
        except JournalError as error:
            _log.warning("show.no_action", action=action_id, error=type(error).__name__)
            return None
