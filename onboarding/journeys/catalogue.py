"""Files -> journeys, plays, kits and guides of one release, each with where it stands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from onboarding.journeys.format import Journey
from onboarding.journeys.guides import Guide
from onboarding.journeys.kits import Kit
from onboarding.rules import DataFile, DataFileError, data_of, read_data

Definition = Journey | Kit | Guide


class FileKind(StrEnum):
    """What a file defines, which is its first key."""

    JOURNEY = "journey"
    PLAY = "play"
    KIT = "kit"
    GUIDE = "guide"


FOLDERS: Mapping[FileKind, str] = MappingProxyType(
    {
        FileKind.JOURNEY: "journeys",
        FileKind.PLAY: "plays",
        FileKind.KIT: "kits",
        FileKind.GUIDE: "guides",
    }
)
_MODELS: Mapping[FileKind, type[Any]] = MappingProxyType(
    {
        FileKind.JOURNEY: Journey,
        FileKind.PLAY: Journey,
        FileKind.KIT: Kit,
        FileKind.GUIDE: Guide,
    }
)


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one definition; what is stored of it."""

    kind: FileKind
    name: str
    version: int
    text: str
    path: str = field(default="", compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Defined:
    """A definition with its file and text."""

    value: Definition
    file: DataFile
    source: Source


class Catalogue:
    """One version of each definition. Raises DataFileError for a name that is there twice."""

    def __init__(self, defined: Iterable[Defined] = ()) -> None:
        self.defined = tuple(sorted(defined, key=lambda d: (d.source.kind, d.source.name)))
        if twice := list(_twice(self.defined)):
            raise DataFileError(twice)
        by_kind: dict[FileKind, dict[str, Any]] = {kind: {} for kind in FileKind}
        for each in self.defined:
            by_kind[each.source.kind][each.source.name] = each.value
        self.journeys: Mapping[str, Journey] = MappingProxyType(by_kind[FileKind.JOURNEY])
        self.plays: Mapping[str, Journey] = MappingProxyType(by_kind[FileKind.PLAY])
        self.kits: Mapping[str, Kit] = MappingProxyType(by_kind[FileKind.KIT])
        self.guides: Mapping[str, Guide] = MappingProxyType(by_kind[FileKind.GUIDE])

    @property
    def digest(self) -> str:
        """SHA-256 over all definitions: equal catalogues have equal ones."""
        told = "\n".join(f"{d.source.kind}/{d.source.name} {d.source.digest}" for d in self.defined)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(each.source for each in self.defined)

    def journey(self, name: str) -> Journey | None:
        """A journey or play of this name."""
        return self.journeys.get(name) or self.plays.get(name)


def load_folder(folder: Path, kinds: Collection[FileKind] = tuple(FileKind)) -> Catalogue:
    """`journeys/`, `plays/`, `kits/` and `guides/` below it, those that are there. Raises
    DataFileError with the mistakes of all."""
    names = [name for kind, name in FOLDERS.items() if kind in kinds]
    paths = [path for name in names for path in sorted((folder / name).glob("*.yaml"))]
    return _catalogue(partial(read_data, path) for path in paths)


def load_sources(sources: Iterable[Source]) -> Catalogue:
    """The same from stored texts. Raises DataFileError."""
    return _catalogue(
        partial(data_of, each.text, each.path or f"{each.kind}/{each.name}@{each.version}")
        for each in sources
    )


def defined(file: DataFile) -> Defined:
    """Raises DataFileError."""
    first = str(next(iter(file.plain), ""))
    if first not in _MODELS:
        known = ", ".join(f"{kind}: NAME" for kind in FileKind)
        raise DataFileError([f"{file.at(())}: the file: begins with {known}, not {first}"])
    kind = FileKind(first)
    value: Definition = file.parse(_MODELS[kind])
    return Defined(value, file, Source(kind, value.name, value.version, file.text, file.path))


def _catalogue(readers: Iterable[Callable[[], DataFile]]) -> Catalogue:
    found: list[Defined] = []
    problems: list[str] = []
    for read in readers:
        try:
            found.append(defined(read()))
        except DataFileError as wrong:
            problems += wrong.problems
    if problems:
        raise DataFileError(problems)
    return Catalogue(found)


def _twice(ordered: Sequence[Defined]) -> Iterator[str]:
    for earlier, later in pairwise(ordered):
        mine, its = later.source, earlier.source
        if (mine.kind, mine.name) == (its.kind, its.name):
            told = f"{mine.name} is defined in {its.path} too"
            yield f"{later.file.at((mine.kind.value,))}: {mine.kind}: {told}"
