"""Receipts over HTTP: everybody's own, the whole tenant's for staff; and the keys that verify them.

A receipt of somebody else and one that does not exist look the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from api.auditing import Auditing
from api.errors import NotHereError
from api.schemas import Wire
from guardrails.audit import AuditLog, What
from tools.journal import Journal, Receipt
from tools.receipts.keys import KeyRing
from tools.receipts.view import Shown, UnknownReceiptError, payload_of, show
from tools.types import Actor

JWS_TYPE = "application/jose"  # RFC 7515, 9.2.1
JWKS_TYPE = "application/jwk-set+json"  # RFC 7517, 8.5.1
KEYS_KEPT_S = 300
"""How long others may keep the key set; new keys are announced hours before they sign."""

ReceiptId = Annotated[str, Path(pattern=r"^rcpt_[1-9][0-9]{0,14}$")]


class ReceiptLine(Wire):
    """One receipt in a list; references only."""

    id: str
    seq: int
    action_id: str
    tool: str
    outcome: str
    at: str  # ISO 8601, UTC


class ReceiptsBody(Wire):
    """In the order of the chain; ask again with `after` = the last `seq` while `more`."""

    receipts: list[ReceiptLine]
    more: bool


class ReceiptBody(ReceiptLine):
    """One receipt with what the journal knows of its action now, and the signed original."""

    title: str
    tool_version: str
    approved_by: list[str]
    effect_ref: str
    can_undo: bool
    undo: str
    jws: str


@dataclass(frozen=True, slots=True)
class ReceiptDesk:
    """What the routes need; `caller` is a dependency that gives the signed-in person or raises.
    Without `audit` staff see nothing of others."""

    journal: Journal
    ring: KeyRing
    caller: Callable[..., Actor | Awaitable[Actor]]
    audit: AuditLog | None = None


def router(desk: ReceiptDesk) -> APIRouter:
    """`/v1/receipts`, `/v1/receipts/{id}`, `/v1/receipts/{id}/jws`, `/.well-known/jwks.json`."""
    routes = APIRouter(tags=["receipts"])
    caller, auditing = Depends(desk.caller), Auditing(desk.audit)

    async def one(request: Request, actor: Actor, receipt_id: str) -> Shown:
        shown = await _one(desk.journal, actor, receipt_id)
        if not shown.concerns(actor.subject):
            about = shown.action.who.subject
            await auditing.note_others(request, actor, What.READ_RECEIPTS_OF_OTHER, about)
        return shown

    @routes.get("/v1/receipts", summary="Receipts of the caller, or of the tenant for staff")
    async def receipts(
        request: Request,
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        actor: Actor = caller,
    ) -> ReceiptsBody:
        if actor.staff:
            await auditing.note(request, actor, What.READ_RECEIPTS_OF_OTHER)
        found = await _listed(desk.journal, actor, after, limit + 1)
        return ReceiptsBody(receipts=[_line(r) for r in found[:limit]], more=len(found) > limit)

    @routes.get("/v1/receipts/{receipt_id}", summary="One receipt")
    async def receipt(
        request: Request, receipt_id: ReceiptId, actor: Actor = caller
    ) -> ReceiptBody:
        return _body(await one(request, actor, receipt_id))

    @routes.get(
        "/v1/receipts/{receipt_id}/jws",
        summary="The signed original",
        response_class=Response,
        responses={200: {"content": {JWS_TYPE: {}}}},
    )
    async def original(request: Request, receipt_id: ReceiptId, actor: Actor = caller) -> Response:
        shown = await one(request, actor, receipt_id)
        return Response(shown.receipt.jws, media_type=JWS_TYPE)

    @routes.get("/.well-known/jwks.json", summary="Keys that verify receipts", response_class=Keys)
    async def jwks() -> Keys:
        return Keys(desk.ring.jwks())

    return routes


class Keys(JSONResponse):
    """A JWK set."""

    media_type = JWKS_TYPE

    def __init__(self, content: dict[str, JsonValue], status_code: int = 200) -> None:
        kept = {"cache-control": f"public, max-age={KEYS_KEPT_S}"}
        super().__init__(content, status_code, headers=kept)


async def _listed(journal: Journal, actor: Actor, after: int, limit: int) -> tuple[Receipt, ...]:
    subject = None if actor.staff else actor.subject
    return await journal.receipts(actor.tenant, after=after, limit=limit, subject=subject)


async def _one(journal: Journal, actor: Actor, receipt_id: str) -> Shown:
    try:
        shown = await show(journal, actor.tenant, receipt_id)
    except UnknownReceiptError:
        shown = None
    if shown is None or not (actor.staff or shown.concerns(actor.subject)):
        raise NotHereError("no_such_receipt", "there is no such receipt of yours")
    return shown


def _line(receipt: Receipt) -> ReceiptLine:
    payload = payload_of(receipt)
    return ReceiptLine(
        id=receipt.id,
        seq=receipt.seq,
        action_id=receipt.action_id,
        tool=payload["tool"],
        outcome=payload["outcome"],
        at=payload["ts"],
    )


def _body(shown: Shown) -> ReceiptBody:
    return ReceiptBody(
        **_line(shown.receipt).model_dump(),
        title=shown.title,
        tool_version=shown.payload["tool_version"],
        approved_by=list(shown.approvers),
        effect_ref=shown.payload["effect_ref"],
        can_undo=shown.can_undo,
        undo=shown.undo,
        jws=shown.receipt.jws,
    )
