"""settings -> what `embark eval policies` looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from embark.cli.evaluate_policies import PolicyParts
from embark.event_parts import contracts_of
from embark.onboarding_database import MODELS, mac_of, open_database
from embark.records import now
from embark.settings import Settings
from onboarding.profile.readiness import load_readiness
from onboarding.store.events.log import SqlEventLog
from onboarding.store.profile.readiness import SqlReadiness
from onboarding.store.profile.sql import SqlProfiles
from onboarding.store.ranking.champions import SqlChampions
from onboarding.store.ranking.registry import ModelFolder


@asynccontextmanager
async def open_policies(settings: Settings) -> AsyncIterator[PolicyParts]:
    """Until the context ends. Raises ConfigurationError, UnreachableError, DataFileError."""
    folder = settings.onboarding.folder
    own = None if folder is None else folder / "profile" / "readiness.yaml"
    catalogue = contracts_of(settings)
    database = open_database(settings)
    try:
        yield PolicyParts(
            tenant=settings.tenant,
            now=now(),
            log=SqlEventLog(database, mac_of(settings)),
            profiles=SqlProfiles(database),
            readiness=SqlReadiness(database),
            file=load_readiness(own if own is not None and own.is_file() else None),
            core=catalogue.core,
            champions=SqlChampions(database),
            models=ModelFolder(settings.data_dir / MODELS / settings.tenant),
        )
    finally:
        database.dispose()
