"""A stored conversation as AG-UI messages and as REST, citations and refusals included."""

from __future__ import annotations

from ag_ui.core import Message as WireMessage
from fastapi import APIRouter

from agent import Conversation, Message
from agent.events import stored_answer
from agent.stream import PageUrl, answer_metadata, assistant_message, user_message
from api.context import Context, ThreadId
from api.errors import NotHereError
from api.schemas import ConversationBody, MessageBody


def wire_messages(conversation: Conversation, page_url: PageUrl) -> list[WireMessage]:
    """Every message in order, as `MESSAGES_SNAPSHOT` carries them."""
    return [_wire(message, page_url) for message in conversation.messages]


def _wire(message: Message, page_url: PageUrl) -> WireMessage:
    if message.role == "user":
        return user_message(message.message_id, message.text)
    return assistant_message(message.message_id, message.text, stored_answer(message), page_url)


def _body(message: Message, page_url: PageUrl) -> MessageBody:
    answered = message.role != "user"
    return MessageBody(
        id=message.message_id,
        role="assistant" if answered else "user",
        content=message.text,
        created=message.created.isoformat(),
        metadata=answer_metadata(stored_answer(message), page_url) if answered else None,
    )


def router(context: Context) -> APIRouter:
    """`GET /v1/conversations/{thread_id}`."""
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    @routes.get("/{thread_id}", summary="A conversation with its citations")
    async def read(thread_id: ThreadId) -> ConversationBody:
        conversation = await context.assistant.conversation(context.tenant, thread_id)
        if conversation is None:
            raise NotHereError("no_such_thread", "there is no conversation of this id")
        return ConversationBody(
            thread_id=thread_id,
            created=conversation.created.isoformat(),
            running=conversation.unanswered() is not None,
            messages=tuple(_body(message, context.page_url) for message in conversation.messages),
        )

    return routes
