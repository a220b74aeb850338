"""Slots of workers: who holds one proves that its last holder is dead.

A killed worker's leases need not run out: whoever gets its slot ends them at once. Nothing else
rests on it: a lease that ended too early is caught by its fence and by the class of the effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import portalocker
from sqlalchemy import Connection, Engine, text

from tools.canonical import new_id

MOST = 8
"""Slots of one journal; further workers run without, and are waited for by their leases."""
_FAMILY = 0x454D4252  # first key of our advisory locks in PostgreSQL: "EMBR"


class Slots(Protocol):
    """The slots of one journal. Blocking calls."""

    def take(self) -> str:
        """The name of a slot that is ours until `close` or death."""
        ...

    @contextmanager
    def orphaned(self) -> Iterator[tuple[str, ...]]:
        """Names of the slots that nobody holds; nobody can take one inside the block."""
        ...

    def close(self) -> None: ...


def _name(number: int) -> str:
    return f"slot-{number}"


class FileSlots:
    """Lock files in a folder of the host whose processes share the journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: portalocker.Lock | None = None

    def take(self) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(MOST):
            lock = self._locked(number)
            if lock is not None:
                self._mine = lock
                return _name(number)
        return f"free-{new_id()}"

    def _locked(self, number: int) -> portalocker.Lock | None:
        lock = portalocker.Lock(
            self._folder / f"worker-{number}.lock",
            mode="a",
            flags=portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING,
            timeout=0,
        )
        try:
            lock.acquire()
        except portalocker.LockException:
            return None
        return lock

    @contextmanager
    def orphaned(self) -> Iterator[tuple[str, ...]]:
        used = [n for n in range(MOST) if (self._folder / f"worker-{n}.lock").exists()]
        locks = {n: lock for n in used if (lock := self._locked(n)) is not None}
        try:
            yield tuple(_name(number) for number in locks)
        finally:
            for lock in locks.values():
                lock.release()

    def close(self) -> None:
        if self._mine is not None:
            self._mine.release()
            self._mine = None


class PostgresSlots:
    """Session advisory locks, on one connection that lives as long as the worker."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: Connection | None = None

    def take(self) -> str:
        self._held = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for number in range(MOST):
            if self._locked(self._held, number):
                return _name(number)
        return f"free-{new_id()}"

    @contextmanager
    def orphaned(self) -> Iterator[tuple[str, ...]]:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
            numbers = [n for n in range(MOST) if self._locked(session, n)]
            try:
                yield tuple(_name(number) for number in numbers)
            finally:
                for number in numbers:
                    self._call(session, "pg_advisory_unlock", number)

    def _locked(self, session: Connection, number: int) -> bool:
        return self._call(session, "pg_try_advisory_lock", number)

    def _call(self, session: Connection, function: str, number: int) -> bool:
        """Locks are of the database; the schema keeps its journals apart."""
        key = f"hashtext(current_schema()) # {_FAMILY}"
        return bool(session.scalar(text(f"SELECT {function}({key}, {number})")))

    def close(self) -> None:
        if self._held is not None:
            self._held.invalidate()  # the session ends, and its locks with it
            self._held.close()
            self._held = None
