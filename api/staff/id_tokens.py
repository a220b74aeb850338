"""An ID token -> who signed in at the provider, and in which roles.

What is believed comes from the client record: issuer, audience, algorithm. Of the token's own
header only `kid` is looked up; one that brings a key or an extension along is refused unread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from tools.flows.values import at

Algorithm = Literal["RS256", "PS256", "ES256"]
TOLERANCE_S = 60
"""How far the clocks of provider and server may be apart."""
OLDEST_S = 600
"""Since `iat`: the token is fetched right after it was made."""
LONGEST_TOKEN = 16_384
LEAST_RSA_BITS = 2048
"""NIST SP 800-131A."""
MOST_KEYS = 32
"""Of a key set; two are usual."""
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REGISTRY = {alg: jws.JWSRegistry(algorithms=[alg]) for alg in ("RS256", "PS256", "ES256")}
_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class IdTokenError(Exception):
    """A token that is good for nobody; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKeyError(IdTokenError):
    """No key of the set has this `kid`: it may be newer than our copy of the set."""


@dataclass(frozen=True, slots=True)
class Client:
    """What we are at the provider. `roles` is a JSON pointer to the claim that names them."""

    issuer: str
    client_id: str
    redirect_uri: str
    algorithm: Algorithm = "RS256"
    roles: str = "/roles"
    scopes: str = "openid"
    secret: str = ""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A public key of the provider that signs with the pinned algorithm."""

    kid: str
    key: RSAKey | ECKey


@dataclass(frozen=True, slots=True)
class Expected:
    """What this one sign-in makes the token say."""

    nonce: str
    access_token: str
    now: datetime


@dataclass(frozen=True, slots=True)
class IdClaims:
    """What a verified token says."""

    subject: str
    roles: tuple[str, ...]
    auth_time: datetime | None


def read_keys(key_set: JsonValue, algorithm: Algorithm) -> tuple[ProviderKey, ...]:
    """The keys of a JWKS that fit the algorithm; others are passed over, as RFC 7517 5 wants."""
    listed = key_set.get("keys") if isinstance(key_set, dict) else None
    found = listed[:MOST_KEYS] if isinstance(listed, list) else []
    keys = (_key(each, algorithm) for each in found if isinstance(each, dict))
    return tuple(key for key in keys if key is not None)


def _key(said: dict[str, Any], algorithm: Algorithm) -> ProviderKey | None:
    fits = said.get("use", "sig") == "sig" and said.get("alg", algorithm) == algorithm
    kind = "EC" if algorithm == "ES256" else "RSA"
    if not fits or said.get("kty") != kind or "d" in said:
        return None
    try:
        key = ECKey.import_key(said) if kind == "EC" else RSAKey.import_key(said)
    except (JoseError, ValueError, TypeError):
        return None
    small = isinstance(key, RSAKey) and key.raw_value.key_size < LEAST_RSA_BITS
    if small or (isinstance(key, ECKey) and key.curve_name != "P-256"):
        return None
    return ProviderKey(str(said.get("kid", "")), key)


class _Header(BaseModel):
    """Nothing else may stand in it: no `crit`, `jwk`, `jku`, `x5u`, `x5c`, `b64`. The thumbprints
    name a certificate and are not looked at."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=True)

    alg: str
    kid: str = ""
    typ: Literal["JWT", "jwt"] = "JWT"
    x5t: str = ""
    x5t_s256: str = Field(default="", alias="x5t#S256")


_Seconds = Annotated[float, Field(ge=0, le=2**40, allow_inf_nan=False)]


class _Payload(BaseModel):
    """The claims that are read, beside the roles."""

    model_config = ConfigDict(strict=True, extra="ignore")

    iss: str
    sub: Annotated[str, Field(max_length=255, pattern=r"^[\x21-\x7e]+$")]
    aud: str | Annotated[list[str], Field(min_length=1, max_length=16)]
    exp: _Seconds
    iat: _Seconds
    nonce: str
    nbf: _Seconds = 0.0
    azp: str | None = None
    at_hash: str | None = None
    auth_time: _Seconds | None = None


def verify(token: str, keys: Sequence[ProviderKey], client: Client, expected: Expected) -> IdClaims:
    """Raises IdTokenError."""
    header = _header(token)
    if header.alg != client.algorithm:
        raise IdTokenError("wrong_algorithm")
    key = _chosen(keys, header.kid)
    try:
        signed = jws.deserialize_compact(token, key.key, registry=_REGISTRY[client.algorithm])
    except JoseError as error:
        raise IdTokenError("bad_signature") from error
    assert signed.payload is not None
    return _claims(signed.payload, client, expected)


def _header(token: str) -> _Header:
    if len(token) > LONGEST_TOKEN or not _COMPACT.fullmatch(token):
        raise IdTokenError("no_token")
    segment = token.partition(".")[0]
    try:
        text = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        return _Header.model_validate_json(text)
    except (binascii.Error, ValidationError) as error:
        raise IdTokenError("bad_header") from error


def _chosen(keys: Sequence[ProviderKey], kid: str) -> ProviderKey:
    """OpenID Connect Core, 10.1: a header without `kid` is good where there is one key only."""
    named = [key for key in keys if key.kid == kid] if kid else list(keys)
    if len(named) != 1:
        raise UnknownKeyError("unknown_key")
    return named[0]


def _claims(payload: bytes, client: Client, expected: Expected) -> IdClaims:
    try:
        said = _Payload.model_validate_json(payload)
        everything = _OBJECT.validate_json(payload)
    except ValidationError as error:
        raise IdTokenError("bad_claims") from error
    _check_parties(said, client)
    _check_times(said, expected.now.timestamp())
    if not hmac.compare_digest(said.nonce.encode(), expected.nonce.encode()):
        raise IdTokenError("wrong_nonce")
    if said.at_hash is not None and not _hashes(said.at_hash, expected.access_token):
        raise IdTokenError("wrong_access_token")
    signed_in = said.auth_time
    return IdClaims(
        subject=said.sub,
        roles=_roles(at(everything, client.roles)),
        auth_time=None if signed_in is None else datetime.fromtimestamp(signed_in, UTC),
    )


def _check_parties(said: _Payload, client: Client) -> None:
    """OpenID Connect Core, 3.1.3.7: a token for several parties names the one it was given to."""
    audience = [said.aud] if isinstance(said.aud, str) else said.aud
    if said.iss != client.issuer:
        raise IdTokenError("wrong_issuer")
    if client.client_id not in audience:
        raise IdTokenError("wrong_audience")
    if said.azp != client.client_id and (said.azp is not None or len(audience) > 1):
        raise IdTokenError("wrong_party")


def _check_times(said: _Payload, now: float) -> None:
    if max(said.iat, said.nbf, said.auth_time or 0.0) > now + TOLERANCE_S:
        raise IdTokenError("not_yet")
    if said.exp + TOLERANCE_S <= now or said.iat + OLDEST_S <= now:
        raise IdTokenError("expired")


def _hashes(at_hash: str, access_token: str) -> bool:
    """The left half of the SHA-256, as all our algorithms have it."""
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    wanted = base64.urlsafe_b64encode(half).rstrip(b"=")
    return hmac.compare_digest(at_hash.encode(), wanted)


def _roles(said: object) -> tuple[str, ...]:
    listed = [said] if isinstance(said, str) else said
    if not isinstance(listed, list):
        return ()
    return tuple(each for each in listed if isinstance(each, str))
