"""A contract: what an event may hold, what each field may be used for, and how long it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

from guardrails.consent import Purpose
from onboarding.rules import DataFile, read_data
from onboarding.types import EventKind

CONTEXT: Final = "context."
"""Before the name of a field that comes from the message's context."""
CONTEXT_FILE: Final = "context.yaml"
MAX_TEXT: Final = 200
"""Characters of a text whose contract says nothing else."""
_VERSION = re.compile(r"(\d{1,4})-(\d{1,4})-(\d{1,4})")


class FieldType(StrEnum):
    """What a field holds. `strings` is a list of texts, `time` an ISO 8601 text."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRINGS = "strings"
    TIME = "time"


class Identity(StrEnum):
    """Whose ids a message has to carry."""

    USER = "user"
    ANONYMOUS = "anonymous"
    ACCOUNT = "account"


class Version(NamedTuple):
    """MODEL-REVISION-ADDITION: what breaks readers, what may break old data, what only adds."""

    model: int
    revision: int
    addition: int

    @classmethod
    def of(cls, text: str) -> Version:
        """Raises ValueError."""
        found = _VERSION.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no version: MODEL-REVISION-ADDITION, such as 1-0-0")
        return cls(*map(int, found.groups()))

    @override
    def __str__(self) -> str:
        return f"{self.model}-{self.revision}-{self.addition}"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field. `least` and `most` bound a number; `most` is characters of a text. Without a
    purpose nothing of the field is ever kept. `sensitive` fields never become features."""

    name: str
    type: FieldType
    required: bool = False
    purposes: frozenset[Purpose] = frozenset()
    sensitive: bool = False
    values: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of one event. `fields` are by their name in `Event.fields`; `purposes` are of the
    fact that it happened. `extra` says what becomes of a property that is not planned."""

    event: str
    version: Version
    kind: EventKind = EventKind.TRACK
    identity: frozenset[Identity] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    fields: Mapping[str, FieldSpec] = field(default_factory=lambda: MappingProxyType({}))
    retention_days: int | None = None
    extra: Literal["quarantine", "drop"] = "quarantine"
    core: bool = False
    about: str = ""
    place: str = ""


class FieldEntry(BaseModel):
    """A field as a file says it."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    type: FieldType
    required: bool = False
    purpose: tuple[Purpose, ...] = ()
    sensitive: bool = False
    enum: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    about: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.enum and self.type not in {FieldType.STRING, FieldType.STRINGS}:
            raise ValueError(f"enum is of texts, and the field is of type {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def spec(self, name: str) -> FieldSpec:
        texts = {FieldType.STRING, FieldType.STRINGS}
        most = self.max if self.max is not None else MAX_TEXT if self.type in texts else None
        return FieldSpec(
            name,
            self.type,
            self.required,
            frozenset(self.purpose),
            self.sensitive,
            self.enum,
            self.min,
            most,
        )


FieldName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,99}$")]
Fields = dict[FieldName, FieldEntry]


class ContractEntry(BaseModel):
    """A contract as a file says it. Of `identify` and `group` the fields are traits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: Annotated[str, Field(pattern=r"^\S(.{0,98}\S)?$")]
    version: str
    kind: EventKind = EventKind.TRACK
    identity: tuple[Identity, ...] = ()
    purpose: tuple[Purpose, ...] | None = None
    properties: Fields = Field(default_factory=dict)
    traits: Fields = Field(default_factory=dict)
    context: Fields = Field(default_factory=dict)
    retention: Annotated[str, Field(pattern=r"^[1-9]\d{0,4}d$")] | None = None
    extra: Literal["quarantine", "drop"] = "quarantine"
    core: bool = False
    about: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        Version.of(self.version)
        if self.kind is not EventKind.TRACK and self.event != self.kind:
            raise ValueError(f"the event of kind {self.kind} is called {self.kind.value!r}")
        has_traits = self.kind in {EventKind.IDENTIFY, EventKind.GROUP}
        if self.traits and not has_traits:
            raise ValueError(f"an event of kind {self.kind} has properties, no traits")
        if self.properties and has_traits:
            raise ValueError(f"an event of kind {self.kind} has traits, no properties")
        return self


class ContextEntry(BaseModel):
    """Fields that every event's context may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context: Fields


def read_contract(path: Path, shared: Mapping[str, FieldSpec]) -> Contract:
    """`shared` are context fields that hold for every event. Raises DataFileError."""
    file = read_data(path)
    return _contract(file, file.parse(ContractEntry), shared)


def read_context(path: Path) -> dict[str, FieldSpec]:
    """Raises DataFileError."""
    return _context(read_data(path).parse(ContextEntry).context)


def _contract(file: DataFile, entry: ContractEntry, shared: Mapping[str, FieldSpec]) -> Contract:
    own = {name: each.spec(name) for name, each in (entry.properties | entry.traits).items()}
    everywhere = dict(shared) | _context(entry.context)
    used = frozenset(purpose for spec in own.values() for purpose in spec.purposes)
    days = None if entry.retention is None else int(entry.retention[:-1])
    return Contract(
        entry.event,
        Version.of(entry.version),
        entry.kind,
        frozenset(entry.identity),
        used if entry.purpose is None else frozenset(entry.purpose),
        MappingProxyType(own | everywhere),
        days,
        entry.extra,
        entry.core,
        entry.about,
        file.at(("event",)),
    )


def _context(entries: Mapping[str, FieldEntry]) -> dict[str, FieldSpec]:
    return {CONTEXT + name: each.spec(CONTEXT + name) for name, each in entries.items()}
