"""settings, database, vault -> the intake of product events, and what keeps and ends them.

write key, person ──> EventDesk ─> Intake ─┬─> log
contracts, consents ───────────────────────┴─> quarantine, sealed under keys of subjects
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError

from api.events import EventDesk, WriteKeys
from api.identity import Identify
from embark.layers import ConfigurationError
from embark.onboarding_database import mac_of, open_database
from embark.receipts_parts import make_vault, open_journal_engine
from embark.records import Books, now, open_books
from embark.settings import Settings
from guardrails.consent import ConsentReader
from guardrails.retention import Aging
from guardrails.rights import PersonalStore
from guardrails.store import StoreUnavailableError
from onboarding.events import SHIPPED, DataFileError, EventCatalogue, EventLog, load_catalogue
from onboarding.events.aging import AgingEvents, AgingQuarantine
from onboarding.events.intake import Intake, IntakeParts
from onboarding.events.personal import PersonalEvents
from onboarding.events.quarantine import ErasedError
from onboarding.events.replaying import Replay
from onboarding.features.aging import AgingFeatures
from onboarding.features.personal import PersonalFeatures
from onboarding.store.events.keeping import SqlEventKeeping
from onboarding.store.events.log import SqlEventLog
from onboarding.store.events.partitions import make_partitions
from onboarding.store.events.quarantine import SqlQuarantine
from onboarding.store.features.sql import SqlFeatures
from tools.vault import KeyDestroyedError, Vault

PLACE: Final = "events.quarantine"
"""What is sealed for it can be opened nowhere else."""
UPKEEP_S: Final = 3600.0
_log = structlog.get_logger(__name__)
_Work = Callable[[str, str, str, bytes], bytes]


class VaultSeal:
    """A Seal over the vault of subjects' keys."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def seal(self, tenant: str, subject: str, plain: bytes) -> bytes:
        return await self._threaded(self._vault.seal, tenant, subject, plain)

    async def open(self, tenant: str, subject: str, sealed: bytes) -> bytes:
        return await self._threaded(self._vault.open, tenant, subject, sealed)

    async def _threaded(self, work: _Work, tenant: str, subject: str, data: bytes) -> bytes:
        try:
            return await asyncio.to_thread(work, tenant, subject, PLACE, data)
        except KeyDestroyedError as gone:
            raise ErasedError from gone
        except DBAPIError as failure:
            reason = type(failure.orig).__qualname__
            raise StoreUnavailableError(f"the vault does not answer: {reason}") from failure


@dataclass(frozen=True, slots=True)
class EventParts:
    """The intake of one process, and the quarantine behind it."""

    tenant: str
    intake: Intake
    quarantine: SqlQuarantine
    seal: VaultSeal

    @property
    def replay(self) -> Replay:
        return Replay(self.tenant, self.intake, self.quarantine, self.seal)


def make_events(
    settings: Settings,
    database: Database,
    catalogue: EventCatalogue,
    reader: ConsentReader,
    vault: Vault,
    log: EventLog | None = None,
) -> EventParts:
    """`log` is this process's own where it has one: whoever reads it is told at once."""
    quarantine, seal = SqlQuarantine(database), VaultSeal(vault)
    stored = log or SqlEventLog(database, mac_of(settings))
    intake = Intake(IntakeParts(catalogue, stored, quarantine, reader, seal))
    return EventParts(settings.tenant, intake, quarantine, seal)


def make_desk(settings: Settings, parts: EventParts, identify: Identify | None) -> EventDesk:
    """Raises ConfigurationError."""
    try:
        key = settings.onboarding.events.key()
        keys = WriteKeys([key] if key else [])
    except (OSError, ValueError) as failure:
        raise ConfigurationError([f"onboarding.events: {failure}"]) from failure
    return EventDesk(settings.tenant, parts.intake, keys, now, identify)


def personal_events(settings: Settings, database: Database, spec: str) -> tuple[PersonalStore, ...]:
    """In the order in which they are erased; `spec` is of the features that are served."""
    mac = mac_of(settings)
    log = SqlEventLog(database, mac)
    return (
        PersonalFeatures(log, SqlFeatures(database), spec),
        PersonalEvents(SqlEventKeeping(database, mac), now, log.forget),
    )


def aging_events(
    settings: Settings, database: Database, catalogue: EventCatalogue
) -> tuple[Aging, ...]:
    """Names of their periods: `product_events`, `event_quarantine`, `features`."""
    keeping = SqlEventKeeping(database, mac_of(settings))
    return (
        AgingEvents(keeping, catalogue, now),
        AgingQuarantine(keeping, now),
        AgingFeatures(SqlFeatures(database)),
    )


def set_aside() -> None:
    """What the process holds from its start is looked through for garbage now and never again: a
    whole collection over it stops everything for a tenth of a second and more."""
    gc.collect()
    gc.freeze()


async def keep_events(settings: Settings, database: Database) -> None:
    """Beside a server, until cancelled: months ahead of time, ids out of their window."""
    set_aside()
    keeping = SqlEventKeeping(database, mac_of(settings))
    while True:
        try:
            await asyncio.to_thread(make_partitions, database, now())
            await keeping.sweep_messages(settings.tenant, now())
        except (StoreUnavailableError, DBAPIError) as failure:
            _log.warning("events.upkeep_later", error=type(failure).__name__)
        await asyncio.sleep(UPKEEP_S)


def contracts_of(settings: Settings) -> EventCatalogue:
    """The widget's contracts and the host's. Raises ConfigurationError."""
    folder = settings.onboarding.folder
    own = () if folder is None else (folder / "events",)
    try:
        return load_catalogue(SHIPPED, *(each for each in own if each.is_dir()))
    except DataFileError as failure:
        raise ConfigurationError(failure.problems) from failure


@contextmanager
def open_events(settings: Settings) -> Iterator[tuple[EventParts, Books]]:
    """For one command. Raises ConfigurationError, UnreachableError, JournalUnavailableError."""
    catalogue = contracts_of(settings)
    database = open_database(settings)
    journal = open_journal_engine(settings)
    try:
        vault = make_vault(settings, journal)
        with open_books(settings) as books:
            yield make_events(settings, database, catalogue, books.reader, vault), books
    finally:
        journal.dispose()
        database.dispose()
