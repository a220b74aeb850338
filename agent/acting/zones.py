"""The time zone that the user's words about time are meant in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import JsonValue

from guardrails.labels import Labelled

FACT = "profile.timezone"


def zone_of(facts: Mapping[str, Labelled[JsonValue]]) -> tzinfo | None:
    """Of the profile; None where it holds none that exists."""
    fact = facts.get(FACT)
    if fact is None or not isinstance(fact.value, str):
        return None
    try:
        return ZoneInfo(fact.value)
    except (ZoneInfoNotFoundError, ValueError):
        return None
