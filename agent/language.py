"""The words of a locale: replies, and the cues that router and follow-up rules listen for.

They are data (`locales/<locale>.toml`): a further language is a further file. Keys that a file
leaves out come from English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

from agent.spoken import spoken
from agent.types import RouteKind

DEFAULT_LOCALE = "en"


@dataclass(frozen=True, slots=True)
class Cue:
    """A pattern that speaks for a kind of turn. `whole` patterns must match all of the text."""

    kind: RouteKind
    reply: str
    weight: float
    pattern: re.Pattern[str]
    whole: bool

    def matches(self, text: str) -> bool:
        found = self.pattern.fullmatch(text) if self.whole else self.pattern.search(text)
        return found is not None


class Control(StrEnum):
    """What a person may ask of the actions themselves."""

    UNDO = "undo"
    HISTORY = "history"
    ABILITIES = "abilities"
    STATUS = "status"
    CANCEL = "cancel"
    HUSH = "hush"


@dataclass(frozen=True, slots=True)
class ControlCue:
    """`pattern` must match all of the text."""

    control: Control
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class FollowUpWords:
    """Word lists and patterns of the follow-up rules; see `locales/en.toml` for each."""

    slot: re.Pattern[str]
    dummy: re.Pattern[str]
    lead: re.Pattern[str]
    verb_lead: re.Pattern[str]
    bare: re.Pattern[str]
    pointer: re.Pattern[str]
    prepositions: frozenset[str]
    articles: frozenset[str]
    pronouns: frozenset[str]
    demonstratives: frozenset[str]
    after_demonstrative: frozenset[str]
    clause: re.Pattern[str]
    noun_lead: re.Pattern[str]
    tails: frozenset[str]
    asking: frozenset[str]
    lasting: frozenset[str]
    vague: frozenset[str]
    possessive: frozenset[str]
    dependent: frozenset[str]
    neutral: frozenset[str]
    stop: frozenset[str]


@dataclass(frozen=True, slots=True)
class Language:
    """Everything that Embark says and listens for in one locale."""

    locale: str
    replies: Mapping[str, str]
    cues: tuple[Cue, ...]
    threshold: float
    followup: FollowUpWords
    controls: tuple[ControlCue, ...] = ()
    introductions: tuple[re.Pattern[str], ...] = ()
    """Whole sentences that say who writes and ask for nothing."""
    trouble: re.Pattern[str] = re.compile(r"(?!)")
    """Words of somebody to whom something has just happened."""

    def say(self, key: str, **values: str) -> str:
        """A reply with its placeholders filled. Raises KeyError for a reply that no file has."""
        return self.replies[key].format(**values)


def language(locale: str | None) -> Language:
    """The language of a BCP 47 tag: `de-AT`, else `de`, else English."""
    tag = (locale or DEFAULT_LOCALE).lower()
    for candidate in (tag, tag.split("-")[0]):
        if candidate in _shipped():
            return _load(candidate)
    return _load(DEFAULT_LOCALE)


def language_of(said: Iterable[str], held: Iterable[str]) -> Language:
    """The language to reply in: the one the person clearly writes, else that of the page.

    `said` are the person's own texts, newest first: a text that gives no language away takes that
    of the conversation. `held` are the locales that the viewer may read; several say nothing about
    the person, and English it is.
    """
    for text in said:
        code = spoken(text)
        if code in _shipped():
            return language(code)
    pages = {language(tag).locale for tag in held}
    return language(pages.pop() if len(pages) == 1 else DEFAULT_LOCALE)


@lru_cache(maxsize=1)
def _shipped() -> frozenset[str]:
    folder = files("agent") / "locales"
    return frozenset(f.name.removesuffix(".toml") for f in folder.iterdir())


@lru_cache(maxsize=16)
def _load(locale: str) -> Language:
    data = _merged(_read(DEFAULT_LOCALE), {} if locale == DEFAULT_LOCALE else _read(locale))
    router = data["router"]
    return Language(
        locale=locale,
        replies=data["replies"],
        cues=tuple(_cue(entry) for entry in router["cue"]),
        threshold=router["threshold"],
        followup=_followup(data["followup"]),
        controls=tuple(
            ControlCue(Control(entry["control"]), _compiled(entry["whole"]))
            for entry in data["acting"]["cue"]
        ),
        introductions=tuple(_compiled(each) for each in router["introductions"]),
        trouble=_compiled(router["trouble"]),
    )


def _read(locale: str) -> dict[str, Any]:
    return tomllib.loads((files("agent") / "locales" / f"{locale}.toml").read_text("utf-8"))


def _merged(
    base: Mapping[str, dict[str, Any]], own: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    merged = {section: {**values, **own.get(section, {})} for section, values in base.items()}
    for section in ("router", "acting"):  # people write English beside their own language
        merged[section]["cue"] = [*base[section]["cue"], *own.get(section, {}).get("cue", [])]
    both = (base["router"], own.get("router", {}))
    merged["router"]["trouble"] = "|".join(f["trouble"] for f in both if "trouble" in f)
    merged["router"]["introductions"] = [p for file in both for p in file.get("introductions", ())]
    return merged


def _cue(entry: Mapping[str, Any]) -> Cue:
    whole = "whole" in entry
    pattern = entry["whole"] if whole else entry["find"]
    return Cue(RouteKind(entry["kind"]), entry["reply"], entry["weight"], _compiled(pattern), whole)


def _followup(data: Mapping[str, str | Sequence[str]]) -> FollowUpWords:
    """Strings are patterns, lists are word lists, both named as the fields are."""
    patterns = {k: _compiled(v) for k, v in data.items() if isinstance(v, str)}
    words = {k: frozenset(v) for k, v in data.items() if not isinstance(v, str)}
    return FollowUpWords(**patterns, **words)  # type: ignore[arg-type]  # checked by name at load


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
