"""trail -> what is allowed now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from guardrails.consent.types import Entry, Purpose

Topic = tuple[Purpose, str | None]
"""A purpose and a field, None for all of them."""
ALLOWED_UNASKED = frozenset({Purpose.SUPPORT})


class Newest(NamedTuple):
    """The last that was said on a topic."""

    number: int
    given: bool


@dataclass(frozen=True, slots=True)
class Consents:
    """What one person allows, as of one reading. Ask the reader again instead of keeping it."""

    said: Mapping[Topic, Newest]

    def allows(self, purpose: Purpose, field: str | None = None) -> bool:
        """The newest statement on a topic counts. A purpose withdrawn takes with it the fields that
        were given before; a field withdrawn comes back only when it is given itself."""
        whole = self.said.get((purpose, None))
        own = self.said.get((purpose, field)) if field is not None else None
        if own is None:
            return purpose in ALLOWED_UNASKED if whole is None else whole.given
        if whole is None or whole.given:
            return own.given
        return own.given and own.number > whole.number


NOTHING_SAID = Consents({})


def effective(trail: Iterable[Entry]) -> Consents:
    """Of entries in any order."""
    said: dict[Topic, Newest] = {}
    for entry in trail:
        topic = (entry.said.purpose, entry.said.field)
        if topic not in said or said[topic].number < entry.number:
            said[topic] = Newest(entry.number, entry.said.given)
    return Consents(said)
