"""Actions and tools over REST: what was done for the caller, what can be, and the way back."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest

from agent.views import card_view, manifest_of, next_try, result_view
from api.acting_schemas import (
    ActionBody,
    ActionId,
    ActionsBody,
    Approval,
    ResolveInput,
    Step,
    ToolArgument,
    ToolBody,
    ToolsBody,
)
from api.acts import Acts
from api.approvals import RESPONSES, IdempotencyKey, approval_of
from api.auditing import Auditing
from api.context import Context
from api.errors import ConflictError, InputError
from api.identity import SignedIn
from api.schemas import WireId
from guardrails.audit import What
from tools.acting import Request
from tools.journal import Action, Ending, State, UnknownActionError
from tools.types import Actor, Done, Manifest, ToolCall

Cursor = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9_-]{22}$", description="`next` of before")
]
Thread = Annotated[WireId | None, Query(alias="threadId", description="Of one conversation only")]
Limit = Annotated[int, Query(ge=1, le=200)]


def router(context: Context) -> APIRouter:
    """`/v1/actions` and `/v1/tools`."""
    routes = APIRouter(prefix="/v1", tags=["actions"], responses=RESPONSES)
    _add_reading(routes, context.acts)
    _add_ending(routes, context.acts)
    _add_beginning(routes, context.acts)
    return routes


def _add_reading(routes: APIRouter, acts: Acts) -> None:
    @routes.get("/tools", summary="Tools that the caller may use")
    async def tools(actor: SignedIn) -> ToolsBody:
        return ToolsBody(tools=[_tool(manifest) for manifest in acts.desk.offered(actor)])

    @routes.get("/actions", summary="What was done for the caller, newest first")
    async def actions(
        actor: SignedIn, thread_id: Thread = None, after: Cursor = None, limit: Limit = 50
    ) -> ActionsBody:
        await _check_cursor(acts, actor, after)
        found = await acts.journal.asked_for(
            actor.tenant, actor.subject, thread_id=thread_id, before=after, limit=limit + 1
        )
        page = found[::-1][:limit]
        return ActionsBody(
            actions=[await _body(acts, action, actor, steps=False) for action in page],
            next=page[-1].id if len(found) > limit else None,
        )

    @routes.get("/actions/{action_id}", summary="One action, with its steps and its receipt")
    async def action(request: HttpRequest, action_id: ActionId, actor: SignedIn) -> ActionBody:
        return await _body(acts, await _seen(acts, request, actor, action_id), actor)


def _add_ending(routes: APIRouter, acts: Acts) -> None:
    @routes.post("/actions/{action_id}/cancel", summary="Call off what has not begun")
    async def cancel(
        request: HttpRequest,
        action_id: ActionId,
        actor: SignedIn,
        _idempotency_key: IdempotencyKey = None,
    ) -> ActionBody:
        known = await _seen(acts, request, actor, action_id)
        if not (known.state is State.REFUSED and known.reason == "cancelled"):
            known = await acts.desk.cancel(actor.tenant, action_id, actor)
        return await _body(acts, known, actor)

    @routes.post("/actions/{action_id}/resolve", summary="Say what became of an unknown action")
    async def resolve(
        request: HttpRequest,
        action_id: ActionId,
        body: ResolveInput,
        actor: SignedIn,
        _idempotency_key: IdempotencyKey = None,
    ) -> ActionBody:
        known = await _seen(acts, request, actor, action_id)
        if known.state.value == body.outcome and known.decided_by == actor.subject:
            return await _body(acts, known, actor)
        done = Done({}) if body.outcome == "succeeded" else None
        ending = Ending(State(body.outcome), done, "resolved_by_person", body.note)
        resolved = await acts.desk.resolve(actor.tenant, action_id, ending, actor)
        return await _body(acts, resolved, actor)


def _add_beginning(routes: APIRouter, acts: Acts) -> None:
    @routes.post("/actions/{action_id}/undo", summary="The card that takes it back")
    async def undo(
        request: HttpRequest,
        action_id: ActionId,
        actor: SignedIn,
        _idempotency_key: IdempotencyKey = None,
    ) -> Approval:
        await _seen(acts, request, actor, action_id)
        return await approval_of(acts, await acts.desk.undo(actor.tenant, action_id, actor), actor)

    @routes.post("/actions/{action_id}/retry", summary="A new card for what did not work")
    async def retry(
        request: HttpRequest,
        action_id: ActionId,
        actor: SignedIn,
        idempotency_key: IdempotencyKey = None,
    ) -> Approval:
        failed = await _seen(acts, request, actor, action_id)
        again = await acts.desk.prepare(_again(acts, failed, actor, idempotency_key))
        return await approval_of(acts, again, actor)


async def _seen(acts: Acts, request: HttpRequest, actor: Actor, action_id: str) -> Action:
    """One that this person may see. Raises UnknownActionError."""
    found = await acts.desk.action(actor, action_id)
    noting = Auditing(acts.audit)
    await noting.note_others(request, actor, What.READ_ACTION_OF_OTHER, found.who.subject)
    return found


async def _check_cursor(acts: Acts, actor: Actor, after: str | None) -> None:
    if after is None:
        return
    try:
        known = await acts.journal.action(actor.tenant, after)
    except UnknownActionError:
        known = None
    if known is None or known.who.subject != actor.subject:
        raise InputError("/after", "this cursor names no action of yours; begin without one")


def _again(acts: Acts, failed: Action, actor: Actor, key: str | None) -> Request:
    """The same call in the tool's present version. What had an effect is not simply repeated."""
    retryable = {State.FAILED, State.REFUSED}
    if failed.state not in retryable or failed.result or failed.who.subject != actor.subject:
        raise ConflictError("illegal_move", f"what is {failed.state.value} cannot be tried again")
    tool = acts.catalogue.tool(failed.call.tool)
    version = tool.manifest.version if tool is not None else failed.call.version
    parts = "\0".join(("retry", failed.id, key or ""))
    return Request(
        call=ToolCall(failed.call.tool, version, failed.call.arguments),
        actor=actor,
        key=hashlib.sha256(parts.encode()).hexdigest(),
        thread_id=failed.thread_id,
    )


async def _body(acts: Acts, action: Action, actor: Actor, *, steps: bool = True) -> ActionBody:
    manifest = manifest_of(acts.catalogue, action)
    receipts = await acts.journal.receipt_of(action.who.tenant, action.id)
    own = action.who.subject == actor.subject
    inner = await acts.journal.actions(action.who.tenant, parent=action.id) if steps else ()
    return ActionBody.model_validate(
        {
            **result_view(action, manifest, receipts),
            "threadId": action.thread_id if own else None,
            "created": action.created.isoformat(),
            "started": action.started.isoformat() if action.started else None,
            "nextTry": next_try(action),
            "steps": [_step(acts, step) for step in inner],
            "card": dict(card_view(action, manifest, "nobody")),
        }
    )


def _step(acts: Acts, step: Action) -> Step:
    manifest = manifest_of(acts.catalogue, step)
    return Step(
        action_id=step.id,
        name=step.step,
        title=manifest.title if manifest is not None else step.call.tool,
        state=step.state.value,
        reason=step.reason,
    )


def _tool(manifest: Manifest) -> ToolBody:
    return ToolBody(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        summary=manifest.summary,
        risk=manifest.tier.risk,
        undo=manifest.undo,
        schema=dict(manifest.schema),
        arguments={
            name: ToolArgument(label=argument.label, hint=argument.hint, secret=argument.secret)
            for name, argument in manifest.arguments.items()
        },
    )
