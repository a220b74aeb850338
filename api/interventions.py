"""Messages over HTTP: a person's inbox and wishes, one-click unsubscribing, providers' news.

A link in a mail may be opened by programs that look for harm in it: GET only shows a button, POST
does it, by the button or by the mail program itself (RFC 8058).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from api.errors import InputError, NotHereError
from api.identity import SignedIn
from api.openapi import problem
from api.schemas import Wire
from api.signed import HookBody, Named, documented, once, verified_id
from onboarding.interventions import Channel, Choice, Silence, Wish
from onboarding.store.interventions import InboxItem, MessageDoor, News, Touch
from onboarding.types import Person
from tools.types import Actor
from tools.webhooks import Secrets, SeenMessages

SENDER = "deliveries"
MOST_SAID = 50
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/#+-]{0,199}$")]
DeliveryId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", max_length=2000)]
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    404: problem("Not here, or not for this person"),
    422: problem("A value that does not fit"),
    503: problem("The database does not answer"),
}
PAGE = (
    '<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
    '<meta name="robots" content="noindex"><title>{title}</title></head>'
    '<body style="font-family:sans-serif;max-width:32em;margin:4em auto"><h1>{title}</h1>{body}'
    "</body></html>"
)
WORDS = {
    "en": ("Messages of this kind", "No more of them", "You will get no more of these."),
    "de": ("Nachrichten dieser Art", "Keine mehr davon", "Sie erhalten keine mehr davon."),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """How providers tell what became of messages: what they sign with, and what came before."""

    secrets: Secrets
    seen: SeenMessages


@dataclass(frozen=True, slots=True)
class Messages:
    """Without `heard` nothing is believed that providers tell."""

    door: MessageDoor
    clock: Callable[[], datetime]
    heard: Heard | None = None


class ItemBody(Wire):
    """One message of the inbox."""

    id: str
    kind: str
    title: str
    body: str
    link: str
    seen: bool
    at: AwareDatetime
    decision: str | None


class InboxBody(Wire):
    """Newest first."""

    messages: list[ItemBody]


class TouchInput(Wire):
    """What the person did with it."""

    model_config = ConfigDict(extra="forbid")

    what: Touch


class WishBody(Wire):
    """`topic` is `all`, `kind/NAME`, `journey/NAME` or `step/JOURNEY/STEP`; `until` of a snooze."""

    model_config = ConfigDict(extra="forbid")

    topic: Code
    wish: Wish
    channel: Channel | None = None
    until: AwareDatetime | None = None


class WishesInput(Wire):
    """`said` is added, `taken_back` is gone."""

    model_config = ConfigDict(extra="forbid")

    said: Annotated[tuple[WishBody, ...], Field(max_length=MOST_SAID)] = ()
    taken_back: Annotated[tuple[WishBody, ...], Field(max_length=MOST_SAID)] = ()


class WishesBody(Wire):
    """All that a person chose."""

    said: list[WishBody]


class PresenceInput(Wire):
    """`typing` holds for some seconds and is repeated; a form is dirty until it is not."""

    model_config = ConfigDict(extra="forbid")

    typing: bool | None = None
    form: bool | None = None


class _News(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    id: Annotated[str, Field(min_length=1, max_length=200)]
    address: Annotated[str, Field(min_length=1, max_length=320)] | None = None


class _Reply(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    number: Annotated[str, Field(alias="from", min_length=1, max_length=40)]
    text: Annotated[str, Field(max_length=2000)]


class _Told(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    type: Annotated[str, Field(min_length=1, max_length=200)]
    data: dict[str, Any]


def router(messages: Messages | None) -> APIRouter:
    """`/v1/me/messages`, `/v1/me/presence`, `/v1/unsubscribe/{token}` and providers' news."""
    routes = APIRouter(prefix="/v1", tags=["messages"])
    _add_inbox(routes, messages)
    _add_wishes(routes, messages)
    _add_unsubscribing(routes, messages)
    _add_news(routes, messages)
    return routes


def _door(messages: Messages | None) -> MessageDoor:
    return _there(messages).door


def _there(messages: Messages | None) -> Messages:
    if messages is None:
        raise NotHereError("messages_off", "no messages are sent here")
    return messages


def _person(actor: Actor) -> Person:
    return Person(actor.tenant, actor.subject, actor.principal.account or None)


def _add_inbox(routes: APIRouter, messages: Messages | None) -> None:
    @routes.get("/me/messages", summary="What was sent to the caller", responses=RESPONSES)
    async def inbox(
        actor: SignedIn,
        locale: Annotated[str, Query(max_length=35)] = "en",
        zone: Annotated[str | None, Query(max_length=60)] = None,
    ) -> InboxBody:
        found = await _door(messages).inbox(_person(actor), locale, zone)
        return InboxBody(messages=[_item(each) for each in found])

    @routes.post(
        "/me/messages/{delivery}/touch",
        status_code=204,
        summary="Seen, clicked or dismissed",
        responses=RESPONSES,
    )
    async def touch(delivery: DeliveryId, body: TouchInput, actor: SignedIn) -> Response:
        if not await _door(messages).touch(_person(actor), delivery, body.what):
            raise NotHereError("unknown_message", "there is no such message for this person")
        return Response(status_code=204)

    @routes.put(
        "/me/presence", status_code=204, summary="Busy, or not any more", responses=RESPONSES
    )
    async def presence(body: PresenceInput, actor: SignedIn) -> Response:
        door, person = _door(messages), _person(actor)
        for silence, busy in ((Silence.TYPING, body.typing), (Silence.FORM, body.form)):
            if busy is not None:
                await door.hush(person, silence, busy=busy)
        return Response(status_code=204)


def _add_wishes(routes: APIRouter, messages: Messages | None) -> None:
    @routes.get("/me/messages/wishes", summary="What the caller wants", responses=RESPONSES)
    async def wishes(actor: SignedIn) -> WishesBody:
        return _wishes(await _door(messages).choices(_person(actor)))

    @routes.put("/me/messages/wishes", summary="Opt out, snooze, never again", responses=RESPONSES)
    async def wish(body: WishesInput, actor: SignedIn) -> WishesBody:
        there, person = _there(messages), _person(actor)
        now = there.clock()
        await there.door.choose(person, _choices(body.said, now))
        await there.door.take_back(person, _choices(body.taken_back, now))
        return _wishes(await there.door.choices(person))


def _add_unsubscribing(routes: APIRouter, messages: Messages | None) -> None:
    @routes.get("/unsubscribe/{token}", summary="A button", response_class=HTMLResponse)
    async def ask(token: Token, request: Request) -> HTMLResponse:
        if _door(messages).asks(token) is None:
            raise NotHereError("unknown_link", "this link is not one of ours")
        lang, (title, button, _) = _words(request)
        form = f'<form method="post"><button>{escape(button)}</button></form>'
        return _page(lang, title, form)

    @routes.post("/unsubscribe/{token}", summary="One click", response_class=HTMLResponse)
    async def unsubscribe(token: Token, request: Request) -> HTMLResponse:
        if await _door(messages).unsubscribe(token) is None:
            raise NotHereError("unknown_link", "this link is not one of ours")
        lang, (title, _, done) = _words(request)
        return _page(lang, title, f"<p>{escape(done)}</p>")


def _add_news(routes: APIRouter, messages: Messages | None) -> None:
    @routes.post(
        "/webhooks/deliveries",
        summary="What became of messages, by Standard Webhooks",
        openapi_extra=documented(_Told),
        responses={401: problem("Not signed with a provider's secret"), **RESPONSES},
    )
    async def news(request: Request) -> HookBody:
        there = _there(messages)
        if there.heard is None:
            raise NotHereError("webhooks_off", "no secret of a provider is set here")
        body, now = await request.body(), there.clock()
        message_id = verified_id(there.heard.secrets, request, body, now)
        told = _parsed(_Told, body)
        message = Named(request.app.state.context.tenant, SENDER, message_id)
        async with once(there.heard.seen, message, now) as first:
            if not first:
                return HookBody(status="repeated")
            known = await _done(there.door, told)
        return HookBody(status="accepted" if known else "ignored")


async def _done(door: MessageDoor, told: _Told) -> bool:
    kind, _, what = told.type.partition(".")
    if kind == "delivery" and what in list(News):
        said = _parsed(_News, told.data)
        return await door.news(said.id, News(what), said.address)
    if told.type == "sms.received":
        reply = _parsed(_Reply, told.data)
        return await door.replied(reply.number, reply.text)
    return False


def _parsed(model: type[Any], given: bytes | dict[str, Any]) -> Any:
    try:
        if isinstance(given, bytes):
            return model.model_validate_json(given)
        return model.model_validate(given)
    except ValidationError as error:
        where = "/".join(str(part) for part in error.errors()[0]["loc"])
        raise InputError(f"/{where}", "the message does not fit its type") from error


def _item(item: InboxItem) -> ItemBody:
    return ItemBody(**item._asdict())


def _wishes(said: tuple[Choice, ...]) -> WishesBody:
    return WishesBody(
        said=[WishBody(topic=c.topic, wish=c.wish, channel=c.channel, until=c.until) for c in said]
    )


def _choices(said: tuple[WishBody, ...], now: datetime) -> list[Choice]:
    try:
        return [Choice(each.topic, each.wish, now, each.channel, each.until) for each in said]
    except ValueError as failure:
        raise InputError("", str(failure)) from failure


def _words(request: Request) -> tuple[str, tuple[str, str, str]]:
    wanted = request.headers.get("accept-language", "en")[:2].lower()
    lang = wanted if wanted in WORDS else "en"
    return lang, WORDS[lang]


def _page(lang: str, title: str, body: str) -> HTMLResponse:
    headers = {
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
        "form-action 'self'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
    }
    return HTMLResponse(PAGE.format(lang=lang, title=escape(title), body=body), headers=headers)
