"""Names for sets of events, and which event answers which: `classes.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from onboarding.events import EventCatalogue
from onboarding.rules import DataFileError, Problem, did_you_mean, read_data

CLASSES_FILE: Final = "classes.yaml"
CORE: Final = "core"
ANY: Final = "any"


class ClassesFile(BaseModel):
    """`pairs`: by name, errors each with the events that show that it is overcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    pairs: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Classes:
    """`core` is what the catalogue says is using the product; `any` is every event."""

    sets: Mapping[str, frozenset[str] | None]
    pairs: Mapping[str, tuple[tuple[str, frozenset[str]], ...]]


def load_classes(folders: tuple[Path, ...], catalogue: EventCatalogue) -> Classes:
    """What a later folder says of a name counts. Raises DataFileError."""
    sets: dict[str, frozenset[str] | None] = {CORE: catalogue.core, ANY: None}
    pairs: dict[str, tuple[tuple[str, frozenset[str]], ...]] = {}
    problems: list[str] = []
    for folder in folders:
        path = folder / CLASSES_FILE
        if not path.exists():
            continue
        file = read_data(path)
        found = file.parse(ClassesFile)
        problems += [file.told(each) for each in _unknown(found, catalogue)]
        sets |= {name: frozenset(events) for name, events in found.classes.items()}
        for name, given in found.pairs.items():
            pairs[name] = tuple((error, frozenset(given[error])) for error in sorted(given))
    if problems:
        raise DataFileError(problems)
    return Classes(sets, pairs)


def _unknown(file: ClassesFile, catalogue: EventCatalogue) -> list[Problem]:
    named: list[tuple[tuple[str | int, ...], str]] = [
        (("classes", name, place), event)
        for name, events in file.classes.items()
        for place, event in enumerate(events)
    ]
    for name, given in file.pairs.items():
        named += [(("pairs", name, error), error) for error in given]
        named += [
            (("pairs", name, error, place), answer)
            for error, answers in given.items()
            for place, answer in enumerate(answers)
        ]
    return [
        Problem(
            place, "unknown_event", f"there is no event {e!r}{did_you_mean(e, catalogue.names)}"
        )
        for place, e in named
        if e not in catalogue
    ]
