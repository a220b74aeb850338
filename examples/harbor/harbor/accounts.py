"""Sign-up, sign-in, user tokens, who am I, the workspace and its log."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from harbor import telling
from harbor.context import NOWHERE, Ctx, Here, hashed, page
from harbor.facts import PERMISSIONS
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.requirements import mfa_due, needs_sso
from harbor.second_factor import is_trusted, refused, trust
from harbor.store import Object, Taken, Tx

routes = APIRouter(tags=["Accounts"])
SESSION = timedelta(days=14)
TOKEN = timedelta(hours=12)
ROUNDS = 600_000 // 20  # a sandbox: sign-ins are many and nobody's
LOWEST = 12


class Login(BaseModel):
    email: str = Field(examples=["ada@brightline.example"])
    password: str


class Person(Login):
    code: str | None = Field(
        default=None, max_length=20,
        description="Six digits of the authenticator app, or a recovery code",
    )  # fmt: skip


class SignIn(Person):
    trust_device: bool = Field(default=False, description="Ask for no code here for 30 days")


class SignUp(Login):
    name: str = Field(min_length=1, max_length=100)
    workspace: str = Field(min_length=1, max_length=100)


class WorkspaceChange(BaseModel):
    name: str | None = Field(default=None, min_length=1, max_length=100)
    release_channel: Literal["standard", "extended"] | None = None
    editors_can_invite: bool | None = None


def password_hash(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ROUNDS).hex()


def make_member(tx: Tx, workspace: str, email: str, name: str, role: str, **more: Any) -> Object:
    """Raises Taken when the address is a member already."""
    return tx.create(
        workspace, "member", "usr",
        {"email": email.lower(), "name": name, "role": role, "mfa": {"enrolled": False}, **more},
        natural=email.lower(),
    )  # fmt: skip


def make_token(tx: Tx, member: Object, kind: str, lasts: timedelta) -> str:
    secret = f"hbr_{'ses' if kind == 'session' else 'usr'}_{secrets.token_urlsafe(24)}"
    tx.create(
        NOWHERE, "token", "tok",
        {"kind": kind, "workspace": member.workspace, "member": member.id,
         "auth_time": tx.stamp, "expires": (tx.now + lasts).isoformat()},
        natural=hashed(secret),
    )  # fmt: skip
    return secret


def end_sessions(tx: Tx, member_id: str) -> None:
    """Sessions of the pages, and tokens that act for this person."""
    for token in tx.all(NOWHERE, "token"):
        if token.get("member") == member_id:
            tx.delete(token)


def _enter(ctx: Ctx, body: Person) -> Response | None:
    """Makes the caller this person, unless there is a refusal to answer."""
    member = _with_password(ctx, body)
    ctx.workspace, ctx.member = ctx.tx.find(NOWHERE, "workspace", member.workspace), member
    if needs_sso(ctx):
        raise Problem("forbidden", "this workspace requires single sign-on")
    return None if is_trusted(ctx) else refused(ctx, body.code)


def _with_password(ctx: Ctx, body: Person) -> Object:
    """The member of this address and password, whatever workspace it is in."""
    for login in ctx.tx.all(NOWHERE, "login"):
        if login["email"] != body.email.lower():
            continue
        given = password_hash(body.password, login["salt"])
        if hmac.compare_digest(given, login["hash"]):
            member = ctx.tx.find(login["workspace"], "member", login["member"])
            if member is not None and member.get("active", True):
                return member
    raise Problem("unauthenticated", "the address or the password is wrong")


def make_login(tx: Tx, member: Object, password: str) -> None:
    if len(password) < LOWEST:
        raise Problem("invalid", f"a password has at least {LOWEST} characters")
    salt = secrets.token_hex(8)
    tx.create(
        NOWHERE, "login", "lgn",
        {"email": member["email"], "workspace": member.workspace, "member": member.id,
         "salt": salt, "hash": password_hash(password, salt)},
        natural=f"{member.workspace}:{member.id}",
    )  # fmt: skip


@operation(routes, "POST /v1/sign-up", id="sign_up", status=201, public=True)
async def sign_up(body: SignUp, ctx: Here) -> dict[str, Any]:
    """A workspace with its owner, on a trial of Growth."""
    try:
        ws = ctx.tx.create(
            NOWHERE, "workspace", "ws",
            {"name": body.workspace, "plan": "growth", "interval": "monthly", "trial": True,
             "release_channel": "standard", "version": "2026.2", "editors_can_invite": False,
             "timezone": "UTC", "currency": "USD"},
        )  # fmt: skip
        owner = make_member(ctx.tx, ws.id, body.email, body.name, "owner")
    except Taken as failure:
        raise Problem("conflict", "there is such an account already") from failure
    make_login(ctx.tx, owner, body.password)
    ctx.workspace, ctx.member = ws, owner
    ctx.track("Signed Up", plan=ws["plan"])
    visitor = ctx.request.cookies.get(telling.VISITOR)
    telling.identify(ctx.tx, owner, ws["plan"], invited=False, visitor=visitor)
    telling.group(ctx.tx, ws, owner.id)
    return {"workspace_id": ws.id, "user_id": owner.id}


@operation(routes, "POST /v1/sign-in", id="sign_in", public=True,
           fails=("HBR-611", "HBR-612"))  # fmt: skip
async def sign_in(body: SignIn, ctx: Here) -> Any:
    """A session for the pages, as a cookie. Who has a second factor sends its `code` too."""
    if refusal := _enter(ctx, body):
        return refusal
    ctx.cookie("harbor_session", make_token(ctx.tx, ctx.me, "session", SESSION), SESSION)
    if body.trust_device:
        trust(ctx)
    ctx.track("Signed In", role=ctx.role, plan=ctx.plan.name)
    telling.identify(ctx.tx, ctx.me, ctx.plan.name)
    return {"user_id": ctx.me.id}


@operation(routes, "POST /v1/tokens", id="create_user_token", status=201, public=True,
           fails=("HBR-611", "HBR-612"))  # fmt: skip
async def create_user_token(body: Person, ctx: Here) -> Any:
    """A token with which another program acts with this user's own rights, for 12 hours."""
    return _enter(ctx, body) or {"token": make_token(ctx.tx, ctx.me, "user", TOKEN)}


@operation(routes, "POST /v1/me/token", id="create_my_token", status=201)
async def create_my_token(ctx: Here) -> dict[str, Any]:
    """As `create_user_token`, for whoever is signed in already."""
    return {"token": make_token(ctx.tx, ctx.me, "user", TOKEN)}


@operation(routes, "GET /v1/me", id="get_me", before_mfa=True)
async def get_me(ctx: Here) -> dict[str, Any]:
    """Who the token belongs to, and what this person may do."""
    member, due = ctx.me, mfa_due(ctx)
    return {
        "id": member.id,
        "email": member["email"],
        "email_domain": member["email"].partition("@")[2],
        "name": member["name"],
        "account": {"id": ctx.ws, "name": ctx.here["name"]},
        "plan": ctx.here["plan"],
        "role": member["role"],
        "permissions": sorted(PERMISSIONS[member["role"]]),
        "auth_time": ctx.auth_time,
        "mfa": member["mfa"]["enrolled"],
        "mfa_due": due.isoformat() if due else None,
    }


@operation(routes, "GET /v1/workspace", id="get_workspace")
async def get_workspace(ctx: Here) -> dict[str, Any]:
    return ctx.shown(ctx.here, body_of(ctx.here))


@operation(routes, "PATCH /v1/workspace", id="update_workspace", fails=("HBR-701", "HBR-901"))
async def update_workspace(body: WorkspaceChange, ctx: Here) -> dict[str, Any]:
    """Rename it (owner); the release channel and who may invite (owner, admin)."""
    ctx.need("workspace.manage" if body.name is not None else "security.manage")
    if body.release_channel == "extended" and ctx.plan.name not in ("growth", "enterprise"):
        raise Problem("HBR-901", "the extended channel comes with Growth and Enterprise")
    wanted = ctx.request.headers.get("if-match")
    if wanted not in (None, "*", ctx.here.etag):
        raise Problem("HBR-701", "read it again and decide anew")
    changed = ctx.tx.save(ctx.here, **body.model_dump(exclude_none=True))
    ctx.effect(ctx.ws)
    return ctx.shown(changed, body_of(changed))


# --- the log ---------------------------------------------------------------------------------


@operation(routes, "GET /v1/audit-events", id="list_audit_events", permission="audit.view",
           scope="audit:read")  # fmt: skip
async def list_audit_events(
    ctx: Here, action: str | None = None, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    found = [entry.body for entry in reversed(ctx.tx.all(ctx.ws, "audit"))]
    return page([e for e in found if action in (None, e["action"])], limit, cursor)
