"""What a workspace requires of its people at sign-in: single sign-on, a second factor."""

from __future__ import annotations

from datetime import datetime, timedelta

from harbor.context import Ctx
from harbor.facts import IDENTITY_PROVIDERS
from harbor.store import Object, Tx

RESET_GRACE = timedelta(hours=24)


def settings_of(tx: Tx, workspace: str) -> Object | None:
    """The security settings; an unconfirmed change of single sign-on goes back by itself."""
    found = tx.natural(workspace, "security", "settings")
    until = found["unconfirmed_until"] if found else None
    if found is None or until is None or datetime.fromisoformat(until) > tx.now:
        return found
    *earlier, before = found["history"]
    return tx.save(found, sso=before, history=earlier, unconfirmed_until=None)


def needs_sso(ctx: Ctx) -> bool:
    """Whether passwords are no way in. The owner's always is."""
    if ctx.role == "owner" or IDENTITY_PROVIDERS[ctx.plan.name] == 0:
        return False
    settings = settings_of(ctx.tx, ctx.ws)
    return settings is not None and bool(settings["sso"]["required"])


def mfa_due(ctx: Ctx) -> datetime | None:
    """When this member must have a second factor; None where there is one, or none is asked."""
    mfa = ctx.me["mfa"]
    if mfa["enrolled"]:
        return None
    found = [_required_from(ctx)]
    if "reset_at" in mfa:
        found.append(datetime.fromisoformat(mfa["reset_at"]) + RESET_GRACE)
    return min((at for at in found if at is not None), default=None)


def _required_from(ctx: Ctx) -> datetime | None:
    """The grace is counted from the requirement, for whoever came later from joining."""
    settings = settings_of(ctx.tx, ctx.ws)
    if settings is None or "require_mfa" not in ctx.plan.features:
        return None
    if not settings["mfa"]["required"]:
        return None
    since = max(settings.get("mfa_since") or settings.changed, ctx.me.created)
    return datetime.fromisoformat(since) + timedelta(days=settings["mfa"]["grace_days"])


def may_trust_devices(ctx: Ctx) -> bool:
    settings = settings_of(ctx.tx, ctx.ws)
    return settings is None or bool(settings["mfa"].get("trusted_devices", True))
