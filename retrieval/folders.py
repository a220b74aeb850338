"""The layout of an embedded index, and who holds which part of it.

    current             one line: the name of the version that is served
    docs__<fp>_<utc>/   an immutable version: shard/, chunks.sqlite, manifest.json
    building/           a version under construction; swept by the next writer
    private/            copies for processes that are not the owner of a shard
    holders/            a locked file for every process that has a version open
    manifest.sqlite     all versions that ever were
    writer.lock         one writer at a time

Locks are the operating system's and end with their process, however it ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import orjson
import portalocker
from typing_extensions import override

from retrieval.index import IndexLockedError, IndexUnavailableError, NoIndexError
from retrieval.manifest import is_version_name

SHARD, STORE, MANIFEST = "shard", "chunks.sqlite", "manifest.json"
_EXCLUSIVE = portalocker.LockFlags.EXCLUSIVE
_AT_ONCE = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a version open, or holds the writer's lock."""

    pid: int
    host: str
    command: str
    version: str | None = None

    @override
    def __str__(self) -> str:
        return f"`{self.command}` (process {self.pid} on {self.host})"


class Claim(NamedTuple):
    """A version held open by this process; `private` is its own scratch folder, not made yet."""

    private: Path
    release: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Folders:
    """Paths and locks below `root`, which is created (mode 0700) when something is written."""

    root: Path

    def version(self, name: str) -> Path:
        return self.root / name

    @property
    def building(self) -> Path:
        return self.root / "building"

    @property
    def catalog(self) -> Path:
        return self.root / "manifest.sqlite"

    def versions(self) -> list[str]:
        """Names of all version folders, oldest first."""
        if not self.root.is_dir():
            return []
        names = [entry.name for entry in self.root.iterdir() if is_version_name(entry.name)]
        return sorted(names, key=lambda name: name.rpartition("_")[2])

    def stamp(self) -> Hashable | None:
        """Identity of the pointer file: another one after every swap. None: there is none."""
        try:
            found = (self.root / "current").stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IndexUnavailableError(f"{self.root} cannot be read: {error}") from error
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def current(self) -> str:
        """Raises NoIndexError, IndexUnavailableError (the pointer file is damaged)."""
        pointer = self.root / "current"
        try:
            name = pointer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise NoIndexError("nothing is indexed yet; run `embark index run PATH`") from None
        except (OSError, UnicodeDecodeError) as error:
            raise IndexUnavailableError(f"{pointer} cannot be read: {error}") from error
        if not is_version_name(name):
            raise IndexUnavailableError(
                f"{pointer} does not name a version; run `embark index rollback --to VERSION` "
                "(`embark index status` lists them)"
            )
        return name

    def point_to(self, name: str) -> None:
        """Swap the pointer: after a crash at any moment it names the old or the new version."""
        fresh = self.root / f"current.{secrets.token_hex(4)}.tmp"
        with fresh.open("w", encoding="utf-8") as opened:
            opened.write(f"{name}\n")
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(self.root / "current")
        sync_folder(self.root)

    def claim(self, name: str) -> Claim:
        """Hold a version, so that `remove` spares it until the release."""
        token = f"{os.getpid()}-{secrets.token_hex(4)}"
        lock = self.root / "holders" / name / f"{token}.json"
        with self._turnstile():
            lock.parent.mkdir(parents=True, exist_ok=True)
            opened = _locked(lock, name)
        private = self.root / "private" / token

        def release() -> None:
            shutil.rmtree(private, ignore_errors=True)
            lock.unlink(missing_ok=True)
            opened.close()

        return Claim(private, release)

    def holders(self) -> list[Holder]:
        """Every living process that has a version open. What the dead left behind is removed."""
        found = []
        with self._turnstile():
            for lock in sorted((self.root / "holders").glob("*/*.json")):
                holder = _holder_of(lock)
                if holder is None:
                    shutil.rmtree(self.root / "private" / lock.stem, ignore_errors=True)
                    lock.unlink(missing_ok=True)
                else:
                    found.append(holder)
        return found

    def remove(self, name: str) -> bool:
        """Delete a version unless somebody holds it. True when it is gone."""
        self.holders()
        grave = self.root / "building" / f"removed-{secrets.token_hex(4)}"
        with self._turnstile():
            folder = self.root / "holders" / name
            if any(folder.glob("*.json")):
                return False
            shutil.rmtree(folder, ignore_errors=True)
            grave.parent.mkdir(exist_ok=True)
            if self.version(name).exists():
                self.version(name).rename(grave)
        shutil.rmtree(grave, ignore_errors=True)
        return True

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The writer's lock. Raises IndexLockedError, naming the holder, at once."""
        self.make()
        lock = self.root / "writer.lock"
        with lock.open("a+", encoding="utf-8") as opened:
            with self._turnstile():  # nobody looks at the lock meanwhile
                try:
                    portalocker.lock(opened, _AT_ONCE)
                except portalocker.LockException as error:
                    raise IndexLockedError(str(_described(lock) or "a starting process")) from error
                _describe(opened, None)
            try:
                yield
            finally:
                opened.truncate(0)

    def writer(self) -> Holder | None:
        """Who holds the writer's lock now."""
        if not self.root.is_dir():
            return None
        with self._turnstile():  # looking takes the lock for a moment
            return _holder_of(self.root / "writer.lock")

    def make(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def _turnstile(self) -> Iterator[None]:
        """Held for microseconds: whoever takes, looks at or removes what can be held waits here."""
        self.make()
        with (self.root / "turnstile.lock").open("a") as opened:
            portalocker.lock(opened, _EXCLUSIVE)
            yield


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows has no such call and does it by itself."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _locked(path: Path, version: str) -> IO[str]:
    opened = path.open("a+", encoding="utf-8")
    portalocker.lock(opened, _AT_ONCE)
    _describe(opened, version)
    return opened


def _describe(opened: IO[str], version: str | None) -> None:
    opened.truncate(0)
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]),
        "version": version,
    }
    opened.write(orjson.dumps(holder).decode())
    opened.flush()


def _holder_of(lock: Path) -> Holder | None:
    """Who holds this lock file; None when nobody does."""
    try:
        with lock.open("r+", encoding="utf-8") as opened:
            portalocker.lock(opened, _AT_ONCE)
    except FileNotFoundError:
        return None
    except portalocker.LockException:
        return _described(lock) or Holder(0, "this host", "a starting process")
    return None


def _described(lock: Path) -> Holder | None:
    try:
        return Holder(**orjson.loads(lock.read_bytes()))
    except (ValueError, TypeError):
        return None
