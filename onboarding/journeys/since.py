"""A view in which nothing happened before a time: what a play is to bring about is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from onboarding.types import Fact, FeatureValue, View


@dataclass(frozen=True, slots=True)
class Since:
    """`view`, of whose events those since `begun` alone count."""

    view: View
    begun: datetime

    @property
    def now(self) -> datetime:
        return self.view.now

    def count(self, event: str, within: timedelta | None, where: Mapping[str, JsonValue]) -> int:
        since = max(self.now - self.begun, timedelta(0))
        return self.view.count(event, since if within is None else min(within, since), where)

    def feature(self, name: str) -> FeatureValue | None:
        return self.view.feature(name)

    def fact(self, name: str) -> Fact | None:
        return self.view.fact(name)

    def state(self, name: str) -> JsonValue:
        return self.view.state(name)

    def stalled(self, step: str) -> float:
        return self.view.stalled(step)

    def arm(self, experiment: str) -> str | None:
        return self.view.arm(experiment)

    def alone(self) -> Since:
        return Since(self.view.alone(), self.begun)
