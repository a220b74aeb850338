"""Slots of workers: who holds one proves that its last holder is dead.

A killed worker's leases need not run out: whoever gets its slot ends them at once. Nothing else
rests on it: a lease that ended too early is caught by its fence and by the class of the effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Protocol

import portalocker
from sqlalchemy import Connection, Engine, text

from tools.canonical import new_id

MOST = 8
"""Slots of one journal; further workers run without, and are waited for by their leases."""
TRIES, PAUSE_S = 10, 0.05
_FAMILY = 0x454D4252  # first key of our advisory locks in PostgreSQL: "EMBR"


class Slots(Protocol):
    """The slots of one journal. Blocking calls."""

    def take(self) -> str:
        """The name of a slot that is ours until `close` or death."""
        ...

    def orphaned(self) -> Generator[str, None, None]:
        """The slots that nobody holds, one by one; nobody can take one until the next is asked
        for. Exhaust or close it."""
        ...

    def close(self) -> None: ...


def _name(number: int) -> str:
    return f"slot-{number}"


def _taken(took: Callable[[int], bool]) -> str:
    """The first that can be had. One that is only being looked at by `orphaned` is free again
    within moments, so all of them are tried more than once."""
    for _ in range(TRIES):
        for number in range(MOST):
            if took(number):
                return _name(number)
        time.sleep(PAUSE_S)
    return f"free-{new_id()}"


class FileSlots:
    """Lock files in a folder of the host whose processes share the journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: portalocker.Lock | None = None

    def take(self) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        return _taken(self._took)

    def _took(self, number: int) -> bool:
        self._mine = self._locked(number)
        return self._mine is not None

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

    def orphaned(self) -> Generator[str, None, None]:
        used = [n for n in range(MOST) if (self._folder / f"worker-{n}.lock").exists()]
        for number in used:
            lock = self._locked(number)
            if lock is None:
                continue
            try:
                yield _name(number)
            finally:
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
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._held = session
        return _taken(lambda number: self._locked(session, number))

    def orphaned(self) -> Generator[str, None, None]:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
            for number in range(MOST):
                if not self._locked(session, number):
                    continue
                try:
                    yield _name(number)
                finally:
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
