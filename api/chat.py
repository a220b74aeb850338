"""AG-UI 1.0: a run over POST, resume and live push over GET, and what this agent can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

from ag_ui.core import AgentCapabilities, ContentPart, TextPart, UserMessage
from ag_ui.core.capabilities import (
    HumanInTheLoopCapabilities,
    IdentityCapabilities,
    OutputCapabilities,
    StateCapabilities,
    ToolsCapabilities,
    TransportCapabilities,
)
from fastapi import APIRouter, Header, Query, Request

from agent import Ask
from api.context import Context, ThreadId
from api.errors import ConflictError, InputError, TooLargeError
from api.following import Join, join_thread
from api.identity import Caller, scope_of
from api.limits import Slot
from api.openapi import problem
from api.resuming import answers_of
from api.runs import Run, ThreadKey
from api.schemas import WIRE_ID, RunInput
from api.snapshots import with_snapshots
from api.sse import EventStream
from tools.types import Actor

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "AG-UI 1.0 events as server-sent events, LF only, `id:` rising per thread",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    401: problem("The token is not good any more"),
    409: problem("The thread is still answering"),
    413: problem("Body or message too large"),
    422: problem("The input does not fit"),
    429: problem("Too many streams of this client"),
    503: problem("Too many streams, or a part is down"),
}
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can spell half a pair; UTF-8 cannot
Cursor = Annotated[int | None, Header(alias="Last-Event-ID", ge=0)]
Follow = Annotated[bool, Query(description="Stay for later runs; else end with the run")]


def router(context: Context) -> APIRouter:
    """`/v1/agui`."""
    routes = APIRouter(prefix="/v1/agui", tags=["AG-UI"])

    @routes.post(
        "", summary="Run", status_code=200, response_class=EventStream, responses=RESPONSES
    )
    async def run(body: RunInput, request: Request, actor: Caller) -> EventStream:
        ask = _ask(context, body, actor)
        with _slot(context, request) as slot:
            attached = _attach(context, ask)
            await attached.opened()
            return EventStream(attached.read(0, context.limits.heartbeat_s), slot)

    @routes.get(
        "/threads/{thread_id}/events",
        summary="Resume a run, and follow the thread",
        status_code=200,
        response_class=EventStream,
        responses={404: problem("No such thread"), **RESPONSES},
    )
    async def events(
        thread_id: ThreadId,
        request: Request,
        actor: Caller,
        last_event_id: Cursor = None,
        follow: Follow = True,
    ) -> EventStream:
        thread = ThreadKey(context.tenant, thread_id, actor.subject if actor else None)
        join = Join(thread, actor, last_event_id, follow)
        with _slot(context, request) as slot:
            frames = await join_thread(context, join)
            return EventStream(frames, slot)

    @routes.get("/capabilities", summary="AG-UI capabilities")
    async def capabilities() -> AgentCapabilities:
        return _capabilities(context.site.version, acts=context.acts.identify is not None)

    return routes


@contextmanager
def _slot(context: Context, request: Request) -> Iterator[Slot]:
    """A stream's slot; given back at once when the stream does not come about."""
    slot = context.slots.take(request.client.host if request.client else "unknown")
    with ExitStack() as undo:
        undo.callback(slot.release)
        yield slot
        undo.pop_all()


def _ask(context: Context, body: RunInput, actor: Actor | None) -> Ask:
    """A message, or the user's word on cards: with `resume` no message is read."""
    if body.resume:
        message_id, text = f"~resume.{body.run_id}", ""
    else:
        message_id, text = _question(body, context.limits.max_message_bytes)
    return Ask(
        tenant=context.tenant,
        thread_id=body.thread_id,
        run_id=body.run_id,
        message_id=message_id,
        text=text,
        scope=scope_of(context.site.viewer, actor),
        actor=actor,
        resume=answers_of(body.resume or ()),
    )


def _attach(context: Context, ask: Ask) -> Run:
    """Begin the run; a repeated POST of the same run reads the one that is there."""
    key = ThreadKey(context.tenant, ask.thread_id, ask.actor.subject if ask.actor else None)
    newest = context.runs.newest(key)
    if newest is not None and not newest.failed:
        if newest.message_id == ask.message_id and (newest.run_id == ask.run_id or not newest.done):
            return newest
        if newest.run_id == ask.run_id:
            raise ConflictError("run_id_reused", "this runId belongs to another message")
    events = with_snapshots(context, ask.actor, context.assistant.ask(ask))
    return context.runs.start(key, ask.run_id, ask.message_id, events)


def _question(body: RunInput, max_bytes: int) -> tuple[str, str]:
    """Id and text of the last user message, the only part of `messages` that is believed."""
    for place, message in reversed(list(enumerate(body.messages))):
        if isinstance(message, UserMessage):
            text = _text(message.content).replace("\0", "").strip()
            if not text:
                raise InputError(f"/messages/{place}/content", "the message holds no text")
            if _SURROGATE.search(text):
                raise InputError(f"/messages/{place}/content", "the text is not valid Unicode")
            if len(text.encode()) > max_bytes:
                raise TooLargeError("the message", max_bytes)
            return _checked(place, message.id), text
    raise InputError("/messages", "there is no message with role `user`")


def _checked(place: int, message_id: str) -> str:
    if not WIRE_ID.fullmatch(message_id):
        raise InputError(f"/messages/{place}/id", f"an id matches {WIRE_ID.pattern}")
    return message_id


def _text(content: str | list[ContentPart]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, TextPart))


def _capabilities(version: str, *, acts: bool) -> AgentCapabilities:
    return AgentCapabilities(
        identity=IdentityCapabilities(
            name="Embark",
            type="embark",
            version=version,
            description="Answers from the product's documentation, every sentence with its source,"
            " and does what its user approves, with a receipt",
        ),
        transport=TransportCapabilities(
            streaming=True, resumable=True, websocket=False, http_binary=False
        ),
        tools=ToolsCapabilities(supported=acts, client_provided=False),
        output=OutputCapabilities(supported_mime_types=["text/markdown"]),
        state=StateCapabilities(snapshots=True, memory=True, persistent_state=True),
        human_in_the_loop=HumanInTheLoopCapabilities(
            supported=acts, approvals=acts, interrupts=acts, approve_with_edits=acts
        ),
        custom={"citations": "TEXT_MESSAGE_END.metadata.citations", "abstains": True},
    )
