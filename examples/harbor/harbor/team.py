"""Members, roles, invites by mail, in bulk and by link."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field

from harbor import telling
from harbor.accounts import end_sessions, make_login, make_member
from harbor.billing import seats
from harbor.context import NOWHERE, Ctx, Here, page, transaction
from harbor.deliveries import notify
from harbor.facts import PAID_ROLES
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.store import Object, Taken, Tx

routes = APIRouter(tags=["Team"])
Role = Literal["admin", "editor", "viewer", "billing"]
Email = Annotated[
    str,
    Field(pattern=r"^[^@\s]{1,64}@[^@\s]+\.[^@\s]+$", max_length=254, examples=["ana@example.com"]),
]
EXPIRES = timedelta(days=7)
POLL_S = 1.0
MOST_A_DAY = 200
MOST_IN_BULK = 50
MOST_RESENDS = 3
LINK_LASTS = {"24h": timedelta(hours=24), "72h": timedelta(hours=72), "7d": timedelta(days=7)}


class RoleChange(BaseModel):
    role: Role


class NewInvite(BaseModel):
    email: Email
    role: Role = Field(description="Role of the new member")
    dashboard_ids: list[str] = Field(default_factory=list, max_length=5)
    sample_project: bool = Field(default=False, description="Share the sample project")


class NewInvites(BaseModel):
    emails: list[Email] = Field(min_length=1)
    role: Literal["admin", "editor", "viewer"]
    sample_project: bool = False


class NewLink(BaseModel):
    role: Literal["editor", "viewer"]
    expires_in: Literal["24h", "72h", "7d"] = "72h"
    max_uses: int = Field(default=25, ge=1, le=100)


class Acceptance(BaseModel):
    token: str
    name: str = Field(min_length=1, max_length=100)
    password: str
    email: Email | None = Field(default=None, description="Needed for an invite link")


# --- members ------------------------------------------------------------------------------------


def _member(member: Object) -> dict[str, Any]:
    return body_of(member, mfa=member["mfa"]["enrolled"], active=member.get("active", True))


@operation(routes, "GET /v1/members", id="list_members", scope="members:read")
async def list_members(
    ctx: Here, role: str | None = None, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """Everybody in the workspace, oldest first."""
    found = [_member(m) for m in ctx.tx.all(ctx.ws, "member") if role in (None, m["role"])]
    return page(found, limit, cursor)


@operation(routes, "GET /v1/members/{member_id}", id="get_member", scope="members:read")
async def get_member(member_id: str, ctx: Here) -> dict[str, Any]:
    found = ctx.get("member", member_id)
    return ctx.shown(found, _member(found))


def _manageable(ctx: Ctx, member_id: str) -> Object:
    member = ctx.changeable("member", member_id, strict=False)
    if member["role"] == "owner":
        raise Problem("forbidden", "the owner is changed by a transfer of ownership only")
    return member


@operation(routes, "PATCH /v1/members/{member_id}", id="change_member_role",
           permission="members.manage", scope="members:write",
           fails=("HBR-503", "HBR-701"))  # fmt: skip
async def change_member_role(member_id: str, body: RoleChange, ctx: Here) -> dict[str, Any]:
    member = _manageable(ctx, member_id)
    if body.role == "billing" and ctx.role != "owner":
        raise Problem("forbidden", "only the owner appoints the billing role")
    if body.role in PAID_ROLES and member["role"] not in PAID_ROLES:
        _free_seat(ctx, 1)
    changed = ctx.tx.save(member, role=body.role)
    ctx.audit("member.role_changed", member_id)
    ctx.track("Member Role Changed", role=body.role)
    telling.identify(ctx.tx, changed, ctx.plan.name)
    ctx.effect(f"{member_id}:{body.role}")
    return ctx.shown(changed, _member(changed))


@operation(routes, "DELETE /v1/members/{member_id}", id="remove_member", status=204,
           permission="members.manage", scope="members:write", fails=("HBR-701",))  # fmt: skip
async def remove_member(member_id: str, ctx: Here) -> None:
    """Ends all sessions of the person; what they made stays."""
    member = _manageable(ctx, member_id)
    end_sessions(ctx.tx, member_id)
    for login in ctx.tx.all(NOWHERE, "login"):
        if login["member"] == member_id:
            ctx.tx.delete(login)
    ctx.tx.delete(member)
    ctx.audit("member.removed", member_id)
    ctx.track("Member Removed")
    ctx.effect(member_id)


# --- invites ------------------------------------------------------------------------------------


def _may_invite(ctx: Ctx, role: str) -> None:
    if ctx.member is None:
        return
    if role == "billing" and ctx.role != "owner":
        raise Problem("forbidden", "only the owner invites the billing role")
    if ctx.may("members.invite"):
        return
    if ctx.role == "editor" and role == "viewer" and ctx.here["editors_can_invite"]:
        return
    raise Problem("forbidden", f"your role, {ctx.role}, cannot invite {role}s")


def _free_seat(ctx: Ctx, wanted: int) -> None:
    if ctx.plan.seats is not None and seats(ctx) + wanted > ctx.plan.seats:
        raise Problem("HBR-503", "invite viewers, which is free of charge, or add seats")


def _room(ctx: Ctx, role: str, wanted: int = 1) -> None:
    members, invites = ctx.tx.all(ctx.ws, "member"), ctx.tx.all(ctx.ws, "invite")
    pending = sum(i["state"] == "pending" for i in invites)
    if ctx.plan.members is not None and len(members) + pending + wanted > ctx.plan.members:
        raise Problem("HBR-503", f"the {ctx.plan.name} plan has {ctx.plan.members} members")
    if role in PAID_ROLES:
        _free_seat(ctx, wanted)
    today = sum(i.created[:10] == ctx.tx.stamp[:10] for i in invites)
    if today + wanted > MOST_A_DAY:
        raise Problem("HBR-303", f"{MOST_A_DAY} invites a day", retry_after=3600.0)


def _domain_allowed(ctx: Ctx, email: str) -> None:
    allowed = ctx.here.get("allowed_domains", [])
    if allowed and email.partition("@")[2].lower() not in allowed:
        raise Problem("HBR-502", f"invites work for {', '.join(allowed)} only")


def _invited(ctx: Ctx, email: str, body: dict[str, Any]) -> Object:
    """A pending invite; the one that is there already when it is the same."""
    email = email.lower()
    if ctx.tx.natural(ctx.ws, "member", email) is not None:
        raise Problem("HBR-504", f"{email} is a member already")
    known = ctx.tx.natural(ctx.ws, "invite", email)
    if known is not None and known["role"] == body["role"]:
        return known
    if known is not None:
        raise Problem("conflict", f"{email} is invited as {known['role']}; revoke that first")
    expires = (ctx.tx.now + EXPIRES).isoformat(timespec="seconds")
    made = ctx.tx.create(
        ctx.ws, "invite", "inv",
        {"email": email, "state": "pending", "resent": 0, "mails": 1, "expires_at": expires,
         "token": secrets.token_urlsafe(16), "invited_by": ctx.member.id if ctx.member else None,
         **body},
        natural=email,
    )  # fmt: skip
    ctx.audit("member.invited", made.id)
    ctx.track("Member Invited", role=body["role"])
    ctx.effect(email, "create_invite")
    return made


def _invite(found: Object) -> dict[str, Any]:
    body = body_of(found)
    del body["token"]
    return body


@operation(routes, "GET /v1/invites", id="list_invites", scope="members:read")
async def list_invites(
    ctx: Here, state: str | None = "pending", limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    _expire(ctx.tx)
    found = [_invite(i) for i in ctx.tx.all(ctx.ws, "invite") if state in (None, i["state"])]
    return page(found, limit, cursor)


def _expire(tx: Tx) -> None:
    """Invites whose time is over, of every workspace."""
    rows = tx.db.execute(
        "SELECT workspace, id FROM object WHERE kind='invite'"
        " AND json_extract(body, '$.state')='pending'"
        " AND datetime(json_extract(body, '$.expires_at')) <= datetime(?)",
        (tx.stamp,),
    )
    for workspace, id in rows.fetchall():
        invite = tx.find(workspace, "invite", id)
        if invite is not None:
            tx.release(tx.save(invite, state="expired"))
            told = {"invite_id": id, "email": invite["email"], "role": invite["role"]}
            notify(tx, workspace, "invite.expired", told)


async def job(app: FastAPI) -> None:
    """Invites expire even if nobody looks."""
    while True:
        async with transaction(app) as tx:
            _expire(tx)
        await asyncio.sleep(POLL_S)


@operation(routes, "GET /v1/invites/{invite_id}", id="get_invite", scope="members:read")
async def get_invite(invite_id: str, ctx: Here) -> dict[str, Any]:
    _expire(ctx.tx)
    found = ctx.get("invite", invite_id)
    return ctx.shown(found, _invite(found))


@operation(routes, "POST /v1/invites", id="create_invite", status=201, scope="members:write",
           idempotent=True, fails=("HBR-502", "HBR-503", "HBR-504", "HBR-303"))  # fmt: skip
async def create_invite(body: NewInvite, ctx: Here) -> dict[str, Any]:
    """Sends a mail with a link that is valid for 7 days."""
    _may_invite(ctx, body.role)
    _domain_allowed(ctx, body.email)
    if ctx.tx.natural(ctx.ws, "invite", body.email.lower()) is None:
        _room(ctx, body.role)
    made = _invited(ctx, body.email, body.model_dump(exclude={"email"}))
    return ctx.shown(made, _invite(made))


@operation(routes, "POST /v1/invites/bulk", id="create_invites_bulk", status=201,
           scope="members:write", feature="bulk_invite", idempotent=True,
           fails=("HBR-502", "HBR-503", "HBR-505", "HBR-901", "HBR-303"))  # fmt: skip
async def create_invites_bulk(body: NewInvites, ctx: Here) -> dict[str, Any]:
    """Up to 50 addresses; each stands alone, the answer says what became of it."""
    if len(body.emails) > MOST_IN_BULK:
        raise Problem("HBR-505", f"{len(body.emails)} addresses; send {MOST_IN_BULK} at a time")
    _may_invite(ctx, body.role)
    for email in body.emails:
        _domain_allowed(ctx, email)
    _room(ctx, body.role, len(body.emails))
    results: list[dict[str, Any]] = []
    ids: list[str] = []
    more: dict[str, Any] = {
        "role": body.role,
        "dashboard_ids": [],
        "sample_project": body.sample_project,
    }
    for email in body.emails:
        try:
            made = _invited(ctx, email, more)
        except Problem as refused:
            results.append({"email": email, "status": "refused", "code": refused.code})
        else:
            ids.append(made.id)
            results.append({"email": email, "status": "invited", "id": made.id})
    return {"invite_ids": ids, "results": results}


@operation(routes, "POST /v1/invites/{invite_id}/resend", id="resend_invite",
           scope="members:write", fails=("HBR-501",))  # fmt: skip
async def resend_invite(invite_id: str, ctx: Here) -> dict[str, Any]:
    """Sends the mail again, at most three times; deliberately without an idempotency key."""
    invite = ctx.get("invite", invite_id)
    _may_invite(ctx, invite["role"])
    if invite["state"] != "pending":
        raise Problem("HBR-501", f"the invite is {invite['state']}")
    if invite["resent"] >= MOST_RESENDS:
        raise Problem(
            "conflict", f"sent again {MOST_RESENDS} times already; revoke and invite anew"
        )
    expires = (ctx.tx.now + EXPIRES).isoformat(timespec="seconds")
    changed = ctx.tx.save(
        invite, resent=invite["resent"] + 1, mails=invite["mails"] + 1, expires_at=expires
    )
    ctx.effect(invite_id)
    return ctx.shown(changed, _invite(changed))


@operation(routes, "DELETE /v1/invites/{invite_id}", id="revoke_invite",
           scope="members:write", fails=("HBR-701",))  # fmt: skip
async def revoke_invite(invite_id: str, ctx: Here) -> dict[str, Any]:
    """Ends it at once; revoking it again changes nothing."""
    invite = ctx.changeable("invite", invite_id, strict=False)
    _may_invite(ctx, invite["role"])
    if invite["state"] == "accepted":
        raise Problem("conflict", "the invite was accepted; remove the member instead")
    if invite["state"] == "pending":
        invite = ctx.tx.save(invite, state="revoked")
        ctx.tx.release(invite)
        ctx.effect(invite_id)
        ctx.track("Invite Revoked")
    return ctx.shown(invite, _invite(invite))


# --- links --------------------------------------------------------------------------------------


@operation(routes, "GET /v1/invite-links", id="list_invite_links", scope="members:read")
async def list_invite_links(
    ctx: Here, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    links = [body_of(link) for link in ctx.tx.all(ctx.ws, "link") if link["state"] == "active"]
    return page(links, limit, cursor)


@operation(routes, "POST /v1/invite-links", id="create_invite_link", status=201,
           scope="members:write", idempotent=True)  # fmt: skip
async def create_invite_link(body: NewLink, ctx: Here) -> dict[str, Any]:
    _may_invite(ctx, body.role)
    token = secrets.token_urlsafe(16)
    expires = (ctx.tx.now + LINK_LASTS[body.expires_in]).isoformat(timespec="seconds")
    made = ctx.tx.create(
        ctx.ws, "link", "lnk",
        {**body.model_dump(), "state": "active", "uses": 0, "expires_at": expires,
         "url": f"{ctx.config.base_url}/join#{token}", "token": token},
        natural=token,
    )  # fmt: skip
    ctx.track("Invite Link Created", role=body.role)
    ctx.effect(made.id)
    return ctx.shown(made, body_of(made))


@operation(routes, "DELETE /v1/invite-links/{link_id}", id="revoke_invite_link",
           scope="members:write")  # fmt: skip
async def revoke_invite_link(link_id: str, ctx: Here) -> dict[str, Any]:
    link = ctx.changeable("link", link_id, strict=False)
    _may_invite(ctx, link["role"])
    changed = ctx.tx.save(link, state="ended")
    ctx.effect(link_id)
    return ctx.shown(changed, body_of(changed))


@operation(routes, "POST /v1/invites/accept", id="accept_invite", status=201, public=True,
           fails=("HBR-501", "HBR-502", "HBR-503", "HBR-504"))  # fmt: skip
async def accept_invite(body: Acceptance, ctx: Here) -> dict[str, Any]:
    """The token of the mail or of a link makes a member."""
    for kind in ("invite", "link"):
        rows = ctx.tx.db.execute("SELECT workspace, id FROM object WHERE kind=?", (kind,))
        for row in rows.fetchall():
            found = ctx.tx.find(row["workspace"], kind, row["id"])
            if found is not None and secrets.compare_digest(found["token"], body.token):
                return _join(ctx, found, body)
    raise Problem("HBR-501", "ask for a new invite")


def _join(ctx: Ctx, invite: Object, body: Acceptance) -> dict[str, Any]:
    ctx.workspace = ctx.tx.find(NOWHERE, "workspace", invite.workspace)
    late = datetime.fromisoformat(invite["expires_at"]) <= ctx.tx.now
    if invite["state"] not in ("pending", "active") or late:
        raise Problem("HBR-501", "ask for a new invite")
    email = invite.get("email") or body.email
    if email is None:
        raise Problem("invalid", "email: say which address joins")
    _domain_allowed(ctx, email)
    try:
        member = make_member(ctx.tx, invite.workspace, email, body.name, invite["role"])
    except Taken as failure:
        raise Problem("HBR-504", f"{email} is a member already") from failure
    make_login(ctx.tx, member, body.password)
    if invite.kind == "invite":
        ctx.tx.release(ctx.tx.save(invite, state="accepted"))
    else:
        uses = invite["uses"] + 1
        ctx.tx.save(invite, uses=uses, state="active" if uses < invite["max_uses"] else "ended")
    ctx.member = member
    ctx.audit("member.joined", member.id)
    ctx.track("Member Joined", role=invite["role"])
    visitor = ctx.request.cookies.get(telling.VISITOR)
    telling.identify(ctx.tx, member, ctx.plan.name, invited=True, visitor=visitor)
    telling.group(ctx.tx, ctx.here, member.id)
    told = {"member_id": member.id, "email": member["email"], "role": member["role"]}
    notify(ctx.tx, invite.workspace, "member.joined", told)
    return {"user_id": member.id, "workspace_id": invite.workspace}
