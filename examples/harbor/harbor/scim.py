"""SCIM 2.0 (RFC 7643, RFC 7644): its tokens, and members made, changed and deactivated by an
identity provider."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harbor import telling
from harbor.accounts import end_sessions, make_member
from harbor.billing import seats
from harbor.context import NOWHERE, Ctx, Here, hashed, page
from harbor.deliveries import notify
from harbor.facts import PAID_ROLES
from harbor.operations import SCIM_TOKEN, body_of, operation
from harbor.problems import Problem
from harbor.store import Object

routes = APIRouter(tags=["SCIM"])
SECURITY = "security.manage"
LASTS = timedelta(days=365)
MOST_TOKENS = 2
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
FILTER = re.compile(r'(userName|externalId) eq "([^"]+)"', re.IGNORECASE)
WORDS = {"true": True, "false": False}
FAILS = ("HBR-303", "HBR-503", "HBR-605", "HBR-606")


def _address(given: str) -> str:
    if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+", given):
        raise ValueError("userName is the person's e-mail address")
    return given.lower()


class Name(BaseModel):
    givenName: str = ""  # names of RFC 7643 from here on
    familyName: str = ""


class NewUser(BaseModel):
    userName: Annotated[str, Field(max_length=254), AfterValidator(_address)]
    name: Name = Field(default_factory=Name)
    displayName: str | None = Field(default=None, max_length=100)
    externalId: str | None = Field(default=None, max_length=200)
    active: bool = True


class Change(BaseModel):
    op: str = Field(description="add or replace; providers differ in upper and lower case")
    path: str | None = None
    value: Any = None


class Changes(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    operations: list[Change] = Field(alias="Operations", min_length=1, max_length=100)


# --- tokens -------------------------------------------------------------------------------------


def active_tokens(ctx: Ctx) -> list[Object]:
    return [t for t in ctx.tx.all(ctx.ws, "scim_token") if t["state"] == "active"]


@operation(routes, "GET /v1/scim-tokens", id="list_scim_tokens", permission=SECURITY)
async def list_scim_tokens(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    return page([body_of(t) for t in active_tokens(ctx)], limit, cursor)


@operation(routes, "POST /v1/scim-tokens", id="create_scim_token", status=201,
           permission=SECURITY, feature="scim", idempotent=True, fails=("HBR-901",))  # fmt: skip
async def create_scim_token(ctx: Here) -> dict[str, Any]:
    """Shown once; two at a time, each for 365 days."""
    if len(active_tokens(ctx)) >= MOST_TOKENS:
        raise Problem("conflict", "there are two tokens; revoke one first")
    secret = f"{SCIM_TOKEN}{secrets.token_urlsafe(24)}"
    expires = (ctx.tx.now + LASTS).isoformat(timespec="seconds")
    made = ctx.tx.create(
        ctx.ws, "scim_token", "scm",
        {"state": "active", "expires_at": expires, "hash": hashed(secret), "last4": secret[-4:]},
    )  # fmt: skip
    ctx.audit("scim.token_created", made.id)
    ctx.effect(made.id)
    ctx.track("SCIM Token Created")
    return ctx.shown(made, {**body_of(made), "token": secret})


@operation(routes, "DELETE /v1/scim-tokens/{token_id}", id="revoke_scim_token",
           permission=SECURITY)  # fmt: skip
async def revoke_scim_token(token_id: str, ctx: Here) -> dict[str, Any]:
    changed = ctx.tx.save(ctx.get("scim_token", token_id), state="revoked")
    ctx.effect(token_id)
    return ctx.shown(changed, body_of(changed))


def _provider(ctx: Ctx) -> None:
    """Puts the request into the workspace of its SCIM token. Raises Problem."""
    bearer = ctx.request.headers.get("authorization", "").partition(" ")[2]
    given = hashed(ctx.request.headers.get("harbor-scim-token", bearer))
    rows = ctx.tx.db.execute("SELECT workspace, id FROM object WHERE kind='scim_token'").fetchall()
    for row in rows:
        token = ctx.tx.find(row["workspace"], "scim_token", row["id"])
        if token is None or token["hash"] != given or token["state"] != "active":
            continue
        if datetime.fromisoformat(token["expires_at"]) > ctx.tx.now:
            now = ctx.tx.now.timestamp()
            ctx.request.app.state.rates.take_scim(token.workspace, now)
            ctx.workspace = ctx.tx.find(NOWHERE, "workspace", token.workspace)
            return
    raise Problem("HBR-605", "make a new token under Settings > Security > SCIM")


# --- users --------------------------------------------------------------------------------------


def _user(member: Object) -> dict[str, Any]:
    given, _, family = member["name"].partition(" ")
    return {
        "schemas": [USER], "id": member.id, "userName": member["email"],
        "externalId": member.get("external_id"), "displayName": member["name"],
        "name": {"givenName": given, "familyName": family},
        "active": member.get("active", True), "roles": [{"value": member["role"]}],
        "meta": {"resourceType": "User", "created": member.created,
                 "lastModified": member.changed, "version": member.etag},
    }  # fmt: skip


@operation(routes, "GET /scim/v2/Users", id="scim_list_users", public=True, fails=("HBR-605",))
async def scim_list_users(ctx: Here, filter: str | None = None) -> dict[str, Any]:
    """All, or those of a filter such as `userName eq "ana@example.com"`."""
    _provider(ctx)
    members = ctx.tx.all(ctx.ws, "member")
    if filter is not None:
        found = FILTER.fullmatch(filter.strip())
        if found is None:
            raise Problem("invalid", "filter: userName or externalId, eq, and a quoted value")
        name = "email" if found[1].lower() == "username" else "external_id"
        members = [m for m in members if str(m.get(name, "")).lower() == found[2].lower()]
    users = [_user(member) for member in members]
    return {"schemas": [LIST], "totalResults": len(users), "startIndex": 1,
            "itemsPerPage": len(users), "Resources": users}  # fmt: skip


@operation(routes, "GET /scim/v2/Users/{user_id}", id="scim_get_user", public=True,
           fails=("HBR-605",))  # fmt: skip
async def scim_get_user(user_id: str, ctx: Here) -> dict[str, Any]:
    _provider(ctx)
    found = ctx.get("member", user_id)
    return ctx.shown(found, _user(found))


@operation(routes, "POST /scim/v2/Users", id="scim_create_user", status=201, public=True,
           fails=FAILS)  # fmt: skip
async def scim_create_user(body: NewUser, ctx: Here) -> dict[str, Any]:
    """A viewer; a member of that address who has no external id yet is linked."""
    _provider(ctx)
    known = ctx.tx.natural(ctx.ws, "member", body.userName)
    if known is not None:
        return _linked(ctx, known, body.externalId)
    name = body.displayName or f"{body.name.givenName} {body.name.familyName}".strip()
    more: dict[str, Any] = {"external_id": body.externalId}
    if not body.active:
        more["active"] = False
    made = make_member(ctx.tx, ctx.ws, body.userName, name or body.userName, "viewer", **more)
    ctx.member = made
    ctx.audit("member.joined", made.id)
    ctx.track("Member Joined", role="viewer", by="scim")
    telling.identify(ctx.tx, made, ctx.plan.name, invited=True)
    telling.group(ctx.tx, ctx.here, made.id)
    told = {"member_id": made.id, "email": made["email"], "role": "viewer"}
    notify(ctx.tx, ctx.ws, "member.joined", told)
    ctx.effect(body.userName)
    return ctx.shown(made, _user(made))


def _linked(ctx: Ctx, member: Object, external_id: str | None) -> dict[str, Any]:
    before = member.get("external_id")
    if before not in (None, external_id):
        raise Problem("HBR-606", f"{member['email']} is linked to another external id")
    changed = ctx.tx.save(member, external_id=external_id)
    return ctx.shown(changed, _user(changed))


@operation(routes, "PATCH /scim/v2/Users/{user_id}", id="scim_patch_user", public=True,
           fails=FAILS)  # fmt: skip
async def scim_patch_user(user_id: str, body: Changes, ctx: Here) -> dict[str, Any]:
    """Name, address, external id, and `active`: false ends sessions and frees the seat."""
    _provider(ctx)
    member = ctx.get("member", user_id)
    wanted = [pair for change in body.operations for pair in _pairs(change)]
    if member["role"] == "owner":
        raise Problem("forbidden", "the owner is never changed by SCIM")
    for path, value in wanted:
        member = _patched(ctx, member, path, value)
    ctx.effect(f"{user_id}:{member.version}")
    return ctx.shown(member, _user(member))


def _pairs(change: Change) -> list[tuple[str, Any]]:
    """Path and value; Okta sends members without a path, Entra booleans as words."""
    if change.op.lower() not in ("add", "replace"):
        raise Problem("invalid", f"op: {change.op} is not supported; use add or replace")
    given = {change.path: change.value} if change.path else change.value
    if not isinstance(given, dict):
        raise Problem("invalid", "value: an object is needed where there is no path")
    pairs = []
    for path, value in given.items():
        inner = value.items() if path == "name" and isinstance(value, dict) else ()
        pairs += [(f"name.{part}", each) for part, each in inner] or [(path, value)]
    return pairs


def _patched(ctx: Ctx, member: Object, path: str, value: Any) -> Object:
    match path:
        case "active":
            return _activated(ctx, member, WORDS.get(str(value).lower()))
        case "userName":
            return _renamed(ctx, member, str(value))
        case "displayName":
            return ctx.tx.save(member, name=str(value)[:100])
        case "name.givenName" | "name.familyName":
            given, _, family = member["name"].partition(" ")
            parts = (value, family) if path == "name.givenName" else (given, value)
            return ctx.tx.save(member, name=" ".join(map(str, parts)).strip()[:100])
        case "externalId":
            return ctx.tx.save(member, external_id=str(value))
        case _:
            return member  # what Harbor does not keep, such as a title, is no error to providers


def _activated(ctx: Ctx, member: Object, active: bool | None) -> Object:
    if active is None:
        raise Problem("invalid", "active: true or false")
    if active == member.get("active", True):
        return member
    if not active:
        end_sessions(ctx.tx, member.id)
        ctx.audit("member.removed", member.id, "deactivated")
    elif member["role"] in PAID_ROLES and _full(ctx):
        raise Problem("HBR-503", "add seats, or lower the roles of others")
    return ctx.tx.save(member, active=active)


def _full(ctx: Ctx) -> bool:
    return ctx.plan.seats is not None and seats(ctx) >= ctx.plan.seats


def _renamed(ctx: Ctx, member: Object, address: str) -> Object:
    try:
        email = _address(address)
    except ValueError as failure:
        raise Problem("invalid", str(failure)) from failure
    other = ctx.tx.natural(ctx.ws, "member", email)
    if other is not None and other.id != member.id:
        raise Problem("HBR-606", f"{email} is another member's address")
    for login in ctx.tx.all(NOWHERE, "login"):
        if login["member"] == member.id:
            ctx.tx.save(login, email=email)
    return ctx.tx.save(member, natural=email, email=email)
