"""settings -> what was revoked: read by everything that shows pages, written by `embark index`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import cache

from sqlalchemy import Engine

from embark.parts import database_url
from embark.settings import Settings
from retrieval.access import Access
from retrieval.access_sql import SqlRevocations
from tools.store.engine import open_engine


def open_revocations(settings: Settings, closing: ExitStack) -> SqlRevocations:
    """Connects when something is first read or written."""

    @cache
    def engine() -> Engine:
        opened = open_engine(database_url(settings))
        closing.callback(opened.dispose)
        return opened

    file = settings.data_dir / "embark.sqlite"
    return SqlRevocations(engine, lambda: settings.database.url is not None or file.exists())


def open_access(settings: Settings, closing: ExitStack) -> Access:
    """Of this process."""
    return Access(open_revocations(settings, closing), time.monotonic)
