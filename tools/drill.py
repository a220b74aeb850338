"""A drill of the kill switch: credentials of many connectors, planted, killed, and looked for.

It runs in a tenant of its own in the real database, and leaves nothing there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, delete, select

from guardrails.tenancy import within
from tools.connectors import Connector, ConnectorDesk
from tools.connectors_sql import SqlSwitches, connector_switch
from tools.credentials import BearerToken, Place, opened
from tools.credentials_sql import SqlCredentials, connector_key, user_credential
from tools.tables import subject_key
from tools.tool import ForbiddenError
from tools.types import Principal
from tools.vault_sql import SqlVault

TENANT = "~drill"
BY = "drill"


class Drilled(NamedTuple):
    """`readable`: credentials that could still be had, from the store or out of a backup made just
    before. `revoke_s` covers every kill, one after the other."""

    connectors: int
    revoked: int
    readable: int
    revoke_s: float


class DrillParts(NamedTuple):
    """`master` wraps the keys. `timer` is monotonic, in seconds."""

    engine: Engine
    master: bytes
    clock: Callable[[], datetime]
    timer: Callable[[], float]


async def drill(parts: DrillParts, connectors: int) -> Drilled:
    """Tables must be there: `prepare` of connectors and credentials."""
    vault = SqlVault(parts.engine, parts.master)
    stored = SqlCredentials(parts.engine, vault, parts.clock)
    listed = [Connector(f"drill-{number}", "a drill") for number in range(connectors)]
    people = [Principal(TENANT, f"person-{number}", "") for number in range(connectors)]
    try:
        for who, each in zip(people, listed, strict=True):
            await stored.store(who, each.id, BearerToken(secrets.token_urlsafe(32)))
        backup = await asyncio.to_thread(_kept, parts.engine)
        desk = ConnectorDesk(SqlSwitches(parts.engine, parts.clock), stored, listed)
        began = parts.timer()
        revoked = sum([await desk.kill(TENANT, each.id, BY) for each in listed])
        took = parts.timer() - began
        fresh = SqlVault(parts.engine, parts.master)  # as after a restart: no key in memory
        readable = [
            await _is_readable(stored, who, each.id) or _is_opened(fresh, who, each.id, sealed)
            for who, each, sealed in zip(people, listed, backup, strict=True)
        ]
    finally:
        await asyncio.to_thread(_cleared, parts.engine)
    return Drilled(connectors, revoked, sum(readable), took)


async def _is_readable(stored: SqlCredentials, who: Principal, target: str) -> bool:
    try:
        await stored.headers(who, target)
    except ForbiddenError:
        return False
    return True


def _is_opened(vault: SqlVault, who: Principal, target: str, sealed: bytes) -> bool:
    return opened(vault, Place(who, target, 0), sealed) is not None


def _kept(engine: Engine) -> Sequence[bytes]:
    """In the order of their making."""
    table = user_credential.c
    query = select(table.target, table.sealed).where(table.tenant == TENANT)
    with within(TENANT), engine.begin() as connection:
        found = {row.target: bytes(row.sealed) for row in connection.execute(query)}
    return [found[f"drill-{number}"] for number in range(len(found))]


def _cleared(engine: Engine) -> None:
    with within(TENANT), engine.begin() as connection:
        for table in (user_credential, connector_key, connector_switch, subject_key):
            connection.execute(delete(table).where(table.c.tenant == TENANT))
