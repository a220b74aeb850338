"""YAML -> features: a formula each, checked against classes and contracts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from onboarding.events import EventCatalogue
from onboarding.features.checking import check_measures
from onboarding.features.classes import CLASSES_FILE, Classes, load_classes
from onboarding.features.compiling import FeatureSet
from onboarding.features.formulas import FormulaError, Name, names_of, parse
from onboarding.features.measures import MEASURES
from onboarding.features.types import Feature, Score, ScoreTerm
from onboarding.rules import (
    DataFile,
    DataFileError,
    Problem,
    did_you_mean,
    read_data,
)

SHIPPED: Final = Path(str(files("onboarding.features"))) / "definitions"
GIVEN: Final = "given."
"""Before a number that comes with the question, such as `given.progress`."""
SCORE_FILE: Final = "engagement.yaml"
LANGUAGE: Final = 1
"""Part of every hash: raised when a measure comes to mean something else."""
FeatureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_{}]{0,79}$")]


class FeatureEntry(BaseModel):
    """A feature as a file says it. `missing` stands where there is nothing to measure; `for` makes
    one of it for each value, put where its name stands in braces."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    formula: str
    missing: float | str | None = None
    kind: Literal["number", "category"] = "number"
    about: str = ""
    each: dict[str, tuple[str, ...]] = Field(default_factory=dict, alias="for")


class FeaturesFile(BaseModel):
    """One family. What it measures serves product analytics and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: Literal["product_analytics"]
    features: dict[FeatureName, FeatureEntry]


class TermEntry(BaseModel):
    """A part of the score: a formula from 0 to 1, and its sentence for whom it is about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float
    formula: str
    about: Annotated[str, Field(min_length=1)]


class ScoreFile(BaseModel):
    """`scale * clip(sum of weight * term, 0, 1)`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: FeatureName
    version: int
    scale: float
    purpose: Literal["product_analytics"]
    terms: dict[FeatureName, TermEntry]


def load_features(catalogue: EventCatalogue, *folders: Path) -> FeatureSet:
    """Of every `*.yaml` of the folders. Raises DataFileError with all mistakes."""
    classes = load_classes(folders, catalogue)
    reading = _Reading(catalogue, classes)
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            if path.name != CLASSES_FILE:
                reading.read(path)
    return reading.done()


class _Reading:
    def __init__(self, catalogue: EventCatalogue, classes: Classes) -> None:
        self._catalogue = catalogue
        self._classes = classes
        self._features: dict[str, Feature] = {}
        self._score: Score | None = None
        self._problems: list[str] = []

    def read(self, path: Path) -> None:
        try:
            file = read_data(path)
            if path.name == SCORE_FILE:
                self._read_score(file, file.parse(ScoreFile))
                return
            for name, entry in file.parse(FeaturesFile).features.items():
                for each, formula in _expanded(name, entry):
                    self._add(file, ("features", name), each, formula, entry)
        except DataFileError as failure:
            self._problems += failure.problems

    def done(self) -> FeatureSet:
        self._problems += list(self._unknown_names())
        if self._problems:
            raise DataFileError(self._problems)
        ordered = _in_order(self._features)
        return FeatureSet(ordered, self._classes, self._score, self._hash(ordered))

    def _read_score(self, file: DataFile, entry: ScoreFile) -> None:
        terms: list[ScoreTerm] = []
        for name, each in entry.terms.items():
            feature = f"{entry.score}_{name}"
            missing = FeatureEntry(formula=each.formula, missing=0.0, about=each.about)
            self._add(file, ("terms", name), feature, each.formula, missing)
            terms.append(ScoreTerm(feature, each.weight, each.about))
        whole = " + ".join(f"{term.feature} * ({term.weight!r})" for term in terms)
        formula = f"{entry.scale!r} * clip({whole.replace('(-', '(0 - ')}, 0, 1)"
        told = FeatureEntry(formula=formula, missing=0.0, about="How much the product is used")
        self._add(file, ("score",), entry.score, formula, told)
        self._score = Score(entry.score, entry.version, entry.scale, tuple(terms))

    def _add(
        self,
        file: DataFile,
        place: tuple[str | int, ...],
        name: str,
        text: str,
        entry: FeatureEntry,
    ) -> None:
        spot = (*place, "formula") if file.has((*place, "formula")) else place
        try:
            term = parse(text, frozenset(MEASURES))
            check_measures(term, self._classes, self._catalogue, is_category=_is_category(entry))
        except FormulaError as wrong:
            message = f"{wrong}, at character {wrong.at + 1} of {text!r}"
            self._problems.append(file.told(Problem(spot, "formula", message)))
            return
        if name in self._features:
            told = f"{name} stands in {self._features[name].place} too"
            self._problems.append(file.told(Problem(place, "twice", told)))
            return
        missing = entry.missing if entry.missing is not None else _nothing(entry)
        self._features[name] = Feature(
            name, term, missing, _is_category(entry), entry.about, text, file.at(spot)
        )

    def _unknown_names(self) -> Iterator[str]:
        for feature in self._features.values():
            for each in names_of(feature.term):
                if each.name.startswith(GIVEN) or each.name in self._features:
                    continue
                mend = did_you_mean(each.name, self._features)
                yield f"{feature.place}: {feature.name}: there is no feature {each.name}{mend}"

    def _hash(self, ordered: tuple[Feature, ...]) -> str:
        said = {
            "language": LANGUAGE,
            "features": [[each.name, each.text, each.missing] for each in ordered],
            "classes": {
                name: None if events is None else sorted(events)
                for name, events in self._classes.sets.items()
            },
            "pairs": {
                name: [[error, sorted(answers)] for error, answers in pairs]
                for name, pairs in self._classes.pairs.items()
            },
        }
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _expanded(name: str, entry: FeatureEntry) -> Iterator[tuple[str, str]]:
    """Name and formula, once for every combination of values."""
    keys = list(entry.each)
    for values in product(*(entry.each[key] for key in keys)):
        filled: dict[str, Any] = dict(zip(keys, values, strict=True))
        yield _filled(name, filled), _filled(entry.formula, filled)


def _filled(text: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    return text


def _is_category(entry: FeatureEntry) -> bool:
    return entry.kind == "category"


def _nothing(entry: FeatureEntry) -> float | str:
    return "unknown" if _is_category(entry) else 0.0


def _in_order(features: Mapping[str, Feature]) -> tuple[Feature, ...]:
    """Each after those that it is made of. Raises DataFileError for a ring."""
    done: dict[str, Feature] = {}

    def visit(feature: Feature, path: tuple[str, ...]) -> None:
        if feature.name in done:
            return
        if feature.name in path:
            ring = " -> ".join((*path, feature.name))
            raise DataFileError([f"{feature.place}: {feature.name}: made of itself: {ring}"])
        for each in _inner(feature):
            visit(features[each.name], (*path, feature.name))
        done[feature.name] = feature

    for name in sorted(features):
        visit(features[name], ())
    return tuple(done.values())


def _inner(feature: Feature) -> tuple[Name, ...]:
    return tuple(each for each in names_of(feature.term) if not each.name.startswith(GIVEN))
