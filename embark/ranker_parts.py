"""settings -> what `embark model train` fits a ranker on."""

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
from onboarding.engine.ranker_rows import RowParts
from onboarding.ranking import Sentences
from onboarding.rules import DataFileError
from onboarding.store.ranking.champions import SqlChampions
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.sql import SqlNextSteps
from onboarding.store.ranking.store import Champions


@dataclass(frozen=True, slots=True)
class RankerParts:
    """Where the rows come from, what serves now, and where the version goes."""

    rows: RowParts
    sentences: Sentences
    champions: Champions
    models: ModelFolder


@asynccontextmanager
async def open_ranker_parts(settings: Settings) -> AsyncIterator[RankerParts]:
    """Until the context ends. Raises ConfigurationError, UnreachableError."""
    folder, tenant = settings.onboarding.folder, settings.tenant
    if folder is None:
        raise ConfigurationError(["onboarding.folder: names no folder, so nobody is advised"])
    try:
        files = load_files(folder)
    except DataFileError as failure:
        raise ConfigurationError(failure.problems) from failure
    database = open_database(settings)
    try:
        with open_books(settings) as books:
            yield RankerParts(
                RowParts(
                    tenant=tenant,
                    steps=SqlNextSteps(database),
                    allowed=partial(books.permission.who_may, tenant, purpose=Purpose.TRAINING),
                    pseudonym=partial(mac_of(settings), tenant),
                ),
                files.sentences,
                SqlChampions(database),
                ModelFolder(settings.data_dir / MODELS / tenant),
            )
    finally:
        database.dispose()
