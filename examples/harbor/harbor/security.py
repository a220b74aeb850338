"""Domains, single sign-on, second factor."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from cryptography import x509
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from harbor.context import NOWHERE, Ctx, Here, hashed, page
from harbor.facts import IDENTITY_PROVIDERS, PUBLIC_MAIL
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.requirements import settings_of
from harbor.scim import active_tokens
from harbor.second_factor import confirmed, forget_devices, refused
from harbor.store import Object

routes = APIRouter(tags=["Security"])
SECURITY = "security.manage"
CONFIRM_WITHIN = timedelta(minutes=10)
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
    trusted_devices: bool | None = Field(
        default=None,
        description="Whether a browser may go without a code for 30 days; as it is if left out",
    )


class Code(BaseModel):
    code: str = Field(max_length=20)


def _settings(ctx: Ctx) -> Object:
    """The workspace's security settings, made on first use."""
    return settings_of(ctx.tx, ctx.ws) or ctx.tx.create(
        ctx.ws, "security", "sec",
        {"sso": {"kind": "none", "required": False, "tested": False}, "history": [],
         "unconfirmed_until": None, "mfa_since": None,
         "mfa": {"required": False, "grace_days": 7, "trusted_devices": True}},
        natural="settings",
    )  # fmt: skip


@operation(routes, "GET /v1/security", id="get_security", permission=SECURITY)
async def get_security(ctx: Here) -> dict[str, Any]:
    """What is set, and what is still open."""
    settings = _settings(ctx)
    domains = [d["domain"] for d in ctx.tx.all(ctx.ws, "domain") if d["state"] == "verified"]
    tokens = active_tokens(ctx)
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
    ctx.track("SSO Tested", kind=changed["sso"]["kind"])
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
    ctx.track("SSO Requirement Changed", required=body.required)
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


# --- second factor ------------------------------------------------------------------------------


@operation(routes, "POST /v1/me/mfa", id="enrol_mfa", status=201, before_mfa=True,
           fails=("HBR-611", "HBR-612"))  # fmt: skip
async def enrol_mfa(ctx: Here, body: Code | None = None) -> Any:
    """A secret for an authenticator app; it counts once a code was confirmed. Who has a second
    factor already sends a code of it."""
    if refusal := refused(ctx, body.code if body else None):
        return refusal
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    ctx.tx.save(ctx.me, mfa={**ctx.me["mfa"], "pending": secret})
    uri = f"otpauth://totp/Harbor:{ctx.me['email']}?secret={secret}&issuer=Harbor"
    return {"secret": secret, "uri": uri}


@operation(routes, "POST /v1/me/mfa/confirm", id="confirm_mfa", before_mfa=True,
           fails=("HBR-611", "HBR-612"))  # fmt: skip
async def confirm_mfa(body: Code, ctx: Here) -> Any:
    """Ten recovery codes, each good once; those of before are void."""
    if "pending" not in ctx.me["mfa"]:
        raise Problem("conflict", "start the enrolment first")
    codes = confirmed(ctx, body.code)
    if isinstance(codes, Response):
        return codes
    forget_devices(ctx.tx, ctx.me)
    ctx.audit("mfa.enabled", ctx.me.id)
    ctx.track("MFA Enabled")
    return {"recovery_codes": codes}


@operation(routes, "GET /v1/mfa", id="get_mfa", permission=SECURITY)
async def get_mfa(ctx: Here) -> dict[str, Any]:
    settings = _settings(ctx)
    return ctx.shown(settings, dict(settings["mfa"]))


@operation(routes, "PUT /v1/mfa", id="require_mfa", permission=SECURITY,
           feature="require_mfa", fails=("HBR-701", "HBR-901"))  # fmt: skip
async def require_mfa(body: MfaRequirement, ctx: Here) -> dict[str, Any]:
    """After the days of grace whoever has no second factor can do nothing but set one up."""
    settings = _settings(ctx)
    wanted = ctx.request.headers.get("if-match")
    if wanted not in (None, "*", settings.etag):
        raise Problem("HBR-701", "read it again and decide anew")
    mfa = {**settings["mfa"], **body.model_dump(exclude_none=True)}
    if settings["mfa"] == mfa:
        return ctx.shown(settings, dict(settings["mfa"]))
    since = (settings.get("mfa_since") or ctx.tx.stamp) if body.required else None
    changed = ctx.tx.save(settings, mfa=mfa, mfa_since=since)
    ctx.audit("mfa.requirement_changed", str(body.required))
    ctx.track("MFA Requirement Changed", required=body.required)
    ctx.effect(f"{body.required}:{body.grace_days}")
    return ctx.shown(changed, dict(changed["mfa"]))


@operation(routes, "POST /v1/members/{member_id}/mfa/reset", id="reset_member_mfa",
           permission=SECURITY)  # fmt: skip
async def reset_member_mfa(member_id: str, ctx: Here) -> dict[str, Any]:
    """Ends sessions; the member enrols anew within 24 hours. Deliberately without a key."""
    member = ctx.get("member", member_id)
    if member["role"] == "owner" and ctx.role != "owner":
        raise Problem("forbidden", "an admin cannot reset the owner's second factor")
    kept = {name: member["mfa"][name] for name in ("locked_until",) if name in member["mfa"]}
    if member["mfa"]["enrolled"]:
        kept["reset_at"] = ctx.tx.stamp
    ctx.tx.save(member, mfa={"enrolled": False, **kept})
    forget_devices(ctx.tx, member)
    for token in ctx.tx.all(NOWHERE, "token"):
        if token.get("member") == member_id and token["kind"] == "session":
            ctx.tx.delete(token)
    ctx.audit("mfa.reset", member_id)
    ctx.effect(member_id)
    return {"id": member_id, "enrolled": False}
