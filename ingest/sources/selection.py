"""Which paths of a source are pages, and where they are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ingest.globs import Glob
from ingest.parsing import SUFFIXES

_SKIPPED_FOLDERS = {"node_modules", "__pycache__", "venv", "bower_components"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Globs over page paths. Hidden files and folders of dependencies are never pages."""

    include: Sequence[str] = ("**/*",)
    exclude: Sequence[str] = ()
    _include: Glob = field(init=False, repr=False, compare=False)
    _exclude: Glob = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_include", Glob(self.include))
        object.__setattr__(self, "_exclude", Glob(self.exclude))

    def takes(self, path: str) -> bool:
        """Whether the file at `path`, below the root and posix, is a page."""
        place = PurePosixPath(path)
        if place.suffix.lower() not in SUFFIXES or not all(map(enters, place.parts)):
            return False
        return self._include.matches(path) and not self._exclude.matches(path)


def enters(name: str) -> bool:
    """Whether a folder or file of this name may hold pages."""
    return not name.startswith(".") and name not in _SKIPPED_FOLDERS


def public_url(base_url: str | None, path: str) -> str | None:
    """Address of a page below `base_url`: no suffix, `index` as its folder."""
    if base_url is None:
        return None
    place = PurePosixPath(path)
    stem = place.parent if place.stem.lower() in {"index", "_index", "readme"} else place
    tail = "" if str(stem) == "." else str(stem.with_suffix("") if stem == place else stem)
    return f"{base_url.rstrip('/')}/{tail}"
