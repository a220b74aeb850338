"""What the planner says and listens for in a locale, from `locales/<locale>.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

DEFAULT_LOCALE = "en"
_EDGES = " \t\r\n.!?…,;:)(\"'🙂👍🙏"


@dataclass(frozen=True, slots=True)
class Units:
    """Words of a calendar: number of the weekday or month, or the unit's name, by word."""

    weekdays: Mapping[str, int]  # 0 is Monday
    months: Mapping[str, int]  # 1 is January
    words: Mapping[str, str]  # `tomorrow` -> `tomorrow`, `hrs` -> `hour`
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Phrasing:
    """`hear` and `speech` are patterns; those of another language are heard beside English."""

    locale: str
    replies: Mapping[str, str]
    hear: Mapping[str, re.Pattern[str]]
    speech: Mapping[str, re.Pattern[str]]
    units: Units
    synonyms: Mapping[str, tuple[str, ...]]  # of values of enumerations

    def say(self, key: str, **values: str) -> str:
        return self.replies[key].format(**values)

    def hears(self, key: str, text: str) -> bool:
        """Whether all of the text is that; punctuation around it does not count."""
        return self.hear[key].fullmatch(plain(text)) is not None


def plain(text: str) -> str:
    """Lower case, one space, no punctuation around or between."""
    said = re.sub(r"[,;!.]+(?=\s|$)", " ", text.lower().replace("\u2019", "'"))
    return " ".join(said.split()).strip(_EDGES)


@lru_cache(maxsize=16)
def phrasing(locale: str) -> Phrasing:
    """Of a BCP 47 tag: `de-AT`, else `de`, else English."""
    shipped = {f.name.removesuffix(".toml") for f in _folder().iterdir()}
    tag = next((t for t in (locale.lower(), locale.lower().split("-")[0]) if t in shipped), "en")
    base = _read(DEFAULT_LOCALE)
    own = _read(tag) if tag != DEFAULT_LOCALE else {}
    return Phrasing(
        locale=tag,
        replies={**base["say"], **own.get("say", {})},
        hear=_either(base["hear"], own.get("hear", {})),
        speech=_either(base["speech"], own.get("speech", {})),
        units=_units(base, own),
        synonyms=_synonyms(base["values"], own.get("values", {})),
    )


def _folder() -> Any:
    return files("agent.acting") / "locales"


def _read(locale: str) -> dict[str, Any]:
    return tomllib.loads((_folder() / f"{locale}.toml").read_text("utf-8"))


def _either(base: Mapping[str, str], own: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {
        key: re.compile(f"(?:{own[key]})|(?:{pattern})" if key in own else pattern, re.IGNORECASE)
        for key, pattern in base.items()
    }


def _units(base: Mapping[str, Any], own: Mapping[str, Any]) -> Units:
    weekdays: dict[str, int] = {}
    months: dict[str, int] = {}
    words: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for source in (base, own):
        for key, said in source.get("time", {}).items():
            if key == "weekdays":
                weekdays |= {w: n for n, forms in enumerate(said) for w in forms.split()}
            elif key == "months":
                months |= {w: n for n, forms in enumerate(said, 1) for w in forms.split()}
            else:
                words |= dict.fromkeys(said.split(), key)
        numbers |= {word: int(value) for word, value in source.get("numbers", {}).items()}
    return Units(weekdays, months, words, numbers)


def _synonyms(base: Mapping[str, str], own: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {
        value: tuple(
            form
            for form in dict.fromkeys(f"{base.get(value, value)}|{own.get(value, '')}".split("|"))
            if form
        )
        for value in {**base, **own}
    }
