"""Domains, single sign-on, SCIM tokens, second factor."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from cryptography import x509
from fastapi import APIRouter
from pydantic import BaseModel, Field

from harbor.context import NOWHERE, Ctx, Here, hashed, page
from harbor.facts import IDENTITY_PROVIDERS, PUBLIC_MAIL
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.store import Object

routes = APIRouter(tags=["Security"])
SECURITY = "security.manage"
CONFIRM_WITHIN = timedelta(minutes=10)
SCIM_LASTS = timedelta(days=365)
MOST_SCIM = 2
LOCKED_FOR = timedelta(minutes=15)
MOST_WRONG = 10
CODES = 10
Host = Annotated[str, Field(pattern=r"^([a-z0-9-]{1,63}\.)+[a-z]{2,63}$", max_length=253,
                            examples=["example.com"])]  # fmt: skip


class NewDomain(BaseModel):
    domain: Host


class Saml(BaseModel):
    idp_entity_id: str = Field(min_length=1, max_length=500)
    idp_sso_url: str = Field(description="https address of the provider's sign-in")
    certificate: str = Field(description="Signing certificate, PEM")


class Oidc(BaseModel):
    issuer: str = Field(examples=["https://accounts.google.com"])
    client_id: str = Field(min_length=1, max_length=200)
    client_secret: str = Field(min_length=8, max_length=500)


class Required(BaseModel):
    required: bool


class MfaRequirement(Required):
    grace_days: int = Field(default=7, ge=0, le=30)


class Code(BaseModel):
    code: str


def _settings(ctx: Ctx) -> Object:
    """The workspace's security settings, made on first use."""
    found = ctx.tx.natural(ctx.ws, "security", "settings")
    if found is not None:
        return _reverted(ctx, found)
    return ctx.tx.create(
        ctx.ws, "security", "sec",
        {"sso": {"kind": "none", "required": False, "tested": False}, "history": [],
         "unconfirmed_until": None, "mfa": {"required": False, "grace_days": 7}},
        natural="settings",
    )  # fmt: skip


def _reverted(ctx: Ctx, settings: Object) -> Object:
    """An unconfirmed change of SSO goes back by itself."""
    until = settings["unconfirmed_until"]
    if until is None or datetime.fromisoformat(until) > ctx.tx.now:
        return settings
    *earlier, before = settings["history"]
    return ctx.tx.save(settings, sso=before, history=earlier, unconfirmed_until=None)


@operation(routes, "GET /v1/security", id="get_security", permission=SECURITY)
async def get_security(ctx: Here) -> dict[str, Any]:
    """What is set, and what is still open."""
    settings = _settings(ctx)
    domains = [d["domain"] for d in ctx.tx.all(ctx.ws, "domain") if d["state"] == "verified"]
    tokens = _scim_tokens(ctx)
    members = ctx.tx.all(ctx.ws, "member")
    done = {
        "domain": bool(domains),
        "sso": settings["sso"]["kind"] != "none",
        "sso_required": settings["sso"]["required"],
        "scim": bool(tokens),
        "mfa": settings["mfa"]["required"],
    }
    body = {
        "domains": domains, "sso": _public(settings["sso"]), "scim_tokens": len(tokens),
        "mfa": settings["mfa"], "enrolled": sum(m["mfa"]["enrolled"] for m in members),
        "members": len(members), "done": done,
        "open": [name for name, set_up in done.items() if not set_up],
    }  # fmt: skip
    return ctx.shown(settings, body)


# --- domains ------------------------------------------------------------------------------------


@operation(routes, "GET /v1/domains", id="list_domains", permission=SECURITY)
async def list_domains(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    return page([body_of(d) for d in ctx.tx.all(ctx.ws, "domain")], limit, cursor)


@operation(routes, "POST /v1/domains", id="add_domain", status=201, permission=SECURITY)
async def add_domain(body: NewDomain, ctx: Here) -> dict[str, Any]:
    """Put the record into DNS at the domain's root; adding it again returns what is there."""
    if body.domain in PUBLIC_MAIL:
        raise Problem("invalid", f"{body.domain} is a public mail provider and cannot be yours")
    found = ctx.tx.natural(ctx.ws, "domain", body.domain)
    if found is None:
        record = f"harbor-verify={secrets.token_hex(12)}"
        found = ctx.tx.create(
            ctx.ws, "domain", "dom",
            {"domain": body.domain, "state": "pending", "record": record, "type": "TXT"},
            natural=body.domain,
        )  # fmt: skip
        ctx.effect(body.domain)
        ctx.track("Domain Added")
    return ctx.shown(found, body_of(found))


@operation(routes, "POST /v1/domains/{domain_id}/verify", id="verify_domain",
           permission=SECURITY, fails=("HBR-604",))  # fmt: skip
async def verify_domain(domain_id: str, ctx: Here) -> dict[str, Any]:
    """Looks for the TXT record now."""
    found = ctx.get("domain", domain_id)
    records = ctx.request.app.state.dns.get(found["domain"], [])
    if found["state"] != "verified":
        if found["record"] not in records:
            raise Problem("HBR-604", f"no TXT record {found['record']} at {found['domain']} yet")
        found = ctx.tx.save(found, state="verified")
        ctx.effect(found["domain"])
        ctx.track("Domain Verified")
    return ctx.shown(found, body_of(found))


@operation(routes, "DELETE /v1/domains/{domain_id}", id="remove_domain", status=204,
           permission=SECURITY)  # fmt: skip
async def remove_domain(domain_id: str, ctx: Here) -> None:
    ctx.tx.delete(ctx.changeable("domain", domain_id, strict=False))
    ctx.effect(domain_id)


# --- single sign-on -----------------------------------------------------------------------------


def _public(sso: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sso.items() if name != "client_secret"}


def _https(name: str, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname:
        raise Problem("invalid", f"{name}: must be an https address")
    return value


def _configured(ctx: Ctx, sso: dict[str, Any]) -> dict[str, Any]:
    """The new configuration, held for ten minutes unless it is confirmed."""
    if IDENTITY_PROVIDERS[ctx.plan.name] == 0:
        raise Problem("HBR-901", "single sign-on comes with Growth and Enterprise")
    if not any(d["state"] == "verified" for d in ctx.tx.all(ctx.ws, "domain")):
        raise Problem("HBR-604", "verify a domain first")
    settings = _settings(ctx)
    now = {**sso, "required": False, "tested": False}
    if _same(settings["sso"], now):
        return ctx.shown(settings, _public(settings["sso"]))
    until = (ctx.tx.now + CONFIRM_WITHIN).isoformat()
    changed = ctx.tx.save(
        settings,
        sso=now,
        history=[*settings["history"][-9:], settings["sso"]],
        unconfirmed_until=until,
    )
    ctx.audit("sso.updated", sso["kind"])
    ctx.effect(hashed(repr(sorted(sso.items())))[:16])
    ctx.track("SSO Configured", kind=sso["kind"])
    return ctx.shown(changed, {**_public(changed["sso"]), "unconfirmed_until": until})


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    states = {"required", "tested"}
    return {k: v for k, v in old.items() if k not in states} == {
        k: v for k, v in new.items() if k not in states
    }


@operation(routes, "GET /v1/sso", id="get_sso", permission=SECURITY)
async def get_sso(ctx: Here) -> dict[str, Any]:
    settings = _settings(ctx)
    more = {"unconfirmed_until": settings["unconfirmed_until"]}
    return ctx.shown(settings, {**_public(settings["sso"]), **more})


@operation(routes, "PUT /v1/sso/saml", id="set_sso_saml", permission=SECURITY,
           fails=("HBR-604", "HBR-701", "HBR-901"))  # fmt: skip
async def set_sso_saml(body: Saml, ctx: Here) -> dict[str, Any]:
    """Reverts itself after 10 minutes unless `confirm_sso` is called."""
    _https("idp_sso_url", body.idp_sso_url)
    try:
        certificate = x509.load_pem_x509_certificate(body.certificate.encode())
    except ValueError as failure:
        raise Problem("invalid", "certificate: is not a PEM certificate") from failure
    if certificate.not_valid_after_utc <= ctx.tx.now.astimezone(UTC):
        raise Problem("invalid", f"certificate: expired on {certificate.not_valid_after_utc:%F}")
    ends = certificate.not_valid_after_utc.isoformat()
    return _configured(ctx, {"kind": "saml", **body.model_dump(), "certificate_expires": ends})


@operation(routes, "PUT /v1/sso/oidc", id="set_sso_oidc", permission=SECURITY,
           fails=("HBR-604", "HBR-701", "HBR-901"))  # fmt: skip
async def set_sso_oidc(body: Oidc, ctx: Here) -> dict[str, Any]:
    """Reverts itself after 10 minutes unless `confirm_sso` is called."""
    _https("issuer", body.issuer)
    return _configured(ctx, {"kind": "oidc", **body.model_dump()})


@operation(routes, "POST /v1/sso/test", id="test_sso", permission=SECURITY,
           fails=("HBR-601",))  # fmt: skip
async def test_sso(ctx: Here) -> dict[str, Any]:
    """A test login: in the sandbox it succeeds for every provider that is set."""
    settings = _settings(ctx)
    if settings["sso"]["kind"] == "none":
        raise Problem("conflict", "set up single sign-on first")
    changed = ctx.tx.save(settings, sso={**settings["sso"], "tested": True})
    return ctx.shown(changed, {"ok": True, "kind": changed["sso"]["kind"]})


@operation(routes, "POST /v1/sso/confirm", id="confirm_sso", permission=SECURITY)
async def confirm_sso(ctx: Here) -> dict[str, Any]:
    changed = ctx.tx.save(_settings(ctx), unconfirmed_until=None)
    return ctx.shown(changed, _public(changed["sso"]))


@operation(routes, "PUT /v1/sso/required", id="require_sso", permission=SECURITY)
async def require_sso(body: Required, ctx: Here) -> dict[str, Any]:
    """Needs a successful test login; the owner keeps a way in."""
    settings = _settings(ctx)
    if body.required and not settings["sso"]["tested"]:
        raise Problem("conflict", "test the sign-in first")
    changed = ctx.tx.save(settings, sso={**settings["sso"], "required": body.required})
    ctx.effect(str(body.required))
    return ctx.shown(changed, _public(changed["sso"]))


@operation(routes, "POST /v1/sso/restore", id="restore_sso", permission=SECURITY,
           idempotent=True)  # fmt: skip
async def restore_sso(ctx: Here) -> dict[str, Any]:
    """Back to the configuration before the last change."""
    settings = _settings(ctx)
    if not settings["history"]:
        raise Problem("conflict", "there is no earlier configuration")
    *earlier, before = settings["history"]
    changed = ctx.tx.save(settings, sso=before, history=earlier, unconfirmed_until=None)
    ctx.audit("sso.updated", "restored")
    ctx.effect("restored")
    return ctx.shown(changed, _public(before))


# --- SCIM ---------------------------------------------------------------------------------------


def _scim_tokens(ctx: Ctx) -> list[Object]:
    return [t for t in ctx.tx.all(ctx.ws, "scim_token") if t["state"] == "active"]


@operation(routes, "GET /v1/scim-tokens", id="list_scim_tokens", permission=SECURITY)
async def list_scim_tokens(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    return page([body_of(t) for t in _scim_tokens(ctx)], limit, cursor)


@operation(routes, "POST /v1/scim-tokens", id="create_scim_token", status=201,
           permission=SECURITY, feature="scim", idempotent=True, fails=("HBR-901",))  # fmt: skip
async def create_scim_token(ctx: Here) -> dict[str, Any]:
    """Shown once; two at a time, each for 365 days."""
    if len(_scim_tokens(ctx)) >= MOST_SCIM:
        raise Problem("conflict", "there are two tokens; revoke one first")
    secret = f"hbr_scim_{secrets.token_urlsafe(24)}"
    expires = (ctx.tx.now + SCIM_LASTS).isoformat(timespec="seconds")
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


@operation(routes, "GET /scim/v2/Users", id="scim_list_users", public=True, fails=("HBR-605",))
async def scim_list_users(ctx: Here) -> dict[str, Any]:
    workspace = _scim_workspace(ctx)
    users = [
        {"id": m.id, "userName": m["email"], "displayName": m["name"], "active": True}
        for m in ctx.tx.all(workspace, "member")
    ]
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": len(users), "Resources": users}  # fmt: skip


def _scim_workspace(ctx: Ctx) -> str:
    secret = ctx.request.headers.get("harbor-scim-token", "")
    rows = ctx.tx.db.execute("SELECT workspace, id FROM object WHERE kind='scim_token'").fetchall()
    for row in rows:
        token = ctx.tx.find(row["workspace"], "scim_token", row["id"])
        if token and token["hash"] == hashed(secret) and token["state"] == "active":
            return token.workspace
    raise Problem("HBR-605", "make a new token under Settings > Security > SCIM")


# --- second factor ------------------------------------------------------------------------------


def totp(secret: str, now: datetime, step: int = 0) -> str:
    """RFC 6238: six digits, 30 seconds, SHA-1."""
    counter = int(now.timestamp()) // 30 + step
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", counter), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


@operation(routes, "POST /v1/me/mfa", id="enrol_mfa", status=201)
async def enrol_mfa(ctx: Here) -> dict[str, Any]:
    """A secret for an authenticator app; it counts once a code was confirmed."""
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    mfa = {"enrolled": False, "pending": secret, "wrong": 0, "locked_until": None}
    ctx.tx.save(ctx.me, mfa={**ctx.me["mfa"], **mfa})
    uri = f"otpauth://totp/Harbor:{ctx.me['email']}?secret={secret}&issuer=Harbor"
    return {"secret": secret, "uri": uri}


@operation(routes, "POST /v1/me/mfa/confirm", id="confirm_mfa", fails=("HBR-611", "HBR-612"))
async def confirm_mfa(body: Code, ctx: Here) -> dict[str, Any]:
    mfa = ctx.me["mfa"]
    if mfa.get("locked_until") and datetime.fromisoformat(mfa["locked_until"]) > ctx.tx.now:
        raise Problem("HBR-612", "wait 15 minutes")
    if "pending" not in mfa:
        raise Problem("conflict", "start the enrolment first")
    if body.code not in {totp(mfa["pending"], ctx.tx.now, step) for step in (-1, 0, 1)}:
        raise Problem("HBR-611", "the code is wrong or too old")
    codes = [secrets.token_hex(5) for _ in range(CODES)]
    done = {"enrolled": True, "secret": mfa["pending"], "recovery": [hashed(c) for c in codes]}
    ctx.tx.save(ctx.me, mfa=done)
    ctx.audit("mfa.enabled", ctx.me.id)
    ctx.track("MFA Enrolled")
    return {"recovery_codes": codes}


@operation(routes, "GET /v1/mfa", id="get_mfa", permission=SECURITY)
async def get_mfa(ctx: Here) -> dict[str, Any]:
    settings = _settings(ctx)
    return ctx.shown(settings, dict(settings["mfa"]))


@operation(routes, "PUT /v1/mfa", id="require_mfa", permission=SECURITY,
           feature="require_mfa", fails=("HBR-701", "HBR-901"))  # fmt: skip
async def require_mfa(body: MfaRequirement, ctx: Here) -> dict[str, Any]:
    """After the days of grace nobody signs in without a second factor."""
    settings = _settings(ctx)
    wanted = ctx.request.headers.get("if-match")
    if wanted not in (None, "*", settings.etag):
        raise Problem("HBR-701", "read it again and decide anew")
    if settings["mfa"] == body.model_dump():
        return ctx.shown(settings, dict(settings["mfa"]))
    changed = ctx.tx.save(settings, mfa=body.model_dump())
    ctx.audit("mfa.requirement_changed", str(body.required))
    ctx.effect(f"{body.required}:{body.grace_days}")
    return ctx.shown(changed, dict(changed["mfa"]))


@operation(routes, "POST /v1/members/{member_id}/mfa/reset", id="reset_member_mfa",
           permission=SECURITY)  # fmt: skip
async def reset_member_mfa(member_id: str, ctx: Here) -> dict[str, Any]:
    """Ends sessions; the member enrols at the next login. Deliberately without a key."""
    member = ctx.get("member", member_id)
    if member["role"] == "owner" and ctx.role != "owner":
        raise Problem("forbidden", "an admin cannot reset the owner's second factor")
    ctx.tx.save(member, mfa={"enrolled": False, "reset_at": ctx.tx.stamp})
    for token in ctx.tx.all(NOWHERE, "token"):
        if token.get("member") == member_id and token["kind"] == "session":
            ctx.tx.delete(token)
    ctx.audit("mfa.reset", member_id)
    ctx.effect(member_id)
    return {"id": member_id, "enrolled": False}
