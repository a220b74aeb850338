"""fields + tags + consents -> the fields that may be kept, each with what it may be used for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from guardrails.consent.state import Consents
from guardrails.consent.types import Purpose

Tags = Mapping[str, frozenset[Purpose]]
"""By the name of a field at the top of an event or fact; the tag covers all that lies in it."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value and the purposes it may serve, never none."""

    value: JsonValue
    purposes: frozenset[Purpose]


@dataclass(frozen=True, slots=True)
class Filtered:
    """`untagged` and `unconsented` name what was dropped, in order of their names."""

    kept: Mapping[str, Tagged]
    untagged: tuple[str, ...] = ()
    unconsented: tuple[str, ...] = ()

    def serving(self, purpose: Purpose) -> dict[str, JsonValue]:
        """Plain values for one use."""
        return {name: t.value for name, t in self.kept.items() if purpose in t.purposes}


def filter_fields(fields: Mapping[str, JsonValue], tags: Tags, consents: Consents) -> Filtered:
    """Drops fields without a tag and those of which no purpose is consented to; what is kept keeps
    the consented purposes alone."""
    kept: dict[str, Tagged] = {}
    untagged: list[str] = []
    unconsented: list[str] = []
    for name in sorted(fields):
        tagged = tags.get(name, frozenset())
        allowed = frozenset(purpose for purpose in tagged if consents.allows(purpose, name))
        if allowed:
            kept[name] = Tagged(fields[name], allowed)
        elif tagged:
            unconsented.append(name)
        else:
            untagged.append(name)
    return Filtered(kept, tuple(untagged), tuple(unconsented))
