"""The acting user's own credential for a target: as given, in memory, or sealed in SQL.

What the host's page hands over at sign-in is kept under (tenant, subject, target) and sealed twice,
under a data key of the connector and under the subject's: a revocation and an erasure each make it
unreadable, in backups too. There is no credential of our own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from tools.tool import ForbiddenError, NotSentError
from tools.types import Principal
from tools.vault import KeyDestroyedError, Vault

LARGEST = 16_384
"""Bytes of a credential; usual servers take no more headers than that."""


class BearerToken(NamedTuple):
    """A token and until when it is good; `scheme` goes before it, `header` carries it."""

    token: str
    expires: datetime | None = None
    header: str = "Authorization"
    scheme: str = "Bearer"

    def headers(self) -> dict[str, str]:
        return {self.header: f"{self.scheme} {self.token}".strip()}


class CredentialStore(Protocol):
    """Credentials that can be handed over and taken back."""

    async def headers(self, who: Principal, target: str) -> Mapping[str, str]:
        """Raises ForbiddenError(`not_signed_in`)."""
        ...

    async def store(self, who: Principal, target: str, token: BearerToken) -> None:
        """In place of an earlier one. Raises ValueError for one that no header can carry."""
        ...

    async def forget(self, who: Principal, target: str | None = None) -> int:
        """How many are gone; those of every target where none is named."""
        ...

    async def revoke_all(self, tenant: str, target: str) -> int:
        """Those of everybody for one target, for good: their data key is destroyed. How many."""
        ...

    async def count(self, tenant: str, target: str) -> int:
        """How many people's are kept for one target."""
        ...


def not_signed_in() -> ForbiddenError:
    return ForbiddenError("not_signed_in", "sign in again, so that this can be done in your name")


def checked(token: BearerToken) -> BearerToken:
    """Raises ValueError without repeating the token."""
    text = f"{token.header}: {token.scheme} {token.token}"
    if not token.token or not text.isascii() or not text.isprintable() or len(text) > LARGEST:
        raise ValueError("a credential is printable ASCII, not empty, at most 16 KB")
    return token


class StaticCredentials:
    """The same headers for everybody, by target: for tests and for one's own machine."""

    def __init__(self, headers: Mapping[str, Mapping[str, str]]) -> None:
        self._headers = headers

    async def headers(self, who: Principal, target: str) -> Mapping[str, str]:  # noqa: ARG002
        if target not in self._headers:
            raise not_signed_in()
        return self._headers[target]


class MemoryCredentials:
    """The twin of the SQL store; gone with the process."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._tokens: dict[tuple[str, str, str], BearerToken] = {}

    async def headers(self, who: Principal, target: str) -> Mapping[str, str]:
        token = self._tokens.get((who.tenant, who.subject, target))
        if token is None or (token.expires is not None and token.expires <= self._now()):
            raise not_signed_in()
        return token.headers()

    async def store(self, who: Principal, target: str, token: BearerToken) -> None:
        self._tokens[who.tenant, who.subject, target] = checked(token)

    async def forget(self, who: Principal, target: str | None = None) -> int:
        gone = [
            key
            for key in self._tokens
            if key[:2] == (who.tenant, who.subject) and target in (None, key[2])
        ]
        for key in gone:
            del self._tokens[key]
        return len(gone)

    async def revoke_all(self, tenant: str, target: str) -> int:
        gone = [key for key in self._tokens if (key[0], key[2]) == (tenant, target)]
        for key in gone:
            del self._tokens[key]
        return len(gone)

    async def count(self, tenant: str, target: str) -> int:
        return sum((key[0], key[2]) == (tenant, target) for key in self._tokens)


class Place(NamedTuple):
    """Where a credential lies. `generation` counts how often its target's were revoked."""

    who: Principal
    target: str
    generation: int

    @property
    def data_key(self) -> str:
        """Under which the vault keeps the connector's key; no host may call a person so."""
        return f"~connector:{self.target}:{self.generation}"


def sealed(vault: Vault, place: Place, token: BearerToken) -> bytes:
    """As it is stored. The context binds it to its place: copied elsewhere it does not open. Raises
    KeyDestroyedError after an erasure, NotSentError while they are being revoked."""
    plain = json.dumps(
        [token.token, token.expires and token.expires.isoformat(), token.header, token.scheme]
    )
    tenant, subject = place.who.tenant, place.who.subject
    try:
        inner = vault.seal(tenant, place.data_key, f"credential|{subject}", plain.encode())
    except KeyDestroyedError as gone:
        raise NotSentError("credentials_revoked", "revoked just now: sign in again") from gone
    return vault.seal(tenant, subject, context_of(place.target), inner)


def opened(vault: Vault, place: Place, stored: bytes) -> BearerToken | None:
    """None after an erasure and after a revocation. Raises ValueError when it was tampered with."""
    tenant, subject = place.who.tenant, place.who.subject
    try:
        inner = vault.open(tenant, subject, context_of(place.target), stored)
        plain = vault.open(tenant, place.data_key, f"credential|{subject}", inner)
    except KeyDestroyedError:
        return None
    token, expires, header, scheme = json.loads(plain)
    until = datetime.fromisoformat(expires) if expires else None
    return BearerToken(token, until, header, scheme)


def context_of(target: str) -> str:
    return f"credential|{target}"
