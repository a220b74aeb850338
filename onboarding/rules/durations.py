"""`14d`, `90m`: times as data files write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PATTERN: Final = r"^[1-9][0-9]{0,5}[smhdw]$"


def duration(text: object) -> timedelta:
    """Raises ValueError for what is no whole number with one of s, m, h, d, w."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not re.fullmatch(_PATTERN, text):
        raise ValueError("a time is a whole number with s, m, h, d or w, such as 14d")
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def written(time: timedelta) -> str:
    """As a file would write it: in the largest unit that holds it whole."""
    seconds = int(time.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(written),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
