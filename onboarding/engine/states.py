"""What the product said last of each person's states, for as long as its file says it is good."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from onboarding.journeys import States
from onboarding.journeys.states import StateEntry
from onboarding.types import Person

MOST: Final = 10_000
"""People remembered; whoever was asked about longest ago is forgotten first."""


AGAIN: Final = timedelta(seconds=30)
"""What could not be read is asked for again so soon, if not sooner."""


@dataclass(slots=True)
class _Said:
    """Of one person: values by state, and when each reading was asked for."""

    values: dict[str, JsonValue] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)  # readings that found nothing


class KnownStates:
    """In memory: a state is asked for again when somebody is here, and is no state of ours."""

    def __init__(self, states: States | None) -> None:
        self._states = states
        self._entries = states.states if states is not None else {}
        self._said: OrderedDict[Person, _Said] = OrderedDict()

    def stale(self, person: Person, now: datetime) -> list[str]:
        """Readings to be asked for again, in order of their names."""
        known = self._said.get(person, _Said())
        old = {
            entry.read
            for entry in self._entries.values()
            if entry.read not in known.asked or now - known.asked[entry.read] > _lasts(entry, known)
        }
        return sorted(old)

    def take(self, person: Person, results: Mapping[str, JsonValue], now: datetime) -> None:
        """What each reading found, None where it could not be read: it is asked for again soon."""
        if self._states is None:
            return
        known = self._said.setdefault(person, _Said())
        for name, entry in self._entries.items():
            if entry.read in results:
                known.values.pop(name, None)
        known.values.update(self._states.values(results))
        known.asked.update(dict.fromkeys(results, now))
        known.missing -= results.keys()
        known.missing |= {name for name, found in results.items() if found is None}
        self._said.move_to_end(person)
        while len(self._said) > MOST:
            self._said.popitem(last=False)

    def of(self, person: Person, now: datetime) -> dict[str, JsonValue]:
        """Those that are fresh enough."""
        known = self._said.get(person, _Said())
        return {
            name: value
            for name, value in known.values.items()
            if now - known.asked[self._entries[name].read] <= self._entries[name].max_age
        }

    def refresh(self, person: Person, readings: Iterable[str] = ()) -> None:
        """Something was done that may have changed them: all, or those named, are asked anew."""
        known = self._said.get(person)
        if known is not None:
            for reading in list(readings) or list(known.asked):
                known.asked.pop(reading, None)
            kept = {n for n, e in self._entries.items() if e.read in known.asked}
            known.values = {n: v for n, v in known.values.items() if n in kept}

    def forget(self, tenant: str, user: str) -> None:
        """Of an erased person."""
        for person in self._of(tenant, user):
            del self._said[person]

    def count(self, tenant: str, user: str) -> int:
        return len(self._of(tenant, user))

    def _of(self, tenant: str, user: str) -> list[Person]:
        return [each for each in self._said if (each.tenant, each.user) == (tenant, user)]


def _lasts(entry: StateEntry, known: _Said) -> timedelta:
    return min(entry.max_age, AGAIN) if entry.read in known.missing else entry.max_age
