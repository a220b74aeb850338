"""The audit log over HTTP, for staff: who read, exported, erased, approved or changed what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime

from api.auditing import Auditing
from api.context import Context
from api.errors import NotHereError
from api.openapi import problem
from api.schemas import Wire
from api.staff import AUDIT_READ, staff_with
from guardrails.audit import AuditLog, Entry, Wanted, What
from tools.types import Actor

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    403: problem("Without the right"),
    404: problem("Not for this person"),
    422: problem("A value that does not fit"),
    503: problem("The log does not answer"),
}
Auditor = Annotated[Actor, Depends(staff_with(AUDIT_READ))]


class AuditLine(Wire):
    """References only. `whom` is null where it was about nobody in particular."""

    seq: int
    at: AwareDatetime
    who: str
    what: What
    whom: str | None
    route: str
    request_id: str


class AuditBody(Wire):
    """Newest first; ask again with `before` = the last `seq` while `more`."""

    entries: list[AuditLine]
    more: bool


def router(context: Context) -> APIRouter:
    """`/v1/audit`."""
    routes = APIRouter(prefix="/v1", tags=["rights"], responses=RESPONSES)
    auditing = Auditing(context.acts.audit)

    @routes.get("/audit", summary="Who did what to whose data, newest first, for staff")
    async def audit(
        request: Request,
        actor: Auditor,
        wanted: Annotated[Wanted, Depends(_wanted)],
        before: Annotated[int | None, Query(ge=1, le=2**53, description="Last `seq` seen")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> AuditBody:
        log = _log(context)
        await auditing.note(request, actor, What.READ_AUDIT, wanted.whom)
        found = await log.page(actor.tenant, wanted, before=before, limit=limit + 1)
        lines = [_line(entry) for entry in found[:limit]]
        return AuditBody(entries=lines, more=len(found) > limit)

    return routes


def _wanted(
    who: Annotated[str | None, Query(max_length=200)] = None,
    what: What | None = None,
    whom: Annotated[str | None, Query(max_length=200)] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Wanted:
    return Wanted(who, what, whom, since, until)


def _log(context: Context) -> AuditLog:
    if context.acts.audit is None:
        raise NotHereError("not_found", "there is nothing at this address")
    return context.acts.audit


def _line(entry: Entry) -> AuditLine:
    note = entry.note
    return AuditLine(
        seq=entry.seq,
        at=entry.at,
        who=note.who,
        what=note.what,
        whom=note.whom,
        route=note.route,
        request_id=note.request_id,
    )
