"""The files of facts and evidence: what may be known, how it is said, what it is read from."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from onboarding.rules import DataFileError, Place, did_you_mean, read_data
from onboarding.types import UNKNOWN

M = TypeVar("M", bound=BaseModel)
LOCALES = ("en", "de")
"""Every text of a data file has these."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
EventName = Annotated[str, Field(min_length=1, max_length=200)]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,119}$")]
Value = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/#+-]{0,99}$")]


class Strict(BaseModel):
    """Part of a data file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Texts(Strict):
    """One sentence in every locale."""

    en: str
    de: str

    def for_(self, locale: str) -> str:
        """English where a locale is not shipped."""
        return self.de if locale.split("-", maxsplit=1)[0].lower() == "de" else self.en


class FactKind(Strict):
    """`cues` may speak for it; `monotone` fixes the sign of a cue's weight. `label_noise` is the
    share of declared values that are wrong."""

    kind: Literal["nominal", "ordinal"]
    cues: tuple[Name, ...]
    says: Texts
    values: Mapping[Value, Texts] = Field(min_length=2)
    monotone: Mapping[Name, Literal[-1, 1]] = Field(default_factory=dict)
    label_noise: float = Field(default=0.05, ge=0, lt=0.5)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if UNKNOWN in self.values:
            raise ValueError(f"{UNKNOWN} is no value: it means that none is known")
        for name in self.monotone:
            if name not in self.cues:
                raise ValueError(f"{name} is no cue here{did_you_mean(name, self.cues)}")
        return self

    def said(self, value: str, locale: str) -> str:
        """The fact as a sentence in plain words."""
        named = self.values[value].for_(locale) if value in self.values else value
        return self.says.for_(locale).format(value=named)


class FactCatalogue(Strict):
    """By name, in the order of the file."""

    version: Literal[1]
    facts: Mapping[Name, FactKind]
    cues: Mapping[Name, Texts]

    @model_validator(mode="after")
    def _known(self) -> Self:
        for fact, kind in self.facts.items():
            for cue in kind.cues:
                if cue not in self.cues:
                    raise ValueError(f"{fact}: no cue {cue}{did_you_mean(cue, self.cues)}")
        return self


class CueRule(Strict):
    """Where one cue is read: values of a field, words of a text, bins of a number, the class of a
    domain, a count of events, an event that means a value by itself, or a feature. Exactly one.

    `values` may say which of ours a tenant's own value is; `of` account takes colleagues' events
    too. `first` events alone count; `where` keeps those whose field has one of these values.
    """

    cue: Name
    event: EventName | None = None
    field: FieldName | None = None
    of: Literal["user", "account"] = "user"
    first: int | None = Field(default=None, ge=1)
    values: tuple[Value, ...] | Mapping[Value, Value] = ()
    words: Mapping[Name, tuple[str, ...]] = Field(default_factory=dict)
    bins: tuple[float, ...] = ()
    domain: bool = False
    count: bool = False
    means: Value | None = None
    where: tuple[Value, ...] = ()
    feature: Name | None = None
    low: float = -5.0
    high: float = 5.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        of_field = (self.values, self.words, self.bins, self.domain)
        ways = (*of_field, self.count, self.means, self.feature)
        if sum(map(bool, ways)) != 1:
            raise ValueError(
                "a cue has one of values, words, bins, domain, count, means or feature"
            )
        if (self.feature is None) == (self.event is None):
            raise ValueError("a cue is read from an event or from a feature")
        if (any(of_field) or self.where) and self.field is None:
            raise ValueError("name the field that the values are of")
        return self

    @property
    def known(self) -> Mapping[str, str]:
        """A tenant's value -> ours."""
        given = self.values
        return given if isinstance(given, Mapping) else {value: value for value in given}


class EvidenceSpec(Strict):
    """All cues of a tenant."""

    version: Literal[1]
    cues: tuple[CueRule, ...]


def load_facts(path: Path | None = None) -> FactCatalogue:
    """The shipped file when none is given. Raises DataFileError."""
    return read_data(path).parse(FactCatalogue) if path else _shipped("facts.yaml", FactCatalogue)


def load_evidence(facts: FactCatalogue, path: Path | None = None) -> EvidenceSpec:
    """Raises DataFileError, also for a cue that no fact knows."""
    if path is None:
        return _shipped("evidence.yaml", EvidenceSpec)
    file = read_data(path)
    spec = file.parse(EvidenceSpec)
    problems = []
    for number, rule in enumerate(spec.cues):
        if rule.cue not in facts.cues:
            place: Place = ("cues", number, "cue")
            meant = did_you_mean(rule.cue, facts.cues)
            problems.append(f"{file.at(place)}: cues.{number}.cue: no cue {rule.cue}{meant}")
    if problems:
        raise DataFileError(problems)
    return spec


def _shipped(name: str, model: type[M]) -> M:
    with as_file(files("onboarding.profile") / "definitions" / name) as path:
        return read_data(path).parse(model)
