"""A stored conversation as AG-UI messages and as REST: citations, refusals, actions included."""

from __future__ import annotations

from collections.abc import Iterator

from ag_ui.core import Message as WireMessage
from fastapi import APIRouter

from agent import Conversation
from agent.events import stored_answer
from agent.showing import ShownMessage
from agent.stream import PageUrl, answer_metadata, assistant_message, user_message
from agent.wire_actions import card_message, result_message
from api.context import Context, ThreadId
from api.errors import NotHereError
from api.identity import Caller
from api.schemas import ConversationBody, MessageBody
from tools.types import Actor


async def conversation_of(context: Context, thread_id: str, actor: Actor | None) -> Conversation:
    """Raises NotHereError, also for a conversation of somebody else."""
    found = await context.assistant.conversation(context.tenant, thread_id, actor)
    if found is None or not found.messages:
        raise NotHereError("no_such_thread", "there is no conversation of this id")
    return found


def wire_messages(shown: tuple[ShownMessage, ...], page_url: PageUrl) -> list[WireMessage]:
    """Every message in order, as `MESSAGES_SNAPSHOT` carries them: cards stand behind the message
    that proposed them, results behind the one that told of them."""
    called: set[str] = set()
    found: list[WireMessage] = []
    for message in shown:
        found += _wire(message, page_url, called)
        called |= {call.action_id for call in message.called}
    return found


def _wire(shown: ShownMessage, page_url: PageUrl, called: set[str]) -> Iterator[WireMessage]:
    """`called` are the calls that stand in earlier messages: each stands once."""
    message = shown.stored
    if message.role == "user":
        yield user_message(message.message_id, shown.text)
        return
    fresh = [call for call in shown.called if call.action_id not in called]
    answer = stored_answer(message)
    yield assistant_message(message.message_id, shown.text, answer, page_url, fresh)
    yield from (card_message(card) for card in shown.cards)
    yield from (result_message(ended) for ended in shown.ended)


def _body(shown: ShownMessage, page_url: PageUrl) -> MessageBody:
    message = shown.stored
    answered = message.role != "user"
    return MessageBody(
        id=message.message_id,
        role="assistant" if answered else "user",
        content=shown.text,
        created=message.created.isoformat(),
        metadata=answer_metadata(stored_answer(message), page_url) if answered else None,
    )


def router(context: Context) -> APIRouter:
    """`GET /v1/conversations/{thread_id}`."""
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    @routes.get("/{thread_id}", summary="A conversation with its citations")
    async def read(thread_id: ThreadId, actor: Caller) -> ConversationBody:
        conversation = await conversation_of(context, thread_id, actor)
        shown = await context.assistant.shown(conversation)
        return ConversationBody(
            thread_id=thread_id,
            created=conversation.created.isoformat(),
            running=conversation.unanswered() is not None,
            messages=tuple(_body(message, context.page_url) for message in shown),
        )

    return routes
