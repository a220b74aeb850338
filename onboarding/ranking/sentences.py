"""Groups of features, and the approved sentences that may be said of them, a file a locale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from onboarding.ranking.affinity import FIT
from onboarding.rules import Compared, DataFileError, read_data
from onboarding.types import FeatureValue, Why

FALLBACK: Final = "en"
AND: Final = "+"
"""Between the keys of a reason of two groups: their sentences are said one after the other."""
OTHER: Final = "other"
"""The group of columns that no pattern names; nothing is said of it."""


class Group(BaseModel):
    """`when` are comparisons of features that have to hold; `values` fill the sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    group: str
    features: tuple[str, ...] = Field(min_length=1)
    when: dict[str, Compared] = Field(default_factory=dict)
    values: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"why.{self.group}"

    def holds(self, values: Mapping[str, FeatureValue]) -> bool:
        """Whether its sentence is true of this snapshot."""
        return all(test.compiled()(values.get(name)) for name, test in self.when.items())


class _Groups(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int
    groups: tuple[Group, ...]


class _Locale(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    locale: str
    sentences: dict[str, str]
    values: dict[str, dict[str, str]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Sentences:
    """By locale; every locale has every key, with the same blanks to fill."""

    groups: tuple[Group, ...]
    locales: Mapping[str, _Locale]

    def group_of(self, column: str) -> str:
        """A column `fit.GROUP` belongs to its group."""
        if column.startswith(FIT):
            return column.removeprefix(FIT)
        return next(
            (g.group for g in self.groups if any(fnmatchcase(column, p) for p in g.features)),
            OTHER,
        )

    def spoken(self, name: str, values: Mapping[str, FeatureValue]) -> Why | None:
        """What may be said of a group: None without a sentence, where it is not true, or where a
        value has no word in one of the locales."""
        group = next((each for each in self.groups if each.group == name), None)
        if group is None or not self._has(group.key) or not group.holds(values):
            return None
        filled = {each: str(values.get(each, "")) for each in group.values}
        if not all(self._worded(each, value) for each, value in filled.items()):
            return None
        return Why(group.key, filled)

    def said(self, why: Why, locale: str) -> str | None:
        """The sentence; None for a key that is not of this list, such as a rule's own reason."""
        spoken = self._locale(locale)
        keys = why.key.split(AND)
        if not all(key in spoken.sentences for key in keys):
            return None
        words = {
            name: spoken.values.get(name, {}).get(value, value)
            for name, value in why.values.items()
        }
        return " ".join(spoken.sentences[key].format_map(words) for key in keys)

    def _locale(self, locale: str) -> _Locale:
        language = locale.split("-", maxsplit=1)[0]
        return self.locales.get(locale) or self.locales.get(language) or self.locales[FALLBACK]

    def _has(self, key: str) -> bool:
        return all(key in each.sentences for each in self.locales.values())

    def _worded(self, name: str, value: str) -> bool:
        return all(value in each.values.get(name, {}) for each in self.locales.values())


def joined(whys: Sequence[Why]) -> Why:
    """One reason that says them all."""
    values = {name: value for each in whys for name, value in each.values.items()}
    return Why(AND.join(each.key for each in whys), values)


@lru_cache(maxsize=1)
def approved() -> Sentences:
    """Those that ship with the product. Raises DataFileError."""
    return load_sentences(Path(str(files("onboarding.ranking"))))


def load_sentences(folder: Path) -> Sentences:
    """`groups.yaml` and `texts/LOCALE.yaml` of a folder. Raises DataFileError for what lacks a
    sentence that another locale has, or fills it with other values."""
    groups = read_data(folder / "groups.yaml").parse(_Groups).groups
    locales: dict[str, _Locale] = {}
    for path in sorted((folder / "texts").glob("*.yaml")):
        parsed = read_data(path).parse(_Locale)
        locales[parsed.locale] = parsed
    problems = _problems(folder, locales)
    if problems:
        raise DataFileError(problems)
    return Sentences(groups, locales)


def _problems(folder: Path, locales: Mapping[str, _Locale]) -> Sequence[str]:
    if FALLBACK not in locales:
        return [f"{folder}:1:1: the folder: texts/{FALLBACK}.yaml is missing"]
    first = locales[FALLBACK]
    found = []
    for name, each in locales.items():
        file = f"{folder / 'texts' / name}.yaml:1:1"
        for key in sorted(first.sentences.keys() ^ each.sentences.keys()):
            found.append(f"{file}: sentences.{key}: stands in one of {FALLBACK} and {name} alone")
        for key in sorted(first.sentences.keys() & each.sentences.keys()):
            if _blanks(first.sentences[key]) != _blanks(each.sentences[key]):
                found.append(f"{file}: sentences.{key}: is filled otherwise than in {FALLBACK}")
    return found


def _blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}
