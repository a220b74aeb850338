"""settings -> how staff come in: by an identity provider, or by a token on one's own machine."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sqlalchemy import Engine

from api.quotas import Quotas
from api.staff import RIGHTS, StaffDoor
from api.staff.desk import StaffDesk, StaffPorts
from api.staff.id_tokens import Client
from api.staff.local import LocalStaff, is_loopback
from api.staff.provider import Ports, Provider
from api.staff.sessions import StaffStore
from api.staff.sessions_memory import MemoryStaff
from api.staff.sessions_sql import SqlStaff, prepare
from embark.keys import master_key
from embark.layers import ConfigurationError
from embark.quota_parts import is_shared, open_shared
from embark.region_parts import pin_of
from embark.settings import Settings
from embark.settings_people import OidcSettings
from tools.http import Outbound, Reach

CALLBACK = "/v1/staff/callback"
EVERYTHING = {"admin": frozenset(RIGHTS)}
"""What a local token may, where the settings name no roles."""


@asynccontextmanager
async def open_staff(
    settings: Settings, engine: Engine | None, quotas: Quotas
) -> AsyncIterator[StaffDoor | None]:
    """Until the context ends; None where staff cannot come in. `engine` is of the shared database,
    `prepare`d. Raises ConfigurationError."""
    chosen = settings.staff
    if chosen.oidc is None:
        local = local_staff(settings) if is_loopback(settings.server.host) else None
        origin = chosen.url or f"http://{settings.server.host}:{settings.server.port}"
        yield None if local is None else StaffDoor(origin, None, local, quotas)
        return
    assert chosen.url is not None
    client = client_of(chosen.oidc, chosen.url)
    reach = replace(reach_of(chosen.oidc), pin=pin_of(settings).check)
    async with Outbound(reach) as outbound:
        provider = Provider(client, Ports(outbound.send, time.monotonic))
        shared = engine is not None and is_shared(settings, chosen.store)
        store: StaffStore = SqlStaff(engine) if shared and engine is not None else MemoryStaff()
        ports = StaffPorts(_now, secrets.token_bytes)
        rights = rights_of(settings)
        desk = StaffDesk(settings.tenant, client, provider, store, rights, ports)
        yield StaffDoor(chosen.url, desk, None, quotas)


class NotSharedError(Exception):
    """Sessions lie in the memory of the server: nobody else can end them."""


async def sessions_ended(settings: Settings, subject: str) -> int:
    """How many of this person's there were. Raises NotSharedError, ConfigurationError,
    UnreachableError."""
    if not is_shared(settings, settings.staff.store):
        raise NotSharedError("staff.store is memory: these sessions lie in the server itself")
    engine = open_shared(settings)
    try:
        prepare(engine)
        return await SqlStaff(engine).close_all(settings.tenant, subject)
    finally:
        engine.dispose()


def client_of(oidc: OidcSettings, url: str) -> Client:
    """What we are at the provider. Raises ConfigurationError."""
    try:
        secret = oidc.key() or ""
    except OSError as failure:
        raise ConfigurationError([f"staff.oidc.api_key_file: {failure}"]) from failure
    return Client(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        redirect_uri=f"{url}{CALLBACK}",
        algorithm=oidc.algorithm,
        roles=oidc.roles_claim,
        scopes=oidc.scopes,
        secret=secret,
    )


def reach_of(oidc: OidcSettings) -> Reach:
    """The provider alone."""
    host = urlsplit(oidc.issuer).hostname or ""
    return Reach(frozenset({host, *oidc.hosts}), frozenset(oidc.private_hosts))


def rights_of(settings: Settings) -> Mapping[str, frozenset[str]]:
    """Of each role."""
    return {role: frozenset(rights) for role, rights in settings.staff.roles.items()}


def local_staff(settings: Settings) -> LocalStaff:
    """Writes and reads local tokens. Raises ConfigurationError."""
    rights = rights_of(settings) or EVERYTHING

    def key() -> bytes:
        return hmac.digest(master_key(settings), b"embark local staff", "sha256")

    return LocalStaff(settings.tenant, key, rights, _now)


def _now() -> datetime:
    return datetime.now(UTC)
