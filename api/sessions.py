"""A widget JWT, once, -> an opaque credential that then serves as Bearer, until it is revoked.

Only the SHA-256 of a credential is kept. A part of the credential is a hash over the origin that it
was given to, so that use from elsewhere is refused without asking the store; who it stands for, the
store alone says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, NamedTuple, Protocol

import structlog
from fastapi import APIRouter, Depends, Header, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.errors import NotHereError
from api.identity import SignInError
from api.openapi import problem
from api.schemas import Wire
from api.widget_tokens import TOLERANCE_S, TokenError, WidgetClaims, WidgetTokens
from tools.types import Actor, Principal

CREDENTIAL_PREFIX = "ems_"
"""So that it is never taken for a token of the host, and scanners of leaked secrets find it."""
SECRET_BYTES = 32
LIFE = timedelta(minutes=30)
KEPT = timedelta(seconds=2 * TOLERANCE_S)
"""How long after its `exp` a token is remembered: until no server's clock takes it any more."""
INVALID = 'Bearer error="invalid_token"'
_TAG_BYTES = 16
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """Whom a credential stands for, and the origin that it was given to."""

    tenant: str
    workspace: str
    kid: str
    subject: str
    account: str
    roles: tuple[str, ...]
    plan: str
    auth_time: datetime | None
    origin: str
    expires: datetime


class Spent(NamedTuple):
    """A token that has been exchanged. `token` is a hash over issuer and jti."""

    token: str
    issued: datetime
    until: datetime


class SessionStore(Protocol):
    """Sessions by the SHA-256 of their credential, and the tokens that were exchanged for them.

    Raises OperationalError where a database does not answer: then nobody is let in.
    """

    async def open(self, digest: str, session: Session, spent: Spent, now: datetime) -> bool:
        """False, and nothing is kept, when that token was exchanged before. One step: of any
        number at the same time, one wins."""
        ...

    async def find(self, tenant: str, digest: str, now: datetime) -> Session | None:
        """None when there is none, or its time is over."""
        ...

    async def close(self, tenant: str, digest: str) -> bool:
        """Whether there was one."""
        ...

    async def close_all(self, tenant: str, subject: str) -> int:
        """How many of this person's are over now."""
        ...

    async def count(self, tenant: str, subject: str) -> int:
        """How many this person has, swept or not."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What the widget is given. `credential` is said once and kept nowhere."""

    credential: str
    expires: datetime


class SessionDesk:
    """Exchanges tokens, and says who a credential stands for: an `api.Identify`."""

    def __init__(
        self,
        tenant: str,
        tokens: WidgetTokens,
        store: SessionStore,
        rights: Mapping[str, frozenset[str]],
        ports: DeskPorts,
    ) -> None:
        """`rights` are those of each role; a role that is not in it grants nothing."""
        self._tenant = tenant
        self._tokens = tokens
        self._store = store
        self._rights = rights
        self._ports = ports

    @property
    def origins(self) -> tuple[str, ...]:
        """The pages that may call from a browser, exactly."""
        return self._tokens.origins(self._tenant)

    async def exchange(self, token: str, origin: str | None) -> Opened:
        """Raises SignInError: `token_invalid`, `token_replayed`, `wrong_origin`."""
        now = self._ports.clock()
        try:
            claims = self._tokens.verify(self._tenant, token, now)
        except TokenError as error:
            _log.info("token.refused", reason=error.reason)
            raise SignInError("token_invalid", "this token is not good here", INVALID) from error
        if origin not in claims.key.origins:
            raise wrong_origin()
        credential = new_credential(self._ports.random(SECRET_BYTES), origin)
        session = _session(claims, origin, now + LIFE)
        if not await self._store.open(digest_of(credential), session, _spent(claims), now):
            _log.warning("token.replayed", kid=claims.key.kid)
            detail = "this token was used before: get a new one"
            raise SignInError("token_replayed", detail, INVALID)
        return Opened(credential, session.expires)

    async def __call__(self, credential: str) -> Actor | None:
        """None when it is good for nobody. A key that is taken out takes its sessions along."""
        if not credential.startswith(CREDENTIAL_PREFIX):
            return None
        found = await self._store.find(self._tenant, digest_of(credential), self._ports.clock())
        if found is None or not self._tokens.has(self._tenant, found.kid):
            return None
        return self._actor(found)

    async def revoke(self, credential: str) -> bool:
        """Whether it was good until now."""
        return await self._store.close(self._tenant, digest_of(credential))

    async def revoke_all(self, subject: str) -> int:
        """Every session of one person: how many there were."""
        return await self._store.close_all(self._tenant, subject)

    async def open_of(self, subject: str) -> int:
        """How many sessions of one person are kept."""
        return await self._store.count(self._tenant, subject)

    def _actor(self, session: Session) -> Actor:
        known = [role for role in session.roles if role in self._rights]
        return Actor(
            principal=Principal(session.tenant, session.subject, session.account),
            rights=frozenset[str]().union(*(self._rights[role] for role in known)),
            role=known[0] if known else "",
            plan=session.plan,
            auth_time=session.auth_time,
        )


class DeskPorts(NamedTuple):
    """`random` gives that many bytes that nobody can guess."""

    clock: Callable[[], datetime]
    random: Callable[[int], bytes]


def new_credential(secret: bytes, origin: str) -> str:
    """`ems_SECRET.TAG`, both base64url; the tag binds it to the origin."""
    return f"{CREDENTIAL_PREFIX}{_text(secret)}.{_tag(_text(secret), origin)}"


def is_bound_to(credential: str, origin: str) -> bool:
    """Whether it says that it was given to this origin. Who forges that has no session: the
    store knows the whole credential only."""
    secret, _, tag = credential.removeprefix(CREDENTIAL_PREFIX).partition(".")
    return hmac.compare_digest(tag.encode(), _tag(secret, origin).encode())


def digest_of(credential: str) -> str:
    """As it is kept: SHA-256, hex. 256 bits of chance need no salt."""
    return hashlib.sha256(credential.encode()).hexdigest()


def wrong_origin() -> SignInError:
    """401: the page at this origin may not use what was given to another."""
    return SignInError("wrong_origin", "this credential belongs to another origin", INVALID)


def _tag(secret: str, origin: str) -> str:
    return _text(hashlib.sha256(f"{secret}|{origin}".encode()).digest()[:_TAG_BYTES])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _session(claims: WidgetClaims, origin: str, expires: datetime) -> Session:
    return Session(
        tenant=claims.key.tenant,
        workspace=claims.key.workspace,
        kid=claims.key.kid,
        subject=claims.subject,
        account=claims.account,
        roles=claims.roles,
        plan=claims.plan,
        auth_time=claims.auth_time,
        origin=origin,
        expires=expires,
    )


def _spent(claims: WidgetClaims) -> Spent:
    token = hashlib.sha256(f"{claims.key.issuer}\0{claims.jti}".encode()).hexdigest()
    return Spent(token, claims.issued, claims.expires + KEPT)


class SessionBody(Wire):
    """A credential for `authorization: Bearer`, good until `expires` (ISO 8601, UTC)."""

    credential: str
    expires: str


_BEARER = HTTPBearer(auto_error=False, description="A widget JWT, to be exchanged")
Given = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def router(desk: SessionDesk | None) -> APIRouter:
    """`/v1/sessions`; without a desk there is nothing to exchange."""
    routes = APIRouter(
        prefix="/v1/sessions",
        tags=["sessions"],
        responses={
            401: problem("The token or credential is not good, or not from this origin"),
            404: problem("No keys of widget tokens are configured"),
            429: problem("Too many requests"),
            503: problem("The database does not answer"),
        },
    )

    @routes.post("", summary="Exchange a widget JWT for a credential", status_code=201)
    async def exchange(
        given: Given,
        response: Response,
        origin: Annotated[str | None, Header()] = None,
    ) -> SessionBody:
        opened = await _configured(desk).exchange(_needed(given), origin)
        response.headers["cache-control"] = "no-store"
        return SessionBody(credential=opened.credential, expires=opened.expires.isoformat())

    @routes.delete("/current", summary="End this session", status_code=204)
    async def revoke(given: Given) -> None:
        if not await _configured(desk).revoke(_needed(given)):
            raise SignInError("auth_expired", "this credential is not good (any more)", INVALID)

    return routes


def _configured(desk: SessionDesk | None) -> SessionDesk:
    if desk is None:
        raise NotHereError("tokens_off", "no keys of widget tokens are configured here")
    return desk


def _needed(given: HTTPAuthorizationCredentials | None) -> str:
    if given is None:
        raise SignInError("sign_in_required", "send `authorization: Bearer TOKEN`")
    return given.credentials
