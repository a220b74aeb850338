"""lease -> [has the current version changed? open, verify, switch] -> snapshot -> release.

The rules of a hot switch, the same for folders and for collections: whoever holds a lease keeps
its snapshot; the first lease after a change opens the new version while others go on with the old
one; the old one closes with its last lease; a version that does not open is refused and the old
one stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple, Protocol

import structlog

from retrieval.filters import visible
from retrieval.index import IndexUnavailableError, NoIndexError, RetrievalError
from retrieval.library import Snapshot
from retrieval.types import Chunk, Scope

_log = structlog.get_logger(__name__)

RETRY_AFTER_S = 30.0
"""How long a version that did not open is left alone: damage does not heal by asking often."""


class Opened(NamedTuple):
    """An open version, and what releases everything that it holds."""

    snapshot: Snapshot
    release: Callable[[], None]


class Shelf(Protocol):
    """Where versions stand, as a reader sees it."""

    def stamp(self) -> Hashable | None:
        """Changes when the current version may have changed; cheap. None: nothing published.

        Raises IndexUnavailableError.
        """
        ...

    def current(self) -> str:
        """Name of the current version. Raises NoIndexError, IndexUnavailableError."""
        ...

    def open(self, version: str) -> Opened:
        """Open and verify. Raises IndexUnavailableError, leaving nothing open."""
        ...


class _Held:
    def __init__(self, opened: Opened) -> None:
        self.snapshot, self.release = opened
        self.leases = 0


class LeasedLibrary:
    """A `Library` over a shelf."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        retry_after_s: float = RETRY_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shelf = shelf
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._lock = Lock()  # of the fields below; never held while something opens
        self._switching = Lock()
        self._current: _Held | None = None
        self._stamp: Hashable | None = None
        self._draining: dict[str, _Held] = {}
        self._refused: tuple[Hashable, float] | None = None  # stamp, when to try again
        self._closed = False

    @contextmanager
    def lease(self) -> Iterator[Snapshot]:
        """The version that is current now. Raises NoIndexError, IndexUnavailableError."""
        held = self._take()
        try:
            yield held.snapshot
        finally:
            self._give(held)

    def sees(self, scope: Scope, chunk: Chunk) -> bool:
        """By its labels: what is in a version does not change."""
        return any(visible([chunk], scope))

    def close(self) -> None:
        """Release everything that is not leased now, and the rest with its last lease."""
        with self._lock:
            self._closed = True
            held, self._current = self._current, None
            idle = self._retire(held)
        _release(idle)

    def _take(self) -> _Held:
        stamp = self._stamp_now()
        if self._must_switch(stamp):
            self._switch(stamp)
        with self._lock:
            if self._current is None:
                raise IndexUnavailableError("the library is closed")
            self._current.leases += 1
            return self._current

    def _stamp_now(self) -> Hashable | None:
        try:
            return self._shelf.stamp()
        except IndexUnavailableError:
            with self._lock:
                if self._current is None:
                    raise
                return self._stamp

    def _must_switch(self, stamp: Hashable | None) -> bool:
        with self._lock:
            if self._closed:
                return False
            if self._current is None:
                return True
            refused = self._refused
            waiting = refused is not None and refused[0] == stamp and self._clock() < refused[1]
            return stamp not in (None, self._stamp) and not waiting

    def _switch(self, stamp: Hashable | None) -> None:
        """One caller opens the new version; meanwhile the others go on with the old one, if any."""
        if not self._switching.acquire(blocking=self._current is None):
            return
        try:
            if self._must_switch(stamp):
                self._move_to_current(stamp)
        finally:
            self._switching.release()

    def _move_to_current(self, stamp: Hashable | None) -> None:
        if stamp is None:
            raise NoIndexError("nothing is indexed yet; run `embark index run PATH`")
        try:
            opened = self._opened(self._shelf.current())
        except RetrievalError as error:
            newer = self._shelf.stamp()
            if newer not in (None, stamp):  # replaced, and perhaps removed, while it was opened
                self._move_to_current(newer)
            else:
                self._refuse(stamp, error)
            return
        with self._lock:
            old = self._current
            self._current, self._stamp, self._refused = opened, stamp, None
            idle = self._retire(old) if old is not opened else None
        _release(idle)

    def _opened(self, version: str) -> _Held:
        with self._lock:
            if self._current is not None and self._current.snapshot.version == version:
                return self._current
            draining = self._draining.pop(version, None)
        if draining is not None:
            return draining
        opened = self._shelf.open(version)
        _log.info("index.version_opened", version=version)
        return _Held(opened)

    def _refuse(self, stamp: Hashable, error: RetrievalError) -> None:
        with self._lock:
            self._refused = (stamp, self._clock() + self._retry_after_s)
            serving = self._current.snapshot.version if self._current else None
        if serving is None:
            raise error
        _log.error("index.version_refused", reason=str(error), serving=serving)

    def _retire(self, held: _Held | None) -> _Held | None:
        """With the lock held: what may be released at once."""
        if held is None or held.leases == 0:
            return held
        self._draining[held.snapshot.version] = held
        return None

    def _give(self, held: _Held) -> None:
        with self._lock:
            held.leases -= 1
            version = held.snapshot.version
            idle = held.leases == 0 and self._draining.get(version) is held
            if idle:
                del self._draining[version]
        if idle:
            held.release()


def _release(held: _Held | None) -> None:
    if held is not None:
        held.release()
