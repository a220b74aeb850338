"""Tokens for one's own machine, where no provider is set: signed by a key file of the installation.

They are believed by a server that listens on loopback, and by no other.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.staff.desk import SUBJECT, Staff, staff_actor
from tools.types import Principal

PREFIX = "eml_"
"""So that it is never taken for a token of the host."""
LIFE = timedelta(minutes=60)
LONGEST = 2048
KEY_BYTES = 32
_REGISTRY = jws.JWSRegistry(algorithms=["HS256"])
_HEADER = {"alg": "HS256", "typ": "embark-local+jwt"}


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    tenant: str
    roles: Annotated[list[str], Field(min_length=1, max_length=16)]
    iat: float
    exp: float


class LocalStaff:
    """Writes and believes local tokens. `key` gives 32 bytes, asked for at the first token."""

    def __init__(
        self,
        tenant: str,
        key: Callable[[], bytes],
        rights: Mapping[str, frozenset[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._tenant = tenant
        self._make_key = key
        self._rights = rights
        self._clock = clock

    def token(self, role: str) -> str:
        """Good for `LIFE`. Raises ValueError for a role that grants nothing."""
        if not self._rights.get(role):
            raise ValueError(f"no role {role!r}: there are {', '.join(self._rights)}")
        now = self._clock()
        said = {
            "tenant": self._tenant,
            "roles": [role],
            "iat": now.timestamp(),
            "exp": (now + LIFE).timestamp(),
        }
        return PREFIX + jws.serialize_compact(
            _HEADER, json.dumps(said), self._key(), registry=_REGISTRY
        )

    def session(self, token: str) -> Staff | None:
        """None when it is good for nobody (any more)."""
        said = self._read(token.removeprefix(PREFIX)) if token.startswith(PREFIX) else None
        if said is None or said.tenant != self._tenant:
            return None
        now = self._clock()
        if not said.iat <= now.timestamp() < min(said.exp, said.iat + LIFE.total_seconds()):
            return None
        roles = tuple(said.roles)
        principal = Principal(self._tenant, f"{SUBJECT}local", "")
        issued = datetime.fromtimestamp(said.iat, now.tzinfo)
        return Staff(staff_actor(principal, roles, self._rights, issued), roles, issued + LIFE)

    def _key(self) -> OctKey:
        key = self._make_key()
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of local tokens has {len(key)} bytes; make it {KEY_BYTES}")
        return OctKey.import_key(key)

    def _read(self, compact: str) -> _Payload | None:
        if len(compact) > LONGEST:
            return None
        key = self._key()
        try:
            signed = jws.deserialize_compact(compact, key, registry=_REGISTRY)
            if signed.headers() != _HEADER:
                return None
            return _Payload.model_validate_json(signed.payload or b"")
        except (JoseError, ValidationError, ValueError):
            return None


def is_loopback(host: str) -> bool:
    """Whether a server bound to this name or address is out of reach from elsewhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
