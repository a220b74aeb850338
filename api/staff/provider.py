"""The identity provider: what it says of itself, its keys, and a code in exchange for an ID token.

    discovery ─> endpoints        kept for an hour, and longer while the provider is away
    JWKS      ─> keys             fetched again for a `kid` that is not in our copy
    code      ─> ID token         verified before anything of it is believed

Whatever fails is not asked again before a pause, which doubles.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, NamedTuple
from urllib.parse import quote, urlencode

import structlog
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from api.errors import IdentityUnavailableError
from api.staff.id_tokens import (
    Client,
    Expected,
    IdClaims,
    IdTokenError,
    ProviderKey,
    UnknownKeyError,
    read_keys,
    verify,
)
from tools.http import Incoming, OutboundError, Outgoing

KEPT_S = 3600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
TIMEOUT_S = 5.0
Send = Callable[[Outgoing], Awaitable[Incoming]]
"""Such as `Outbound.send`. Raises OutboundError."""
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_log = structlog.get_logger(__name__)


class Metadata(BaseModel):
    """Of OpenID Connect Discovery, 3: what we use."""

    model_config = ConfigDict(extra="ignore")

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: list[str] = Field(default_factory=lambda: ["code"])
    id_token_signing_alg_values_supported: list[str]
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id_token: Annotated[str, Field(max_length=20_000)]
    access_token: Annotated[str, Field(max_length=20_000)] = ""


class Ports(NamedTuple):
    """`timer` is monotonic, in seconds."""

    send: Send
    timer: Callable[[], float]


class Pace:
    """When something that failed may be tried again."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._pause_s = FIRST_PAUSE_S
        self._not_before = float("-inf")

    def is_due(self) -> bool:
        return self._timer() >= self._not_before

    def failed(self) -> None:
        self._not_before = self._timer() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def succeeded(self) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._not_before = float("-inf")


class Provider:
    """One provider. Raises IdentityUnavailableError where it does not answer as it should."""

    def __init__(self, client: Client, ports: Ports) -> None:
        self._client = client
        self._ports = ports
        self._found: Metadata | None = None
        self._keys: tuple[ProviderKey, ...] = ()
        self._until = 0.0
        self._pace = Pace(ports.timer)
        self._key_pace = Pace(ports.timer)

    async def metadata(self) -> Metadata:
        fresh = self._found is not None and self._ports.timer() < self._until
        if self._found is not None and (fresh or not self._pace.is_due()):
            return self._found
        if not self._pace.is_due():
            raise IdentityUnavailableError("the identity provider is asked again later")
        try:
            self._found = await self._discovered()
        except IdentityUnavailableError:
            self._pace.failed()
            if self._found is None:
                raise
        else:
            self._pace.succeeded()
            self._until = self._ports.timer() + KEPT_S
        return self._found

    async def _discovered(self) -> Metadata:
        address = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
        answer = await self._asked(Outgoing("GET", address, _ACCEPT, timeout_s=TIMEOUT_S))
        try:
            found = Metadata.model_validate_json(answer.body)
        except ValidationError as error:
            raise _unusable("discovery_malformed") from error
        if found.issuer != self._client.issuer:
            raise _unusable("discovery_names_another_issuer")
        if self._client.algorithm not in found.id_token_signing_alg_values_supported:
            raise _unusable("algorithm_not_offered")
        if "S256" not in (found.code_challenge_methods_supported or ["S256"]):
            raise _unusable("pkce_not_offered")
        if "code" not in found.response_types_supported:
            raise _unusable("code_flow_not_offered")
        return found

    async def exchange(self, code: str, verifier: str, nonce: str, now: datetime) -> IdClaims:
        """Raises IdTokenError: `code_refused`, or why its token is not believed."""
        found = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {**_ACCEPT, "content-type": "application/x-www-form-urlencoded"}
        if self._client.secret:
            headers["authorization"] = _basic(self._client.client_id, self._client.secret)
        else:
            form["client_id"] = self._client.client_id
        sent = Outgoing("POST", found.token_endpoint, headers, urlencode(form).encode(), TIMEOUT_S)
        answer = await self._asked(sent, refusals=True)
        if answer.status != HTTPStatus.OK:
            raise IdTokenError("code_refused")
        try:
            tokens = _Tokens.model_validate_json(answer.body)
        except ValidationError as error:
            raise IdTokenError("no_token") from error
        return await self._verified(tokens, Expected(nonce, tokens.access_token, now))

    async def _verified(self, tokens: _Tokens, expected: Expected) -> IdClaims:
        if not self._keys:
            await self._fetch_keys()
        try:
            claims = verify(tokens.id_token, self._keys, self._client, expected)
        except UnknownKeyError:
            if not self._key_pace.is_due():
                raise
            await self._fetch_keys()
            claims = verify(tokens.id_token, self._keys, self._client, expected)
        self._key_pace.succeeded()
        return claims

    async def _fetch_keys(self) -> None:
        """Counts as failed until a token was verified with what came."""
        if not self._key_pace.is_due():
            raise IdentityUnavailableError("the provider's keys are asked for again later")
        self._key_pace.failed()
        address = (await self.metadata()).jwks_uri
        answer = await self._asked(Outgoing("GET", address, _ACCEPT, timeout_s=TIMEOUT_S))
        try:
            keys = read_keys(_JSON.validate_json(answer.body), self._client.algorithm)
        except ValidationError as error:
            raise _unusable("keys_malformed") from error
        if not keys:
            raise _unusable("no_key_of_our_algorithm")
        self._keys = keys

    async def _asked(self, out: Outgoing, *, refusals: bool = False) -> Incoming:
        try:
            answer = await self._ports.send(out)
        except OutboundError as error:
            _log.warning("staff.provider_silent", reason=error.code)
            raise IdentityUnavailableError(error.code) from error
        refused = refusals and answer.status in _REFUSED
        if answer.status != HTTPStatus.OK and not refused:
            raise _unusable(f"status_{answer.status}")
        return answer


_ACCEPT = {"accept": "application/json"}
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def _unusable(reason: str) -> IdentityUnavailableError:
    _log.warning("staff.provider_unusable", reason=reason)
    return IdentityUnavailableError(reason)


def _basic(client_id: str, secret: str) -> str:
    """RFC 6749, 2.3.1: both form-encoded first."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
