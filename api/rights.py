"""A person's rights over HTTP: a copy of everything that is kept of them, and its end.

Erasing asks for a fresh sign-in, as an action of tier R3 does. Staff may do both for others; that
leaves a receipt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse

from api.auditing import Auditing
from api.context import Context
from api.errors import NotHereError, Problem, ProblemError
from api.identity import SignedIn
from api.openapi import problem
from api.runs import Runs
from api.schemas import Wire
from api.sessions import SessionDesk
from api.staff import AUDIT_READ, SUBJECTS_ERASE, SUBJECTS_READ, staff_with
from guardrails.audit import What
from guardrails.retention import UnderHoldError
from guardrails.rights import Erasure, ErasureUnfinishedError, Remembered, Rights
from tools.approvals import RULES, fresh
from tools.journal import ApprovalError
from tools.types import Actor, Tier

LINES = "application/jsonl"
AGAIN_S = 30
Subject = Annotated[str, Path(min_length=1, max_length=200, description="As the host names them")]
ErasureId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in, or not freshly enough"),
    403: problem("Without the right"),
    404: problem("Not here, or not for this person"),
    409: problem("A legal hold stands: nothing of this person may be erased now"),
    503: problem("Not everything could be reached; it is finished later"),
}
COPY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON lines: a header, the copy, and a last line that counts it",
        "content": {LINES: {"schema": {"type": "string"}}},
    },
    **RESPONSES,
}


class ErasureBody(Wire):
    """`manifest` is what the receipt commits to: its `effect_ref` is `sha256:` and the base64url
    SHA-256 of the manifest's RFC 8785 form."""

    manifest: dict[str, Any]
    receipt: str
    jws: str


def frames_of(runs: Runs) -> Remembered:
    """What this server keeps for readers of runs."""

    async def forget(tenant: str, subject: str) -> int:
        return runs.forget(tenant, subject)

    async def count(tenant: str, subject: str) -> int:
        return len(runs.of(tenant, subject))

    return Remembered("frames", forget, count)


def sessions_of(desk: SessionDesk) -> Remembered:
    """Sign-ins by credentials of ours; they end with the person."""

    async def forget(_tenant: str, subject: str) -> int:
        return await desk.revoke_all(subject)

    async def count(_tenant: str, subject: str) -> int:
        return await desk.open_of(subject)

    return Remembered("sessions", forget, count)


def router(context: Context) -> APIRouter:
    """`/v1/me` and `/v1/subjects/{subject}`: export and erasure; `/v1/erasures/{id}`."""
    routes = APIRouter(prefix="/v1", tags=["rights"], responses=RESPONSES)
    if context.acts.rights is not None:
        context.acts.rights.remember(frames_of(context.runs))
    _add_own(routes, context)
    _add_staff(routes, context)
    return routes


def _add_own(routes: APIRouter, context: Context) -> None:
    auditing = Auditing(context.acts.audit)

    @routes.get(
        "/me/export",
        summary="Everything that is kept of the caller",
        response_class=StreamingResponse,
        responses=COPY,
    )
    async def export(request: Request, actor: SignedIn) -> StreamingResponse:
        rights = _rights(context)
        await auditing.note_self(request, actor, What.EXPORT_SUBJECT)
        return _copy(rights, actor, actor.subject)

    @routes.delete("/me", summary="Erase everything that is kept of the caller")
    async def erase(request: Request, actor: SignedIn) -> ErasureBody:
        _check_fresh(actor, _rights(context).now())
        await auditing.note_self(request, actor, What.ERASE_SUBJECT)
        return await _erased(_rights(context), actor, actor.subject)


def _add_staff(routes: APIRouter, context: Context) -> None:
    auditing = Auditing(context.acts.audit)

    @routes.get(
        "/subjects/{subject}/export",
        summary="Everything that is kept of a person, for staff",
        response_class=StreamingResponse,
        responses=COPY,
    )
    async def export(
        request: Request,
        subject: Subject,
        actor: Annotated[Actor, Depends(staff_with(SUBJECTS_READ))],
    ) -> StreamingResponse:
        _check_fresh(actor, _rights(context).now())
        await auditing.note(request, actor, What.EXPORT_SUBJECT, subject)
        return _copy(_rights(context), actor, subject)

    @routes.delete("/subjects/{subject}", summary="Erase everything of a person, for staff")
    async def erase(
        request: Request,
        subject: Subject,
        actor: Annotated[Actor, Depends(staff_with(SUBJECTS_ERASE))],
    ) -> ErasureBody:
        _check_fresh(actor, _rights(context).now())
        await auditing.note(request, actor, What.ERASE_SUBJECT, subject)
        return await _erased(_rights(context), actor, subject)

    @routes.get("/erasures/{erasure_id}", summary="The manifest of an erasure, for staff")
    async def erasure(
        request: Request,
        erasure_id: ErasureId,
        actor: Annotated[Actor, Depends(staff_with(AUDIT_READ))],
    ) -> ErasureBody:
        found = await _rights(context).erasure(actor.tenant, erasure_id)
        if found is None:
            raise NotHereError("no_such_erasure", "there is no such erasure")
        await auditing.note(request, actor, What.READ_ERASURE)  # names nobody who is erased anew
        return _body(found)


def _rights(context: Context) -> Rights:
    if context.acts.rights is None:
        raise NotHereError("acting_off", "nobody signs in here: nothing is kept of a person")
    return context.acts.rights


def _check_fresh(actor: Actor, now: datetime) -> None:
    rule = RULES[Tier.R3]
    if not fresh(rule, actor.auth_time, now):
        detail = f"sign in again: within {rule.login_age_s:g} s before this"
        raise ApprovalError("stale_sign_in", detail)


def _copy(rights: Rights, actor: Actor, subject: str) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        async for line in rights.export(actor.tenant, subject, actor.subject):
            yield f"{line}\n"

    named = {"content-disposition": 'attachment; filename="export.jsonl"'}
    return StreamingResponse(lines(), media_type=LINES, headers={**named, **_PRIVATE})


_PRIVATE = {"cache-control": "no-store"}


async def _erased(rights: Rights, actor: Actor, subject: str) -> ErasureBody:
    _check_fresh(actor, rights.now())
    try:
        return _body(await rights.erase(actor.tenant, subject, actor.subject))
    except UnderHoldError as failure:
        detail = "what is kept of this person has to be kept for now: a legal hold stands"
        raise ProblemError(Problem(409, "legal_hold", detail)) from failure
    except ErasureUnfinishedError as failure:
        again = {"retry-after": str(AGAIN_S)}
        raise ProblemError(
            Problem(503, "erasure_unfinished", str(failure), headers=again)
        ) from failure


def _body(erasure: Erasure) -> ErasureBody:
    return ErasureBody(manifest=erasure.manifest, receipt=erasure.receipt, jws=erasure.jws)
