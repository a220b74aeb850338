"""settings -> the kill switch of connectors: in a server, and for the command line."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from embark.keys import master_key
from embark.receipts_parts import make_vault, open_journal_engine
from embark.settings import Settings
from embark.tool_parts import policy_of
from tools import connectors_sql, credentials_sql
from tools.connectors import ConnectorDesk, SwitchGate, wiring_of
from tools.connectors_sql import SqlSwitches
from tools.credentials_sql import SqlCredentials
from tools.drill import Drilled, DrillParts, drill
from tools.vault import Vault


@dataclass(frozen=True, slots=True)
class Switching:
    """What one process asks, and what it changes."""

    gate: SwitchGate
    credentials: SqlCredentials
    desk: ConnectorDesk


def make_switching(settings: Settings, engine: Engine, vault: Vault) -> Switching:
    """Over the journal's database. Raises ConfigurationError."""
    for part in (connectors_sql, credentials_sql):
        part.prepare(engine)
    wiring, switches = wiring_of(policy_of(settings)), SqlSwitches(engine, _now)
    gate = SwitchGate(switches, wiring, time.monotonic)
    credentials = SqlCredentials(engine, vault, _now, gate.is_killed)
    desk = ConnectorDesk(switches, credentials, wiring.connectors.values(), gate.forget)
    return Switching(gate, credentials, desk)


@asynccontextmanager
async def open_connectors(settings: Settings) -> AsyncIterator[ConnectorDesk]:
    """Whether or not a server runs; those that do hear of it within a second. Raises
    ConfigurationError, JournalUnavailableError."""
    engine = open_journal_engine(settings)
    try:
        yield make_switching(settings, engine, make_vault(settings, engine)).desk
    finally:
        engine.dispose()


async def drilled(settings: Settings, connectors: int) -> Drilled:
    """Raises ConfigurationError, JournalUnavailableError."""
    engine = open_journal_engine(settings)
    try:
        for part in (connectors_sql, credentials_sql):
            part.prepare(engine)
        parts = DrillParts(engine, master_key(settings), _now, time.monotonic)
        return await drill(parts, connectors)
    finally:
        engine.dispose()


def _now() -> datetime:
    return datetime.now(UTC)
