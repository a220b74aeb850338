"""The second factor: codes of an authenticator app (RFC 6238), recovery codes, the lock after
wrong ones, trusted devices.

Refusals are returned, not raised: raising takes back the transaction, and with it the count of
wrong codes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from datetime import datetime, timedelta
from typing import Any

from fastapi import Response

from harbor.context import NOWHERE, Ctx, hashed
from harbor.operations import problem_response
from harbor.problems import Problem
from harbor.requirements import may_trust_devices
from harbor.store import Object, Tx

STEP_S = 30
TOLERANCE = (-1, 0, 1)
LOCKED_FOR = timedelta(minutes=15)
MOST_WRONG = 10
CODES = 10
TRUSTED_FOR = timedelta(days=30)
COOKIE = "harbor_device"


def totp(secret: str, step: int) -> str:
    """Six digits, SHA-1."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def recovery_codes() -> list[str]:
    return [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(CODES)]


def plain(code: str) -> str:
    """As its hash is kept: with or without the dash is the same code."""
    return code.replace("-", "").replace(" ", "").lower()


# --- codes --------------------------------------------------------------------------------------


def refused(ctx: Ctx, code: str | None) -> Response | None:
    """None where the code is right, or the member has no second factor. Uses the code up."""
    mfa = ctx.me["mfa"]
    if not mfa["enrolled"]:
        return None
    if locked := _locked(ctx):
        return locked
    if not code:
        return problem_response(Problem("HBR-611", "send code: six digits, or a recovery code"))
    used = _used(ctx, mfa, plain(code))
    if used is None:
        return _wrong(ctx)
    kept = {name: value for name, value in mfa.items() if name not in ("wrong", "locked_until")}
    ctx.member = ctx.tx.save(ctx.me, mfa={**kept, **used})
    return None


def confirmed(ctx: Ctx, code: str) -> Response | list[str]:
    """The recovery codes of an enrolment that this code completes, or the refusal."""
    if locked := _locked(ctx):
        return locked
    pending = ctx.me["mfa"]["pending"]
    step = _step(ctx, pending, plain(code))
    if step is None:
        return _wrong(ctx)
    codes = recovery_codes()
    ctx.member = ctx.tx.save(ctx.me, mfa={
        "enrolled": True, "secret": pending, "used_step": step,
        "recovery": [hashed(plain(each)) for each in codes],
    })  # fmt: skip
    return codes


def _used(ctx: Ctx, mfa: dict[str, Any], code: str) -> dict[str, Any] | None:
    """What the code leaves behind; None for a wrong one."""
    step = _step(ctx, mfa["secret"], code)
    if step is not None and step > mfa.get("used_step", 0):  # each once (RFC 6238, 5.2)
        return {"used_step": step}
    left = [kept for kept in mfa["recovery"] if kept != hashed(code)]
    return {"recovery": left} if len(left) < len(mfa["recovery"]) else None


def _step(ctx: Ctx, secret: str, code: str) -> int | None:
    now = int(ctx.tx.now.timestamp()) // STEP_S
    for step in (now + each for each in TOLERANCE):
        if hmac.compare_digest(totp(secret, step).encode(), code.encode()):
            return step
    return None


def _wrong(ctx: Ctx) -> Response:
    mfa = ctx.me["mfa"]
    wrong = mfa.get("wrong", 0) + 1
    if wrong < MOST_WRONG:
        ctx.member = ctx.tx.save(ctx.me, mfa={**mfa, "wrong": wrong})
        return problem_response(Problem("HBR-611", "the code is wrong, too old or used before"))
    until = (ctx.tx.now + LOCKED_FOR).isoformat()
    ctx.member = ctx.tx.save(ctx.me, mfa={**mfa, "wrong": 0, "locked_until": until})
    return _locked(ctx) or problem_response(Problem("HBR-612"))


def _locked(ctx: Ctx) -> Response | None:
    until = ctx.me["mfa"].get("locked_until")
    left = (datetime.fromisoformat(until) - ctx.tx.now).total_seconds() if until else 0
    if left <= 0:
        return None
    problem = Problem("HBR-612", "too many wrong codes; wait 15 minutes", retry_after=round(left))
    return problem_response(problem)


# --- trusted devices ----------------------------------------------------------------------------


def trust(ctx: Ctx) -> None:
    """This browser is asked for no code for 30 days, where the workspace allows it."""
    if not may_trust_devices(ctx) or not ctx.me["mfa"]["enrolled"]:
        return
    secret = f"hbr_dev_{secrets.token_urlsafe(24)}"
    expires = (ctx.tx.now + TRUSTED_FOR).isoformat()
    ctx.tx.create(NOWHERE, "device", "dev", {"member": ctx.me.id, "expires": expires},
                  natural=hashed(secret))  # fmt: skip
    ctx.cookie(COOKIE, secret, TRUSTED_FOR)


def is_trusted(ctx: Ctx) -> bool:
    secret = ctx.request.cookies.get(COOKIE)
    found = ctx.tx.natural(NOWHERE, "device", hashed(secret)) if secret else None
    if found is None or found["member"] != ctx.me.id or not may_trust_devices(ctx):
        return False
    return datetime.fromisoformat(found["expires"]) > ctx.tx.now


def forget_devices(tx: Tx, member: Object) -> None:
    for device in tx.all(NOWHERE, "device"):
        if device["member"] == member.id:
            tx.delete(device)
