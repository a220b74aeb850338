"""settings -> the database of onboarding with its tables, and the key that forgets people."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from embark.keys import master_key
from embark.layers import UnreachableError
from embark.records import now
from embark.settings import Settings
from onboarding.store.events.engine import upgrade as upgrade_events
from onboarding.store.features import sql as features_sql
from onboarding.store.interventions import sql as interventions_sql
from onboarding.store.journeys import progress_sql
from onboarding.store.profile import sql as profile_sql
from onboarding.store.ranking import sql as ranking_sql
from tools.store.engine import open_engine

MODELS: Final = "models"
"""Folder of learned versions in the data folder, one below it a tenant."""


def open_database(settings: Settings) -> Engine:
    """With its tables. Raises UnreachableError."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = settings.onboarding.url or settings.database.url
    own = f"sqlite:///{settings.data_dir / 'onboarding.sqlite'}"
    database = open_engine(own if url is None else url.get_secret_value())
    try:
        upgrade_events(database, now())
        for part in (features_sql, profile_sql, progress_sql, ranking_sql, interventions_sql):
            part.upgrade(database)
    except DBAPIError as failure:
        database.dispose()
        raise UnreachableError(f"the database of onboarding: {failure.orig}") from failure
    return database


def mac_of(settings: Settings) -> Callable[[str, str], str]:
    """Tells that somebody was erased, and nobody who they were."""
    key = hmac.digest(master_key(settings), b"embark: subjects forgotten by events", "sha256")

    def mac(tenant: str, subject: str) -> str:
        return hmac.digest(key, f"{tenant}\0{subject}".encode(), "sha256").hex()

    return mac
