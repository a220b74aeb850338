"""Staff: sign-in at the provider with a code and PKCE -> an opaque cookie -> a person with rights.

    begin      state, nonce and verifier, all of one secret that only the browser has
    finish     state used once, in that browser; code -> ID token -> a new cookie
    session    cookie -> person, for 30 minutes without use and 8 hours at most

While the provider is away nobody new signs in; whoever is signed in goes on.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

import structlog

from api.errors import Problem, ProblemError
from api.staff.id_tokens import TOLERANCE_S, Client, IdClaims, IdTokenError
from api.staff.provider import Provider
from api.staff.sessions import ABSOLUTE, Flow, StaffSession, StaffStore
from tools.types import Actor, Principal

SECRET_BYTES = 32
SUBJECT = "~staff:"
"""Before the provider's id of a person, so that they are never taken for a user of the product."""
_log = structlog.get_logger(__name__)


class StaffPorts(NamedTuple):
    """`random` gives that many bytes that nobody can guess."""

    clock: Callable[[], datetime]
    random: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and the cookie that it takes along."""

    location: str
    browser: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`cookie` is said once and kept nowhere."""

    cookie: str
    next: str


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody of the staff, and what proves that a request was meant. `csrf` is empty where no
    cookie was believed."""

    actor: Actor
    roles: tuple[str, ...]
    expires: datetime
    csrf: str = ""


class StaffDesk:
    """The staff of one tenant, at one provider."""

    def __init__(
        self,
        tenant: str,
        client: Client,
        provider: Provider,
        store: StaffStore,
        rights: Mapping[str, frozenset[str]],
        ports: StaffPorts,
    ) -> None:
        """`rights` are those of each role; a role that is not in it grants nothing."""
        self._tenant = tenant
        self._client = client
        self._provider = provider
        self._store = store
        self._rights = rights
        self._ports = ports

    async def begin(self, next_page: str, *, fresh: bool = False) -> Begun:
        """`fresh`: the provider asks for the password again. Raises IdentityUnavailableError."""
        found = await self._provider.metadata()
        state, browser = self._secret(), self._secret()
        now = self._ports.clock()
        flow = Flow(self._tenant, digest_of(browser), next_page, fresh, now)
        await self._store.begin(digest_of(state), flow)
        verifier = derived("verifier", browser)
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": self._client.scopes,
            "state": state,
            "nonce": derived("nonce", browser),
            "code_challenge": _text(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "max_age": str(0 if fresh else int(ABSOLUTE.total_seconds())),
            **({"prompt": "login"} if fresh else {}),
        }
        joint = "&" if "?" in found.authorization_endpoint else "?"
        return Begun(f"{found.authorization_endpoint}{joint}{urlencode(asked)}", browser)

    async def finish(self, said: Returned, browser: str, before: str) -> SignedIn:
        """`before` is the cookie of an earlier session in this browser: it is over. Raises
        ProblemError, IdentityUnavailableError."""
        now = self._ports.clock()
        flow = await self._store.take(self._tenant, digest_of(said.state), now)
        if flow is None or not hmac.compare_digest(flow.browser, digest_of(browser)):
            raise _refused("state")
        if said.issuer not in (None, self._client.issuer):
            raise _refused("wrong_issuer")
        if said.code is None:
            raise _refused("by_provider")
        claims = await self._claims(said.code, browser, now)
        _check_fresh(flow, claims)
        if not self._granted(claims.roles):
            raise ProblemError(Problem(403, "no_role", "none of your roles may do anything here"))
        if before:
            await self._store.close(self._tenant, digest_of(before))
        cookie = self._secret()
        session = StaffSession(
            self._tenant, claims.subject, claims.roles, claims.auth_time, opened=now, seen=now
        )
        await self._store.open(digest_of(cookie), session)
        return SignedIn(cookie, flow.next)

    async def _claims(self, code: str, browser: str, now: datetime) -> IdClaims:
        verifier, nonce = derived("verifier", browser), derived("nonce", browser)
        try:
            return await self._provider.exchange(code, verifier, nonce, now)
        except IdTokenError as error:
            raise _refused(error.reason) from error

    async def session(self, cookie: str) -> Staff | None:
        """None when it is good for nobody (any more)."""
        now = self._ports.clock()
        found = await self._store.find(self._tenant, digest_of(cookie), now)
        if found is None:
            return None
        actor = staff_actor(
            Principal(self._tenant, f"{SUBJECT}{found.subject}", ""),
            found.roles,
            self._rights,
            found.auth_time,
        )
        return Staff(actor, found.roles, found.expires, derived("csrf", cookie))

    async def sign_out(self, cookie: str) -> bool:
        """Whether it was good until now."""
        return await self._store.close(self._tenant, digest_of(cookie))

    async def sign_out_everywhere(self, staff: Staff) -> int:
        """Every session of this person, in every browser: how many there were."""
        subject = staff.actor.subject.removeprefix(SUBJECT)
        return await self._store.close_all(self._tenant, subject)

    def _granted(self, roles: tuple[str, ...]) -> bool:
        return any(self._rights.get(role) for role in roles)

    def _secret(self) -> str:
        return _text(self._ports.random(SECRET_BYTES))


class Returned(NamedTuple):
    """What the provider sent the browser back with. No code: it refused."""

    state: str
    code: str | None
    issuer: str | None


def staff_actor(
    principal: Principal,
    roles: tuple[str, ...],
    rights: Mapping[str, frozenset[str]],
    auth_time: datetime | None,
) -> Actor:
    """With the rights of those roles that the settings know."""
    known = [role for role in roles if role in rights]
    return Actor(
        principal=principal,
        rights=frozenset[str]().union(*(rights[role] for role in known)),
        role=known[0] if known else "",
        auth_time=auth_time,
        staff=True,
    )


def digest_of(secret: str) -> str:
    """As it is kept: SHA-256, hex. 256 bits of chance need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derived(purpose: str, secret: str) -> str:
    """Another secret, from which the first cannot be told; 43 characters, as a verifier of RFC
    7636 has."""
    return _text(hmac.digest(secret.encode(), purpose.encode(), "sha256"))


def _check_fresh(flow: Flow, claims: IdClaims) -> None:
    earliest = flow.begun - timedelta(seconds=TOLERANCE_S)
    if flow.fresh and (claims.auth_time is None or claims.auth_time < earliest):
        raise _refused("not_fresh")


def _refused(reason: str) -> ProblemError:
    """One answer for all reasons: which it was stands in the log."""
    _log.warning("staff.refused", reason=reason)
    detail = "this sign-in was not completed: begin it again"
    return ProblemError(Problem(400, "sign_in_invalid", detail))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
