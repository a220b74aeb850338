"""The decision record over HTTP, for staff: what was answered, refused, suggested and done."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api.auditing import Auditing
from api.context import Context
from api.errors import InputError, NotHereError
from api.openapi import problem
from api.schemas import Wire, WireId
from api.staff import DECISIONS_READ, staff_with
from guardrails.audit import What
from guardrails.decisions import Cursor, DecisionRecord, Kind, Recorded, Wanted, exported
from tools.types import Actor

LINES = "application/jsonl"
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in"),
    403: problem("Without the right"),
    404: problem("Not for this person"),
    422: problem("A value that does not fit"),
    503: problem("The record does not answer"),
}


class DecisionLine(Wire):
    """Ids, codes and numbers; no sentence of anybody."""

    id: str
    kind: str
    purpose: str
    at: AwareDatetime
    outcome: str
    reason: str | None
    subject: str | None
    thread_id: str | None
    run_id: str | None
    message_id: str | None
    versions: dict[str, str]
    experiment: str | None
    arm: str | None
    propensity: float | None
    evidence: list[str]
    amounts: dict[str, int]
    outcomes: list[dict[str, str]]


class DecisionsBody(Wire):
    """`next` is the cursor of the next page; null on the last."""

    decisions: list[DecisionLine]
    next: str | None


def router(context: Context) -> APIRouter:
    """`/v1/decisions` and `/v1/decisions/export`."""
    routes = APIRouter(prefix="/v1", tags=["decisions"], responses=RESPONSES)

    def record(
        actor: Annotated[Actor, Depends(staff_with(DECISIONS_READ))],
    ) -> tuple[DecisionRecord, Actor]:
        if context.acts.decisions is None:
            raise NotHereError("not_found", "there is nothing at this address")
        return context.acts.decisions, actor

    seen, auditing = Depends(record), Auditing(context.acts.audit)

    @routes.get("/decisions", summary="What was decided, newest first")
    async def decisions(
        request: Request,
        wanted: Annotated[Wanted, Depends(_wanted)],
        after: Annotated[str | None, Query(max_length=100, description="`next` of before")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        asked: tuple[DecisionRecord, Actor] = seen,
    ) -> DecisionsBody:
        stored, actor = asked
        await auditing.note(request, actor, What.READ_DECISIONS, wanted.subject)
        page = await stored.query(actor.tenant, wanted, after=_cursor(after), limit=limit)
        following = None if page.next is None else str(page.next)
        return DecisionsBody(decisions=[_line(row) for row in page.rows], next=following)

    @routes.get(
        "/decisions/export",
        summary="All of it, as JSON lines",
        response_class=StreamingResponse,
        responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}, **RESPONSES},
    )
    async def export(
        request: Request,
        wanted: Annotated[Wanted, Depends(_wanted)],
        asked: tuple[DecisionRecord, Actor] = seen,
    ) -> StreamingResponse:
        stored, actor = asked
        await auditing.note(request, actor, What.EXPORT_DECISIONS, wanted.subject)
        lines = exported(stored, actor.tenant, wanted)
        named = {"content-disposition": 'attachment; filename="decisions.jsonl"'}
        return StreamingResponse(
            lines, media_type=LINES, headers={**named, "cache-control": "no-store"}
        )

    return routes


def _wanted(
    kind: Kind | None = None,
    subject: Annotated[str | None, Query(max_length=200)] = None,
    thread_id: Annotated[WireId | None, Query(alias="threadId")] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Wanted:
    return Wanted(kind, subject, thread_id, since, until)


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except ValueError as failure:
        raise InputError("/after", "this is no cursor of ours; begin without one") from failure


def _line(row: Recorded) -> DecisionLine:
    made, versions = row.decision, row.decision.versions
    named = {
        name: getattr(versions, name) for name in ("model", "prompt", "policy", "index", "tool")
    }
    return DecisionLine(
        id=made.id,
        kind=made.kind.value,
        purpose=made.purpose.value,
        at=made.at,
        outcome=row.outcome.value,
        reason=made.reason,
        subject=made.subject,
        thread_id=made.place.thread_id,
        run_id=made.place.run_id,
        message_id=made.place.message_id,
        versions={name: value for name, value in named.items() if value is not None},
        experiment=made.assignment.experiment,
        arm=made.assignment.arm,
        propensity=made.assignment.propensity,
        evidence=list(made.evidence),
        amounts={amount.value: number for amount, number in made.amounts.items()},
        outcomes=[_update(update.at, update.outcome, update.reason) for update in row.updates],
    )


def _update(at: datetime, outcome: str, reason: str | None) -> dict[str, str]:
    return {"at": at.isoformat(), "outcome": str(outcome), **({"reason": reason} if reason else {})}
