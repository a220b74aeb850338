"""Canonical JSON (RFC 8785), digests over it, and ids.

Floats are refused: `rfc8785` would accept them, but their text differs between languages. Integers
beyond 2^53 travel as strings (I-JSON, RFC 7493).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping

import rfc8785
from pydantic import JsonValue

from tools.types import Principal, Tier, ToolCall

DIGEST_VERSION = 1
LARGEST = 2**53 - 1
_WHOLE = (int, bool)


class NotCanonicalError(ValueError):
    """The value has no canonical form; says where and why."""


def canonical(value: JsonValue | Mapping[str, JsonValue]) -> bytes:
    """RFC 8785 bytes. Raises NotCanonicalError on floats, large integers and lone surrogates."""
    if _plain(value):  # then the standard library's form is the canonical one, five times as fast
        return _encode(value).encode()
    _check(value, "$")
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as failure:
        raise NotCanonicalError(str(failure)) from failure


_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def _plain(value: object) -> bool:
    """Nothing that the two could see apart: ASCII names, integers in range, no subclasses."""
    if isinstance(value, str):
        return type(value) is str and value.isascii()
    if isinstance(value, dict):
        return (
            type(value) is dict
            and all(type(name) is str and name.isascii() for name in value)
            and all(map(_plain, value.values()))
        )
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or (type(value) in _WHOLE and -LARGEST <= value <= LARGEST)  # type: ignore[operator]


def _check(value: object, where: str) -> None:
    match value:
        case bool() | None | str():
            return
        case float():
            raise NotCanonicalError(f"{where}: floats have no canonical form; send it as text")
        case int() if abs(value) > LARGEST:
            raise NotCanonicalError(f"{where}: beyond 2^53; send it as text")
        case Mapping():
            for name, inner in value.items():
                _check(inner, f"{where}.{name}")
        case list() | tuple():
            for place, inner in enumerate(value):
                _check(inner, f"{where}[{place}]")


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sha256(data: bytes) -> str:
    """Unpadded base64url, 43 characters."""
    return b64url(hashlib.sha256(data).digest())


def new_id() -> str:
    """128 random bits as 22 characters."""
    return b64url(secrets.token_bytes(16))


def digest_of(  # noqa: PLR0913  # the fields of the digest, by name
    *,
    who: Principal,
    call: ToolCall,
    etag: str | None,
    policy_version: str,
    tier: Tier,
    nonce: str,
    expires: str,
) -> str:
    """What an approval is bound to: every field of which a change voids it.

    `expires` is ISO 8601 in UTC with microseconds, as stored.
    """
    return sha256(
        canonical(
            {
                "v": DIGEST_VERSION,
                "tenant": who.tenant,
                "actor": who.subject,
                "account": who.account,
                "tool": call.tool,
                "tool_version": call.version,
                "args": dict(call.arguments),
                "target_etag": etag,
                "policy_version": policy_version,
                "risk": int(tier),
                "nonce": nonce,
                "expires": expires,
            }
        )
    )
