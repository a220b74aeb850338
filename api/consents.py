"""Consents over HTTP: what a person allows their data to be used for, asked and told.

A page of preferences shows what is allowed now and sends what was ticked, with the version of the
text that it showed. Sending the same twice changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, ConfigDict, Field

from api.auditing import Auditing
from api.context import Context
from api.errors import InputError, NotHereError
from api.identity import SignedIn
from api.openapi import problem
from api.rights import Subject
from api.schemas import Wire
from api.staff import SUBJECTS_ERASE, SUBJECTS_READ, staff_with
from guardrails.audit import What
from guardrails.consent import Asked, Channel, ConsentDesk, Entry, Purpose, Wish, effective
from tools.types import Actor

NEWEST = 50
"""Rows of the trail that come along; all of them are in the person's export."""
MOST_SAID = 50
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/#+-]{0,199}$")]
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    403: problem("Without the right"),
    404: problem("Not here, or not for this person"),
    422: problem("A value that does not fit"),
    503: problem("The database does not answer"),
}


class SaidInput(Wire):
    """`field` left out speaks of every field."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    given: bool
    field: Code | None = None


class ConsentsInput(Wire):
    """`textVersion` names the text that the person was shown."""

    model_config = ConfigDict(extra="forbid")

    text_version: Code
    channel: Literal["widget", "preferences"] = "preferences"
    said: Annotated[list[SaidInput], Field(min_length=1, max_length=MOST_SAID)]


class StaffConsentsInput(Wire):
    """What a person told somebody of the staff."""

    model_config = ConfigDict(extra="forbid")

    text_version: Code
    said: Annotated[list[SaidInput], Field(min_length=1, max_length=MOST_SAID)]


class Allowed(Wire):
    """`allowed` is of the purpose as a whole, `fields` of those that something was said on."""

    purpose: Purpose
    allowed: bool
    fields: dict[str, bool]


class TrailLine(Wire):
    """One row of the trail."""

    number: int
    purpose: Purpose
    field: str | None
    given: bool
    text_version: str
    channel: Channel
    at: AwareDatetime
    recorded_by: str


class ConsentsBody(Wire):
    """What is allowed now, by purpose, and the newest rows of the trail, newest first."""

    allowed: list[Allowed]
    trail: list[TrailLine]
    more: bool


def router(context: Context) -> APIRouter:
    """`/v1/me/consents` and, for staff, `/v1/subjects/{subject}/consents`."""
    routes = APIRouter(prefix="/v1", tags=["rights"], responses=RESPONSES)
    _add_own(routes, context)
    _add_staff(routes, context)
    return routes


def _add_own(routes: APIRouter, context: Context) -> None:
    @routes.get("/me/consents", summary="What the caller allows their data to be used for")
    async def consents(actor: SignedIn) -> ConsentsBody:
        return _body(await _desk(context).trail(actor.tenant, actor.subject))

    @routes.put("/me/consents", summary="Give or withdraw consents")
    async def say(body: ConsentsInput, actor: SignedIn) -> ConsentsBody:
        own = Asked(
            actor.tenant, actor.subject, body.text_version, Channel(body.channel), actor.subject
        )
        return await _taken(_desk(context), own, body.said)


def _add_staff(routes: APIRouter, context: Context) -> None:
    auditing = Auditing(context.acts.audit)

    @routes.get("/subjects/{subject}/consents", summary="What a person allows, for staff")
    async def consents(
        request: Request,
        subject: Subject,
        actor: Annotated[Actor, Depends(staff_with(SUBJECTS_READ))],
    ) -> ConsentsBody:
        desk = _desk(context)
        await auditing.note(request, actor, What.READ_CONSENTS, subject)
        return _body(await desk.trail(actor.tenant, subject))

    @routes.put("/subjects/{subject}/consents", summary="What a person told somebody of the staff")
    async def say(
        request: Request,
        subject: Subject,
        body: StaffConsentsInput,
        actor: Annotated[Actor, Depends(staff_with(SUBJECTS_ERASE))],
    ) -> ConsentsBody:
        desk = _desk(context)
        await auditing.note(request, actor, What.CONSENT_BY_STAFF, subject)
        told = Asked(actor.tenant, subject, body.text_version, Channel.STAFF, actor.subject)
        return await _taken(desk, told, body.said)


def _desk(context: Context) -> ConsentDesk:
    if context.acts.consents is None:
        raise NotHereError("consents_off", "nothing of anybody is kept here")
    return context.acts.consents


async def _taken(desk: ConsentDesk, asked: Asked, said: list[SaidInput]) -> ConsentsBody:
    wishes = [Wish(each.purpose, each.given, each.field) for each in said]
    try:
        return _body(await desk.take(asked, wishes))
    except ValueError as failure:
        raise InputError("", str(failure)) from failure


def _body(trail: tuple[Entry, ...]) -> ConsentsBody:
    return ConsentsBody(
        allowed=[_allowed(trail, purpose) for purpose in Purpose],
        trail=[_line(entry) for entry in trail[: -NEWEST - 1 : -1]],
        more=len(trail) > NEWEST,
    )


def _allowed(trail: tuple[Entry, ...], purpose: Purpose) -> Allowed:
    now = effective(trail)
    named = {field for said, field in now.said if said is purpose and field is not None}
    return Allowed(
        purpose=purpose,
        allowed=now.allows(purpose),
        fields={field: now.allows(purpose, field) for field in sorted(named)},
    )


def _line(entry: Entry) -> TrailLine:
    said = entry.said
    return TrailLine(
        number=entry.number,
        purpose=said.purpose,
        field=said.field,
        given=said.given,
        text_version=said.text_version,
        channel=said.channel,
        at=said.at,
        recorded_by=said.recorded_by,
    )
