"""Names of towns for augmentation: those to which telephone prefixes belong."""

from __future__ import annotations

import re

from phonenumbers.geodata import GEOCODE_DATA

_LANGUAGES = ("en", "de", "fr", "es", "it", "pt")
_TOWN = re.compile(r"[^\W\d_][^\W\d_'\u2019.-]{2,}(?:[ -][^\W\d_]{2,}){0,2}")


def towns() -> tuple[str, ...]:
    """Towns of the world in Latin script, each once, in order (libphonenumber, Apache-2.0)."""
    named = (
        name.partition(",")[0].partition(" - ")[0].partition("/")[0].strip()
        for names in GEOCODE_DATA.values()
        for language, name in names.items()
        if language in _LANGUAGES
    )
    return tuple(sorted({name for name in named if _TOWN.fullmatch(name) and name[0].isupper()}))
