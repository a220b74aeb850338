"""A small OpenID provider: real keys, real codes, PKCE checked, each code good once."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.api.minting import base64url, encoded

CLIENT_ID, CLIENT_SECRET = "embark", "a secret: with % and +"
PAIR = base64.b64encode(b"embark:a%20secret%3A%20with%20%25%20and%20%2B").decode()


@dataclass(frozen=True)
class SigningKey:
    """RS256 unless its key lies on a curve."""

    kid: str
    private: Any = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def jwk(self) -> dict[str, Any]:
        numbers = self.private.public_key().public_numbers()
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            x, y = base64url(numbers.x.to_bytes(32)), base64url(numbers.y.to_bytes(32))
            return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid, "use": "sig"}
        n = base64url(numbers.n.to_bytes(self.private.key_size // 8))
        return {"kty": "RSA", "n": n, "e": "AQAB", "kid": self.kid, "use": "sig", "alg": "RS256"}

    def signature(self, content: bytes) -> bytes:
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(content, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        return bytes(self.private.sign(content, padding.PKCS1v15(), hashes.SHA256()))

    def signed(self, header: Any, body: Any) -> str:
        content = f"{encoded(header)}.{encoded(body)}"
        return f"{content}.{base64url(self.signature(content.encode()))}"


FIRST = SigningKey("k1")  # making one takes a quarter of a second


@dataclass
class Grant:
    """What a code stands for."""

    challenge: str
    redirect_uri: str
    nonce: str
    used: bool = False


class Place:
    """A provider's server, on a thread of its own: what it is, each test says anew."""

    def __init__(self) -> None:
        self.idp: Idp | None = None
        listener = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(self._app, interface="asgi3", log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.idp is not None
        await self.idp.app()(scope, receive, send)

    def __enter__(self) -> Place:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@dataclass
class Idp:
    """Signs in whoever comes, as `subject` with `roles`. `forge` makes another token of the claims
    and the right one; `down` makes it answer nothing but 503."""

    clock: Callable[[], datetime]
    issuer: str = ""
    subject: str = "7f3a"
    roles: Any = field(default_factory=lambda: ["approver"])
    keys: list[SigningKey] = field(default_factory=lambda: [FIRST])
    login_age_s: float | None = 5.0
    forge: Callable[[dict[str, Any], SigningKey], str] | None = None
    down: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)

    def rotate(self) -> None:
        """A new key signs from now on; the old one stays in the set."""
        self.keys.append(SigningKey(f"k{len(self.keys) + 1}"))

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    def _answer(self, request: Request, body: Any) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse({}, 503) if self.down else JSONResponse(body)

    async def _discovery(self, request: Request) -> Response:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            **self.metadata,
        }
        return self._answer(request, said)

    async def _jwks(self, request: Request) -> Response:
        return self._answer(request, {"keys": [key.jwk for key in self.keys]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.seen.append(asked)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["client_id"] == CLIENT_ID
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(
            asked["code_challenge"], asked["redirect_uri"], asked.get("nonce", "")
        )
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}")

    async def _token(self, request: Request) -> Response:
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        self.asked.append(request.url.path)
        if self.down:
            return JSONResponse({}, 503)
        if request.headers.get("authorization") != f"Basic {PAIR}":
            return JSONResponse({"error": "invalid_client"}, 401)
        grant = self.grants.get(form.get("code", ""))
        proof = base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        given = (proof, form.get("redirect_uri"))
        if grant is None or grant.used or given != (grant.challenge, grant.redirect_uri):
            return JSONResponse({"error": "invalid_grant"}, 400)
        grant.used = True
        access = secrets.token_urlsafe(16)
        claims = self.claims(grant.nonce, access)
        key = self.keys[-1]
        token = self.forge(claims, key) if self.forge else self.token(claims)
        return JSONResponse({"access_token": access, "token_type": "Bearer", "id_token": token})

    def claims(self, nonce: str, access: str) -> dict[str, Any]:
        now = self.clock().timestamp()
        signed_in = {} if self.login_age_s is None else {"auth_time": int(now - self.login_age_s)}
        return {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT_ID,
            "exp": int(now) + 300,
            "iat": int(now),
            "nonce": nonce,
            "at_hash": base64url(hashlib.sha256(access.encode()).digest()[:16]),
            "roles": self.roles,
            "name": "Ada of the Staff",
            **signed_in,
        }

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        key = self.keys[-1]
        return key.signed({"alg": "RS256", "kid": key.kid, "typ": "JWT", **header}, claims)


def decoded(token: str) -> dict[str, Any]:
    segment = token.split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    )
    return found
