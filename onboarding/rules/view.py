"""The world of one person at one time, over values that were read before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue

from guardrails.consent import Purpose
from onboarding.types import Event, Fact, FeatureValue, History, Profile, Snapshot


def _none() -> Mapping[str, Any]:
    return MappingProxyType({})


_NOBODY = History()


@dataclass(frozen=True, slots=True)
class Moment:
    """A `View` of plain values. `team` holds what others of the account did; of each event the
    fields that serve `purpose` count, and no others."""

    now: datetime
    own: History = _NOBODY
    team: History = _NOBODY
    snapshot: Snapshot | None = None
    profile: Profile = field(default_factory=Profile)
    states: Mapping[str, JsonValue] = field(default_factory=_none)
    risks: Mapping[str, float] = field(default_factory=_none)
    arms: Mapping[str, str] = field(default_factory=_none)
    purpose: Purpose = Purpose.PRODUCT_ANALYTICS

    def count(self, event: str, within: timedelta | None, where: Mapping[str, JsonValue]) -> int:
        if where:
            return len(self._matching(event, within, where))
        return self.own.count(event, self.now, within) + self.team.count(event, self.now, within)

    def witnesses(
        self, event: str, within: timedelta | None, where: Mapping[str, JsonValue]
    ) -> tuple[Event, ...]:
        """Those that `count` counts and that are still stored, oldest first."""
        return tuple(self._matching(event, within, where))

    def feature(self, name: str) -> FeatureValue | None:
        return self.snapshot.values.get(name) if self.snapshot is not None else None

    def fact(self, name: str) -> Fact | None:
        return self.profile.facts.get(name)

    def state(self, name: str) -> JsonValue:
        return self.states.get(name)

    def stalled(self, step: str) -> float:
        return self.risks.get(step, 0.0)

    def arm(self, experiment: str) -> str | None:
        return self.arms.get(experiment)

    def alone(self) -> Moment:
        return replace(self, team=_NOBODY)

    def _matching(
        self, name: str, within: timedelta | None, where: Mapping[str, JsonValue]
    ) -> list[Event]:
        since = self.now - within if within is not None else None
        found = [
            event
            for event in (*self.own.recent, *self.team.recent)
            if event.name == name
            and event.occurred_at <= self.now
            and (since is None or since <= event.occurred_at)
            and self._has(event, where)
        ]
        return sorted(found, key=lambda event: (event.occurred_at, event.message_id))

    def _has(self, event: Event, where: Mapping[str, JsonValue]) -> bool:
        for name, wanted in where.items():
            tagged = event.fields.get(name)
            if tagged is None or self.purpose not in tagged.purposes or tagged.value != wanted:
                return False
        return True
