"""Who a token of the host product belongs to: the product itself is asked, with that token.

The token is handed to the credentials store, so that what this person approves is done with their
own rights; Embark has none of its own.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

import httpx
import structlog
from pydantic import JsonValue

from api import IdentityUnavailableError
from tools.credentials import BearerToken, CredentialStore
from tools.http import no_cookies
from tools.types import Actor, Principal

CACHED_S = 60.0
"""For how long an answer is believed: within it a revoked right still shows a tool, and the host
refuses the call all the same."""
MOST_CACHED = 10_000
LONGEST_TOKEN = 8192
"""Characters; usual servers take no more in one header."""
_log = structlog.get_logger(__name__)
_NOBODY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Where the host says who calls: an address, and RFC 6901 pointers into its answer.

    `rights` points at a list of names. Only `subject` and `account` must be there.
    """

    url: str
    subject: str = "/id"
    account: str = "/account/id"
    rights: str = "/permissions"
    role: str = "/role"
    plan: str = "/plan"
    auth_time: str = "/auth_time"


@dataclass(frozen=True, slots=True)
class Host:
    """`target` is the name under which tools ask for the user's credential."""

    tenant: str
    target: str
    me: WhoAmI
    timeout_s: float = 5.0


class _Seen(NamedTuple):
    actor: Actor
    until: float


def host_client() -> httpx.AsyncClient:
    """A client for everybody's tokens."""
    return httpx.AsyncClient(follow_redirects=False, cookies=no_cookies())


class HostIdentity:
    """An `api.Identify`. Answers are kept under the token's hash, never under the token."""

    def __init__(
        self,
        host: Host,
        client: httpx.AsyncClient,
        credentials: CredentialStore,
        timer: Callable[[], float],
    ) -> None:
        self._host = host
        self._client = client
        self._credentials = credentials
        self._timer = timer
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def __call__(self, token: str) -> Actor | None:
        """None when the host does not know the token. Raises IdentityUnavailableError."""
        if not token or len(token) > LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
            return None
        key = hashlib.sha256(token.encode()).hexdigest()
        seen = self._seen.get(key)
        if seen is not None and self._timer() < seen.until:
            return seen.actor
        actor = await self._asked(token)
        self._seen.pop(key, None)
        if actor is None:
            return None
        await self._credentials.store(actor.principal, self._host.target, BearerToken(token))
        self._seen[key] = _Seen(actor, self._timer() + CACHED_S)
        while len(self._seen) > MOST_CACHED:
            self._seen.popitem(last=False)
        return actor

    def known(self, tenant: str, subject: str) -> int:
        """How many sign-ins of this person are remembered here."""
        return len(self._of(tenant, subject))

    def forget(self, tenant: str, subject: str) -> int:
        """The next request asks the host again. How many were remembered."""
        gone = self._of(tenant, subject)
        for key in gone:
            del self._seen[key]
        return len(gone)

    def forget_all(self) -> None:
        """As `forget`, of everybody: their credentials are handed over anew."""
        self._seen.clear()

    def _of(self, tenant: str, subject: str) -> tuple[str, ...]:
        return tuple(
            key for key, seen in self._seen.items() if seen.actor.principal[:2] == (tenant, subject)
        )

    async def _asked(self, token: str) -> Actor | None:
        try:
            answer = await self._got(token)
        except httpx.HTTPError as error:
            raise IdentityUnavailableError(type(error).__name__) from error
        if answer.status_code in _NOBODY:
            return None
        if answer.status_code != HTTPStatus.OK:
            raise IdentityUnavailableError(f"the host answered {answer.status_code}")
        try:
            return _actor(self._host, answer.json())
        except ValueError as error:
            _log.warning("identity.malformed", url=self._host.me.url, reason=str(error))
            raise IdentityUnavailableError("the host's answer cannot be read") from error

    async def _got(self, token: str) -> httpx.Response:
        """Asked twice when the host closes the connection: it may have been an idle one."""
        url, timeout_s = self._host.me.url, self._host.timeout_s
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        try:
            return await self._client.get(url, headers=headers, timeout=timeout_s)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return await self._client.get(url, headers=headers, timeout=timeout_s)


def _actor(host: Host, said: JsonValue) -> Actor:
    """Raises ValueError, naming the pointer."""
    me = host.me
    rights = _at(said, me.rights)
    return Actor(
        principal=Principal(host.tenant, _needed(said, me.subject), _needed(said, me.account)),
        rights=frozenset(str(right) for right in rights)
        if isinstance(rights, list)
        else frozenset(),
        role=_text(said, me.role),
        plan=_text(said, me.plan),
        auth_time=_time(said, me.auth_time),
    )


def _at(said: JsonValue, pointer: str) -> JsonValue:
    found = said
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _needed(said: JsonValue, pointer: str) -> str:
    found = _at(said, pointer)
    if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
        raise ValueError(f"{pointer} holds no id")
    return str(found)


def _text(said: JsonValue, pointer: str) -> str:
    found = _at(said, pointer)
    return found if isinstance(found, str) else ""


def _time(said: JsonValue, pointer: str) -> datetime | None:
    """A sign-in without a zone, or that cannot be read, counts as too long ago."""
    try:
        found = datetime.fromisoformat(_text(said, pointer))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
