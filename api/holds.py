"""Legal holds over HTTP, for staff: of whom nothing may be deleted, neither by age nor on wish."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, ConfigDict

from api.auditing import Auditing
from api.consents import Code
from api.context import Context
from api.errors import InputError, NotHereError
from api.openapi import problem
from api.rights import Subject
from api.schemas import Wire
from api.staff import SUBJECTS_ERASE, SUBJECTS_READ, staff_with
from guardrails.audit import What, named
from guardrails.retention import Hold, HoldStore
from tools.types import Actor

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    403: problem("Without the right"),
    404: problem("Not here, or not for this person"),
    422: problem("A value that does not fit"),
    503: problem("The database does not answer"),
}
Reader = Annotated[Actor, Depends(staff_with(SUBJECTS_READ))]
Keeper = Annotated[Actor, Depends(staff_with(SUBJECTS_ERASE))]


class HoldInput(Wire):
    """`reason` is a code, such as the number of a case."""

    model_config = ConfigDict(extra="forbid")

    reason: Code


class HoldBody(Wire):
    """A hold that stands."""

    subject: str
    since: AwareDatetime
    placed_by: str
    reason: str


class HoldsBody(Wire):
    """Oldest first."""

    holds: list[HoldBody]


def router(context: Context) -> APIRouter:
    """`/v1/holds` and `/v1/subjects/{subject}/hold`."""
    routes = APIRouter(prefix="/v1", tags=["rights"], responses=RESPONSES)
    auditing = Auditing(context.acts.audit)

    @routes.get("/holds", summary="Legal holds that stand, for staff")
    async def holds(request: Request, actor: Reader) -> HoldsBody:
        found = await _store(context).all(actor.tenant)
        await auditing.note(request, actor, What.READ_SUBJECT, *(hold.subject for hold in found))
        return HoldsBody(holds=[_body(hold) for hold in found])

    @routes.put("/subjects/{subject}/hold", summary="Keep everything of a person, for staff")
    async def place(request: Request, subject: Subject, body: HoldInput, actor: Keeper) -> HoldBody:
        store = _store(context)
        hold = _hold(actor, subject, body.reason, _clock(context))
        await auditing.note(request, actor, What.HOLD, subject)
        return _body(await store.place(hold))

    @routes.delete(
        "/subjects/{subject}/hold", summary="Let what is kept of a person go", status_code=204
    )
    async def release(request: Request, subject: Subject, actor: Keeper) -> None:
        store = _store(context)
        await auditing.note(request, actor, What.RELEASE, subject)
        if not await store.release(actor.tenant, subject):
            raise NotHereError("no_such_hold", "there is no hold on this person")

    return routes


def _store(context: Context) -> HoldStore:
    if context.acts.holds is None:
        raise NotHereError("not_found", "there is nothing at this address")
    return context.acts.holds


def _clock(context: Context) -> Callable[[], datetime]:
    if context.acts.rights is None:
        raise NotHereError("not_found", "there is nothing at this address")
    return context.acts.rights.now


def _hold(actor: Actor, subject: str, reason: str, now: Callable[[], datetime]) -> Hold:
    try:
        return Hold(actor.tenant, subject, now(), named(actor.subject), reason)
    except ValueError as failure:
        raise InputError("/subject", str(failure)) from failure


def _body(hold: Hold) -> HoldBody:
    return HoldBody(
        subject=hold.subject, since=hold.since, placed_by=hold.placed_by, reason=hold.reason
    )
