"""Titles and reasons of actions, a file a locale; what has no text in a locale is not shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from onboarding.rules import DataFileError, read_data

FALLBACK: Final = "en"
"""The locale of who reads none of the others."""
MAX_SENTENCE: Final = 160


class ActionText(BaseModel):
    """`reason` is the curated sentence: why this step, said without a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str = Field(min_length=1, max_length=60)
    reason: str = Field(min_length=1, max_length=MAX_SENTENCE)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    locale: str = Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")
    actions: dict[str, ActionText]


@dataclass(frozen=True, slots=True)
class Texts:
    """By locale and action."""

    by_locale: Mapping[str, Mapping[str, ActionText]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def of(self, action: str, locale: str) -> ActionText:
        """In this locale, its language, or the fallback. Raises KeyError for an unknown action."""
        for tried in (locale, locale.split("-", maxsplit=1)[0], FALLBACK):
            texts = self.by_locale.get(tried, {})
            if action in texts:
                return texts[action]
        raise KeyError(action)

    def missing(self, action: str) -> Iterator[tuple[str, str]]:
        """Locales that lack the action, with what they lack."""
        for locale, texts in self.by_locale.items():
            if action not in texts:
                yield locale, "text"


def load_texts(folder: Path) -> Texts:
    """Every `LOCALE.yaml` of the folder. Raises DataFileError."""
    loaded: dict[str, Mapping[str, ActionText]] = {}
    for path in sorted(folder.glob("*.yaml")):
        file = read_data(path)
        parsed = file.parse(_File)
        if parsed.locale != path.stem:
            told = f"{file.at(('locale',))}: locale: the file is named {path.name}"
            raise DataFileError([told])
        loaded[parsed.locale] = MappingProxyType(parsed.actions)
    if FALLBACK not in loaded:
        raise DataFileError([f"{folder}:1:1: the folder: has no {FALLBACK}.yaml"])
    return Texts(MappingProxyType(loaded))
