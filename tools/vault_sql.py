"""Keys of subjects in a table, wrapped; what they open, and whoever holds the table, cannot."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.tenancy import within
from tools.store.engine import READS
from tools.store.wrapping import Wrapping
from tools.tables import subject_key
from tools.vault import KeyDestroyedError

CACHED_S = 60.0
"""How long a key stays in memory: a destroyed one is gone from every process after it (safety
reference, 10.2: withdrawal within 60 s)."""
CACHED = 10_000


class _Cached(NamedTuple):
    key: bytes
    until: float


class SqlVault:
    """Over an engine of `tools.store.engine`; its file may be the journal's or, better for backups,
    another. A key is made at the first use of a subject and never again once destroyed."""

    def __init__(
        self, engine: Engine, master: bytes, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        self._wrapping = Wrapping(master)
        self._monotonic = monotonic
        self._cache: OrderedDict[tuple[str, str], _Cached] = OrderedDict()
        self._lock = threading.Lock()

    def seal(self, tenant: str, subject: str, context: str, plain: bytes) -> bytes:
        return self._wrapping.seal(self._key(tenant, subject), (tenant, subject, context), plain)

    def open(self, tenant: str, subject: str, context: str, sealed: bytes) -> bytes:
        return self._wrapping.open(self._key(tenant, subject), (tenant, subject, context), sealed)

    def mac(self, tenant: str, subject: str, data: bytes) -> str:
        return self._wrapping.mac(self._key(tenant, subject), data)

    def destroy(self, tenant: str, subject: str) -> bool:
        try:
            known = self._read(tenant, subject) is not None
        except KeyDestroyedError:
            return False
        gone = self._insert(subject_key).values(tenant=tenant, subject=subject, wrapped=None)
        with within(tenant), self._engine.begin() as connection:
            connection.execute(
                gone.on_conflict_do_update(
                    index_elements=["tenant", "subject"], set_={"wrapped": None}
                )
            )
        self.forget(tenant, subject)
        return known

    def forget(self, tenant: str, subject: str) -> None:
        """Of this process, such as after another one destroyed the key."""
        with self._lock:
            self._cache.pop((tenant, subject), None)

    def _key(self, tenant: str, subject: str) -> bytes:
        now = self._monotonic()
        with self._lock:
            cached = self._cache.get((tenant, subject))
        if cached is not None and cached.until > now:
            return cached.key
        wrapped = self._read(tenant, subject) or self._made(tenant, subject)
        key = self._wrapping.unwrap(tenant, subject, wrapped)
        with self._lock:
            self._cache[tenant, subject] = _Cached(key, now + CACHED_S)
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return key

    def _read(self, tenant: str, subject: str) -> bytes | None:
        """None when there never was a key. Raises KeyDestroyedError when there was."""
        stored = select(subject_key.c.wrapped).where(
            subject_key.c.tenant == tenant, subject_key.c.subject == subject
        )
        with within(tenant), self._engine.connect().execution_options(**READS) as connection:
            row = connection.execute(stored).first()
        if row is not None and row.wrapped is None:
            raise KeyDestroyedError(f"the key of {subject} was destroyed")
        return None if row is None else bytes(row.wrapped)

    def _made(self, tenant: str, subject: str) -> bytes:
        """Of many that make one at once, the first; everybody uses that."""
        wrapped = self._wrapping.wrap(tenant, subject, self._wrapping.new_key())
        new = self._insert(subject_key).values(tenant=tenant, subject=subject, wrapped=wrapped)
        with within(tenant), self._engine.begin() as connection:
            connection.execute(new.on_conflict_do_nothing())
        stored = self._read(tenant, subject)
        assert stored is not None
        return stored
