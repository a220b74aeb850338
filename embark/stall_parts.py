"""settings -> what `embark model train` fits the model of stalling on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from embark.layers import ConfigurationError
from embark.onboarding_database import MODELS, mac_of, open_database
from embark.records import open_books
from embark.settings import Settings
from guardrails.consent import Purpose
from onboarding.engine.files import load_files
from onboarding.engine.stall_periods import PeriodParts
from onboarding.rules import DataFileError
from onboarding.store.events.log import SqlEventLog
from onboarding.store.features.replay import SqlReplay
from onboarding.store.journeys.progress_sql import SqlProgress
from onboarding.store.ranking.registry import ModelFolder


@dataclass(frozen=True, slots=True)
class StallParts:
    """Where the rows come from, and where the version goes."""

    periods: PeriodParts
    models: ModelFolder


@asynccontextmanager
async def open_stall_parts(settings: Settings, most: int) -> AsyncIterator[StallParts]:
    """Until the context ends. Raises ConfigurationError, UnreachableError."""
    folder = settings.onboarding.folder
    if folder is None:
        raise ConfigurationError(["onboarding.folder: names no folder, so nobody is followed"])
    try:
        files = load_files(folder)
    except DataFileError as failure:
        raise ConfigurationError(failure.problems) from failure
    if not files.events.core:
        raise ConfigurationError(["events: no contract is `core`: what is using the product?"])
    database = open_database(settings)
    try:
        with open_books(settings) as books:
            yield StallParts(
                PeriodParts(
                    tenant=settings.tenant,
                    log=SqlEventLog(database, mac_of(settings)),
                    replay=SqlReplay(database),
                    progress=SqlProgress(database),
                    features=files.features,
                    core=files.events.core,
                    allowed=partial(
                        books.permission.may, settings.tenant, purpose=Purpose.TRAINING
                    ),
                    most=most,
                ),
                ModelFolder(settings.data_dir / MODELS / settings.tenant),
            )
    finally:
        database.dispose()
