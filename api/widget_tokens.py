"""A widget JWT -> whom the host's backend says is there.

What is believed comes from the key record: algorithm, issuer, audience, origins. Of the token's own
header only `kid` is looked up; a header that says more, or another algorithm, is refused before a
signature is computed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Algorithm = Literal["ES256", "HS256"]
LONGEST_LIFE_S = 3600
"""Between `iat` and `exp`: what is issued for longer is refused (safety reference, 8)."""
TOLERANCE_S = 60
"""How far the clocks of host and server may be apart."""
LEAST_SECRET_BYTES = 32
"""RFC 7518, 3.2: as long as the output of the hash."""
LIVE_KEYS = 2
"""Of one workspace: the one that signs, and the one before or after it."""
LONGEST_TOKEN = 8192
_LONGEST_HEADER = 512
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REGISTRY = {alg: jws.JWSRegistry(algorithms=[alg]) for alg in ("ES256", "HS256")}


class KeyRecordError(ValueError):
    """A key record that must not be used. Says why, never what the key is."""


class TokenError(Exception):
    """A token that is good for nobody; `reason` is for the log, not for who sent it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One key of a workspace's backend, and what its tokens must say.

    `origins` are those of the pages that may exchange them, exactly as browsers send them.
    """

    tenant: str
    workspace: str
    kid: str
    alg: Algorithm
    key: ECKey | OctKey
    issuer: str
    audience: str
    origins: frozenset[str]


@dataclass(frozen=True, slots=True)
class WidgetClaims:
    """What a verified token says, and the key record that it was verified with."""

    key: TokenKey
    jti: str
    subject: str
    account: str
    roles: tuple[str, ...]
    issued: datetime
    expires: datetime
    plan: str = ""
    auth_time: datetime | None = None


def read_key(alg: Algorithm, material: str) -> ECKey | OctKey:
    """PEM or JWK of a public key on P-256, or a secret as text. Raises KeyRecordError."""
    if alg == "HS256":
        return _secret(material)
    try:
        key = ECKey.import_key(material)
    except (JoseError, ValueError, TypeError) as error:
        raise KeyRecordError("an ES256 key is the PEM or JWK of a public key") from error
    if key.is_private:
        raise KeyRecordError("this is a private key: it belongs to the host alone")
    if key.curve_name != "P-256":
        raise KeyRecordError(f"an ES256 key lies on P-256, this one on {key.curve_name}")
    return key


def _secret(material: str) -> OctKey:
    if "-----BEGIN" in material:
        raise KeyRecordError("an HS256 secret is no PEM: a public key is known to everybody")
    if len(material.encode()) < LEAST_SECRET_BYTES:
        raise KeyRecordError(f"an HS256 secret has at least {LEAST_SECRET_BYTES} bytes")
    return OctKey.import_key(material)


class WidgetTokens:
    """Verifies the tokens of every workspace that it has keys of."""

    def __init__(self, keys: Iterable[TokenKey]) -> None:
        """Raises KeyRecordError for keys that cannot stand beside each other."""
        records = tuple(keys)
        self._keys = {(key.tenant, key.kid): key for key in records}
        if len(self._keys) < len(records):
            raise KeyRecordError("two keys of one tenant share a kid")
        live = Counter((key.tenant, key.workspace) for key in records)
        if crowded := [place[1] for place, count in live.items() if count > LIVE_KEYS]:
            raise KeyRecordError(f"workspace {crowded[0]!r} has more than {LIVE_KEYS} live keys")

    def origins(self, tenant: str) -> tuple[str, ...]:
        """Of all workspaces of the tenant, sorted."""
        return tuple(
            sorted({o for key in self._keys.values() if key.tenant == tenant for o in key.origins})
        )

    def has(self, tenant: str, kid: str) -> bool:
        """Whether this key is live."""
        return (tenant, kid) in self._keys

    def verify(self, tenant: str, token: str, now: datetime) -> WidgetClaims:
        """What the token says, if it was signed for this tenant. Raises TokenError."""
        header = _header(token)
        key = self._keys.get((tenant, header.kid))
        if key is None:
            raise TokenError("unknown_key")
        if header.alg != key.alg:
            raise TokenError("wrong_algorithm")
        try:
            signed = jws.deserialize_compact(token, key.key, registry=_REGISTRY[key.alg])
        except JoseError as error:
            raise TokenError("bad_signature") from error
        assert signed.payload is not None
        return _claims(key, signed.payload, now)


class _Header(BaseModel):
    """Nothing else may stand in it: no `crit`, `jwk`, `jku`, `x5u`, `b64`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    alg: str
    kid: str
    typ: Literal["JWT", "jwt"] = "JWT"


_Id = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x20\x7f]+$")]
_Seconds = Annotated[float, Field(ge=0, le=2**40, allow_inf_nan=False)]


class _Payload(BaseModel):
    """The claims that are read; others are the host's own business."""

    model_config = ConfigDict(strict=True, extra="ignore")

    iss: str
    aud: str | list[str]
    sub: _Id
    iat: _Seconds
    exp: _Seconds
    jti: _Id
    account: _Id
    roles: Annotated[list[_Id], Field(max_length=64)]
    nbf: _Seconds = 0.0
    plan: Annotated[str, Field(max_length=200)] = ""
    auth_time: _Seconds | None = None


def _header(token: str) -> _Header:
    if len(token) > LONGEST_TOKEN or not _COMPACT.fullmatch(token):
        raise TokenError("no_token")
    segment = token.partition(".")[0]
    if len(segment) > _LONGEST_HEADER:
        raise TokenError("bad_header")
    try:
        text = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        return _Header.model_validate_json(text)
    except (binascii.Error, ValidationError) as error:
        raise TokenError("bad_header") from error


def _claims(key: TokenKey, payload: bytes, now: datetime) -> WidgetClaims:
    try:
        said = _Payload.model_validate_json(payload)
    except ValidationError as error:
        raise TokenError("bad_claims") from error
    audience = [said.aud] if isinstance(said.aud, str) else said.aud
    if said.iss != key.issuer:
        raise TokenError("wrong_issuer")
    if key.audience not in audience:
        raise TokenError("wrong_audience")
    _check_times(said, now.timestamp())
    return WidgetClaims(
        key=key,
        jti=said.jti,
        subject=said.sub,
        account=said.account,
        roles=tuple(said.roles),
        issued=datetime.fromtimestamp(said.iat, UTC),
        expires=datetime.fromtimestamp(said.exp, UTC),
        plan=said.plan,
        auth_time=None if said.auth_time is None else datetime.fromtimestamp(said.auth_time, UTC),
    )


def _check_times(said: _Payload, now: float) -> None:
    if not 0 < said.exp - said.iat <= LONGEST_LIFE_S:
        raise TokenError("wrong_lifetime")
    if max(said.iat, said.nbf, said.auth_time or 0.0) > now + TOLERANCE_S:
        raise TokenError("not_yet")
    if said.exp + TOLERANCE_S <= now:
        raise TokenError("expired")
