"""Sign-up, sign-in, user tokens, who am I, the workspace and its billing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from harbor.context import NOWHERE, Ctx, Here, hashed, page
from harbor.facts import PAID_ROLES, PERMISSIONS, PLANS
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.store import Object, Taken, Tx

routes = APIRouter(tags=["Accounts"])
SESSION = timedelta(days=14)
TOKEN = timedelta(hours=12)
ROUNDS = 600_000 // 20  # a sandbox: sign-ins are many and nobody's
LOWEST = 12


class SignIn(BaseModel):
    email: str = Field(examples=["ada@brightline.example"])
    password: str


class SignUp(SignIn):
    name: str = Field(min_length=1, max_length=100)
    workspace: str = Field(min_length=1, max_length=100)


class WorkspaceChange(BaseModel):
    name: str | None = Field(default=None, min_length=1, max_length=100)
    release_channel: Literal["standard", "extended"] | None = None
    editors_can_invite: bool | None = None


class PlanChange(BaseModel):
    plan: Literal["free", "team", "growth", "enterprise"]
    interval: Literal["monthly", "yearly"] = "monthly"
    dry_run: bool = False


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


def signed_in(ctx: Ctx, body: SignIn) -> Object:
    """The member of this address and password, whatever workspace it is in."""
    for login in ctx.tx.all(NOWHERE, "login"):
        if login["email"] != body.email.lower():
            continue
        given = password_hash(body.password, login["salt"])
        if hmac.compare_digest(given, login["hash"]):
            member = ctx.tx.find(login["workspace"], "member", login["member"])
            if member is not None:
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
    return {"workspace_id": ws.id, "user_id": owner.id}


@operation(routes, "POST /v1/sign-in", id="sign_in", public=True)
async def sign_in(body: SignIn, ctx: Here) -> dict[str, Any]:
    """A session for the pages, as a cookie."""
    member = signed_in(ctx, body)
    secret = make_token(ctx.tx, member, "session", SESSION)
    cookie = f"harbor_session={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600"
    ctx.request.state.headers["set-cookie"] = cookie
    return {"user_id": member.id}


@operation(routes, "POST /v1/tokens", id="create_user_token", status=201, public=True)
async def create_user_token(body: SignIn, ctx: Here) -> dict[str, Any]:
    """A token with which another program acts with this user's own rights, for 12 hours."""
    return {"token": make_token(ctx.tx, signed_in(ctx, body), "user", TOKEN)}


@operation(routes, "POST /v1/me/token", id="create_my_token", status=201)
async def create_my_token(ctx: Here) -> dict[str, Any]:
    """As `create_user_token`, for whoever is signed in already."""
    return {"token": make_token(ctx.tx, ctx.me, "user", TOKEN)}


@operation(routes, "GET /v1/me", id="get_me")
async def get_me(ctx: Here) -> dict[str, Any]:
    """Who the token belongs to, and what this person may do."""
    member = ctx.me
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


# --- billing ------------------------------------------------------------------------------------


def seats(ctx: Ctx) -> int:
    """Paid seats in use: members, and pending invites with a paid role."""
    members = sum(m["role"] in PAID_ROLES for m in ctx.tx.all(ctx.ws, "member"))
    invites = ctx.tx.all(ctx.ws, "invite")
    return members + sum(i["state"] == "pending" and i["role"] in PAID_ROLES for i in invites)


@operation(routes, "GET /v1/billing", id="get_billing", permission="billing.view",
           scope="billing:read")  # fmt: skip
async def get_billing(ctx: Here) -> dict[str, Any]:
    month = ctx.tx.stamp[:7]
    used = ctx.tx.db.execute(
        "SELECT count(*) FROM event WHERE workspace=? AND sample=0", (ctx.ws,)
    ).fetchone()[0]
    body = {
        "plan": ctx.here["plan"], "interval": ctx.here["interval"], "trial": ctx.here["trial"],
        "month": month, "paid_seats": seats(ctx), "seat_limit": ctx.plan.seats,
        "events_used": used, "event_limit": ctx.plan.events,
        "seat_price": ctx.plan.price[ctx.here["interval"] == "yearly"],
        "invoices": ctx.here.get("invoices", []),
    }  # fmt: skip
    return ctx.shown(ctx.here, body)


@operation(routes, "PUT /v1/billing/plan", id="change_plan", permission="billing.manage")
async def change_plan(body: PlanChange, ctx: Here) -> dict[str, Any]:
    """Upgrades hold at once and are charged per remaining day; downgrades at the period's end."""
    old, new = PLANS[ctx.here["plan"]], PLANS[body.plan]
    order = list(PLANS)
    up = order.index(new.name) >= order.index(old.name)
    left = max(30 - ctx.tx.now.day, 0)
    price = new.price[body.interval == "yearly"] - (0 if ctx.here["trial"] else old.price[0])
    due = max(price, 0) * seats(ctx) * left // 30 if up else 0
    preview = {"plan": body.plan, "interval": body.interval, "due_now": due,
               "effective": "now" if up else "end_of_period"}  # fmt: skip
    if body.dry_run:
        return {**preview, "dry_run": True}
    if up:
        ctx.tx.save(ctx.here, plan=body.plan, interval=body.interval, trial=False)
    else:
        ctx.tx.save(ctx.here, next_plan=body.plan, interval=body.interval)
    ctx.audit("billing.plan_changed", body.plan)
    ctx.effect(body.plan)
    return preview


@operation(routes, "GET /v1/audit-events", id="list_audit_events", permission="audit.view",
           scope="audit:read")  # fmt: skip
async def list_audit_events(
    ctx: Here, action: str | None = None, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    found = [entry.body for entry in reversed(ctx.tx.all(ctx.ws, "audit"))]
    return page([e for e in found if action in (None, e["action"])], limit, cursor)
