"""A folder of documentation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.sources.selection import Selection, enters, public_url
from ingest.types import PageError, RawPage, SourceError


class FolderSource:
    """Pages below `root`, in path order. Links that lead out of `root` are not followed."""

    def __init__(
        self,
        id: str,
        root: Path,
        *,
        include: Sequence[str] = ("**/*",),
        exclude: Sequence[str] = (),
        base_url: str | None = None,
    ) -> None:
        self._id = id
        self._root = root
        self._selection = Selection(include, exclude)
        self._base_url = base_url

    @property
    def id(self) -> str:
        return self._id

    def pages(self) -> Iterator[RawPage | PageError]:
        """Raises SourceError when `root` is no readable folder."""
        for path in sorted(self._paths()):
            yield self._read(path)

    def _paths(self) -> Iterator[str]:
        if not self._root.is_dir():
            kind = "is a file, not a folder" if self._root.exists() else "does not exist"
            raise SourceError(
                f"source {self._id!r}: {self._root} {kind}; give the folder that holds the pages"
            )
        for folder, names, files in os.walk(self._root, onerror=self._refuse):
            names[:] = sorted(name for name in names if enters(name))
            below = Path(folder).relative_to(self._root)
            for name in files:
                path = (below / name).as_posix()
                if self._selection.takes(path) and self._stays_inside(path):
                    yield path

    def _refuse(self, error: OSError) -> None:
        raise SourceError(
            f"source {self._id!r}: {error.filename} cannot be listed: {error.strerror}"
        ) from error

    def _stays_inside(self, path: str) -> bool:
        file = self._root / path
        return not file.is_symlink() or file.resolve().is_relative_to(self._root.resolve())

    def _read(self, path: str) -> RawPage | PageError:
        try:
            data = (self._root / path).read_bytes()
        except OSError as error:
            message = f"the page cannot be read: {error.strerror}"
            return PageError(path, None, message, "check that it exists and may be read")
        return RawPage(path, data, public_url(self._base_url, path))
