"""Approvals over REST: the cards that wait for the caller, and the caller's word on them.

A word names the digest of the card that was seen. The same word twice is taken once.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response

from agent.views import arguments_view, card_view, editable, manifest_of
from api.acting_schemas import ActionId, Approval, ApprovalsBody, DecisionInput
from api.acts import Acts
from api.auditing import Auditing
from api.context import Context
from api.errors import Problem, ProblemError
from api.openapi import problem
from api.staff import APPROVALS, person_or_staff_with
from guardrails.audit import What
from tools.acting import Decision
from tools.approvals import equal_digests
from tools.journal import Action, ApprovalError, State
from tools.types import Actor

Somebody = Annotated[Actor, Depends(person_or_staff_with(APPROVALS))]
PERFORM_S = 1.0
"""How long a decision waits for what it set off: quick deeds are done when it answers."""
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: problem("Nobody is signed in, or not freshly enough"),
    403: problem("Not for this person to decide"),
    404: problem("No such action for this person"),
    409: problem("The action does not allow that now"),
    410: problem("The card has expired"),
    412: problem("`If-Match` names another card"),
    503: problem("The journal does not answer"),
}
IfMatch = Annotated[str | None, Header(alias="If-Match")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Repeating a request is safe with or without it: each is taken once",
    ),
]


def router(context: Context) -> APIRouter:
    """`/v1/approvals`."""
    routes = APIRouter(prefix="/v1/approvals", tags=["actions"], responses=RESPONSES)
    acts, auditing = context.acts, Auditing(context.acts.audit)

    async def noted(request: Request, actor: Actor, *shown: Action) -> None:
        about = (action.who.subject for action in shown)
        await auditing.note_others(request, actor, What.READ_ACTION_OF_OTHER, *about)

    @routes.get("", summary="Cards that the caller asked for or may decide")
    async def approvals(request: Request, actor: Somebody) -> ApprovalsBody:
        cards = await acts.desk.cards(actor)
        await noted(request, actor, *cards)
        return ApprovalsBody(approvals=[await approval_of(acts, a, actor) for a in cards])

    @routes.get("/{action_id}", summary="One card")
    async def approval(
        request: Request, action_id: ActionId, actor: Somebody, response: Response
    ) -> Approval:
        action = await acts.desk.action(actor, action_id)
        await noted(request, actor, action)
        response.headers["etag"] = f'"{action.digest}"'
        return await approval_of(acts, action, actor)

    @routes.post("/{action_id}/decision", summary="Approve, deny, or change a card")
    async def decide(  # one parameter a part of the request
        request: Request,
        action_id: ActionId,
        body: DecisionInput,
        actor: Somebody,
        response: Response,
        if_match: IfMatch = None,
        _idempotency_key: IdempotencyKey = None,
    ) -> Approval:
        _same_card(body.digest, if_match)
        action = await acts.desk.action(actor, action_id)
        await noted(request, actor, action)
        decided = await _decided(acts, action, body, actor)
        response.headers["etag"] = f'"{decided.digest}"'
        replaced = action_id if decided.id != action_id else None
        shown = await approval_of(acts, decided, actor)
        return shown.model_copy(update={"replaces": replaced})

    return routes


def _same_card(digest: str, if_match: str | None) -> None:
    if if_match is None or if_match.strip() == "*":
        return
    if f'"{digest}"' not in [each.strip() for each in if_match.split(",")]:
        raise ProblemError(Problem(412, "approval_invalid", "`If-Match` and `digest` differ"))


async def _decided(acts: Acts, action: Action, body: DecisionInput, actor: Actor) -> Action:
    if await _said_before(acts, action, body, actor):
        return action
    if body.edited_args and body.decision == "approve":
        if not equal_digests(body.digest, action.digest):
            raise ApprovalError("digest_mismatch", "the card shown is not the action stored")
        arguments = {**action.call.arguments, **body.edited_args}
        edited = await acts.desk.edit(actor.tenant, action.id, arguments, actor)
        if edited.id != action.id:
            return edited
    word = Decision(
        action_id=action.id,
        digest=body.digest,
        verdict=body.decision,
        approver=actor,
        channel="api",
        reason=body.reason,
        always=body.always,
    )
    decided = await acts.desk.decide(actor.tenant, word)
    if decided.state is not State.APPROVED:
        return decided
    return await acts.desk.perform(actor.tenant, decided.id, PERFORM_S)


async def _said_before(acts: Acts, action: Action, body: DecisionInput, actor: Actor) -> bool:
    """Whether this person said just this of this card already."""
    if not equal_digests(body.digest, action.digest) or body.edited_args:
        return False
    if body.decision == "deny":
        denied = action.state is State.REFUSED and action.reason == "denied"
        return denied and action.decided_by == actor.subject
    given = await acts.journal.approvals(actor.tenant, action.id)
    return any(approval.approver == actor.subject for approval in given)


async def approval_of(acts: Acts, action: Action, actor: Actor) -> Approval:
    """The card as this person may see it."""
    manifest = manifest_of(acts.catalogue, action)
    waits = await _waits_for(acts, action, actor)
    approver = {"you": "end_user", "other": "other", "nobody": "nobody"}[waits]
    if waits == "you" and action.who.subject != actor.subject:
        approver = "other"
    view = card_view(action, manifest, approver)  # type: ignore[arg-type]  # from the table above
    return Approval.model_validate(
        {
            **view,
            "waitsFor": waits,
            "requestedBy": action.who.subject,
            "threadId": action.thread_id if action.who.subject == actor.subject else None,
            "created": action.created.isoformat(),
            "args": dict(arguments_view(action, manifest)),
            "schema": dict(editable(manifest)),
        }
    )


async def _waits_for(acts: Acts, action: Action, actor: Actor) -> str:
    if action.state is not State.PENDING:
        return "nobody"
    manifest = manifest_of(acts.catalogue, action)
    given = await acts.journal.approvals(action.who.tenant, action.id)
    spoken = any(approval.approver == actor.subject for approval in given)
    able = manifest is not None and manifest.rights <= actor.rights
    return "you" if able and not spoken else "other"
