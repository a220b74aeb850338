"""A host's backend that signs widget tokens, and whoever tries to sign them in its place."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.widget_tokens import Algorithm, TokenKey, WidgetTokens, read_key

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TENANT, WORKSPACE = "acme", "w1"
ISSUER, AUDIENCE, ORIGIN = "https://backend.example", "embark:w1", "https://app.example"
SECRET = "a shared secret of well over 32 bytes"


@dataclass(frozen=True)
class Signer:
    """One key that signs."""

    kid: str
    alg: Algorithm = "ES256"
    secret: str = SECRET
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def pem(self) -> str:
        form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return self.private.public_key().public_bytes(*form).decode()

    def record(self, tenant: str = TENANT, **changed: Any) -> TokenKey:
        material = self.pem if self.alg == "ES256" else self.secret
        said: dict[str, Any] = {
            "tenant": tenant,
            "workspace": WORKSPACE,
            "kid": self.kid,
            "alg": self.alg,
            "key": read_key(self.alg, material),
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "origins": frozenset({ORIGIN}),
        }
        return TokenKey(**{**said, **changed})

    def signature(self, content: bytes) -> bytes:
        return self.by_key(content) if self.alg == "ES256" else by_secret(self.secret, content)

    def by_key(self, content: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def token(self, jti: str = "j1", now: datetime = NOW, **changed: Any) -> str:
        return self.signed(self.header(), payload(jti, now, **changed))

    def header(self, **changed: Any) -> dict[str, Any]:
        return {"alg": self.alg, "kid": self.kid, "typ": "JWT", **changed}

    def signed(self, header: Any, body: Any) -> str:
        content = f"{encoded(header)}.{encoded(body)}"
        return f"{content}.{base64url(self.signature(content.encode()))}"


def payload(jti: str, now: datetime = NOW, **changed: Any) -> dict[str, Any]:
    """The claims; one that is changed to None is left out."""
    issued = int(now.timestamp())
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "usr_1",
        "account": "ws_1",
        "roles": ["admin"],
        "iat": issued,
        "exp": issued + 900,
        "jti": jti,
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def by_secret(secret: str | bytes, content: bytes) -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(key, content, "sha256")


def encoded(value: Any) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PUBLIC = Signer("key-1")
SHARED = Signer("key-2", "HS256")


def verifier(*more: TokenKey) -> WidgetTokens:
    """Two live keys of one workspace, one of each kind."""
    return WidgetTokens([PUBLIC.record(), SHARED.record(), *more])
