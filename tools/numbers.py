"""JSON as arguments and results have it: no floats, which have no canonical form."""

from __future__ import annotations

import json
from typing import Any

from pydantic import JsonValue

from tools.canonical import LARGEST


def parsed(body: bytes) -> JsonValue:
    """JSON without floats: decimals and integers beyond 2^53 become their text. None when empty;
    text that is no JSON as it is."""
    if not body.strip():
        return None
    try:
        value: JsonValue = json.loads(body, parse_float=str, parse_int=_integer)
    except (ValueError, RecursionError):
        return body.decode("utf-8", errors="replace")
    return value


def _integer(digits: str) -> Any:
    value = int(digits) if len(digits) < len(str(LARGEST)) + 2 else None
    return value if value is not None and abs(value) <= LARGEST else digits
