"""Which fields of an event may be kept, by what the person allows; worked out once for all who
allow the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from guardrails.consent import NOTHING_SAID, Consents, Purpose, Tagged
from onboarding.events.contracts import Contract

MAX_GRANTS = 10_000
_BITS = {purpose: 1 << place for place, purpose in enumerate(Purpose)}
_UNASKED = sum(_BITS[purpose] for purpose in Purpose if NOTHING_SAID.allows(purpose))


class Grant(NamedTuple):
    """`purposes` the event may serve, and those of each field; a field of none is not kept."""

    purposes: frozenset[Purpose]
    fields: Mapping[str, frozenset[Purpose]]


class Kept(NamedTuple):
    """As `guardrails.consent.filter_fields` would keep them."""

    purposes: frozenset[Purpose]
    fields: dict[str, Tagged]
    dropped: tuple[str, ...]


class Grants:
    """Of one catalogue. Most people allow whole purposes alone, in one of sixteen ways: those are
    remembered by contract."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Grant] = {}

    def kept(self, contract: Contract, values: Mapping[str, Any], consents: Consents) -> Kept:
        grant = self._grant(contract, consents)
        fields: dict[str, Tagged] = {}
        dropped: list[str] = []
        for name, value in values.items():
            purposes = grant.fields[name]
            if purposes:
                fields[name] = Tagged(value, purposes)
            else:
                dropped.append(name)
        return Kept(grant.purposes, fields, tuple(dropped))

    def _grant(self, contract: Contract, consents: Consents) -> Grant:
        whole = _whole(consents)
        if whole is None:
            return _granted(contract, consents)
        key = (id(contract), whole)
        known = self._known.get(key)
        if known is None:
            known = _granted(contract, consents)
            if len(self._known) < MAX_GRANTS:
                self._known[key] = known
        return known


def _whole(consents: Consents) -> int | None:
    """The purposes that are allowed, as bits; None where something was said of single fields."""
    allowed = _UNASKED
    for (purpose, field), newest in consents.said.items():
        if field is not None:
            return None
        bit = _BITS[purpose]
        allowed = allowed | bit if newest.given else allowed & ~bit
    return allowed


def _granted(contract: Contract, consents: Consents) -> Grant:
    return Grant(
        frozenset(p for p in contract.purposes if consents.allows(p)),
        {
            name: frozenset(p for p in spec.purposes if consents.allows(p, name))
            for name, spec in contract.fields.items()
        },
    )
