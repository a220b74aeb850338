"""How likely each open step of a person is never taken: what is on record of them -> the model that
serves, or the rule that stands in for one.

The columns are the features of the snapshot, without those that other rooms give, and two that are
read off the record of progress; training reads the same ones as of its own times.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from onboarding.journeys import Done, Enrolment
from onboarding.journeys.format import Step
from onboarding.store.journeys.current import CurrentCatalogues
from onboarding.store.journeys.store import ProgressStore
from onboarding.training import STEPS
from onboarding.training.hazard import IDLE
from onboarding.types import FeatureValue, Person, Profile, Snapshot, StepScope, StepState

DAY_S: Final = 86_400.0


class Stalls(Protocol):
    """A model of stalling, or the rule."""

    @property
    def name(self) -> str: ...

    def stalled(self, values: Mapping[str, FeatureValue]) -> float:
        """P(they do not come back), 0 to 1."""
        ...


class Snapshots(Protocol):
    """Features of a person as of a time. Raises StoreUnavailableError."""

    async def snapshot(self, person: Person, at: datetime) -> Snapshot: ...


class Profiles(Protocol):
    """Raises StoreUnavailableError."""

    async def guided(self, person: Person) -> Profile | None:
        """None where nothing of them may be used."""
        ...


@dataclass(frozen=True, slots=True)
class Ways:
    """What is on record of a person's ways: each with what was done on it."""

    begun: Sequence[Enrolment] = ()
    done: Sequence[Done] = ()

    def is_over(self, step: str, action: str | None = None) -> bool:
        """Whether nobody waits for it any more: of an account's step the action is on record."""
        return any(
            each.step == step or (each.scope is StepScope.ACCOUNT and each.action == action)
            for each in self.done
        )

    def told(self, at: datetime) -> dict[str, float]:
        """Columns as of then; the days since something moved are missing where no way had begun."""
        begun = [each.started_at for each in self.begun if each.started_at <= at]
        done = {(e.step, e.at) for e in self.done if e.state is StepState.DONE and e.at <= at}
        moved = max([*begun, *(time for _, time in done)], default=None)
        idle = float("nan") if moved is None else (at - moved).total_seconds() / DAY_S
        return {STEPS: float(len(done)), IDLE: idle}


def columns(snapshot: Snapshot, ways: Ways) -> dict[str, FeatureValue]:
    """What a model of stalling is told of a person."""
    return {**snapshot.values, **ways.told(snapshot.at)}


async def ways_of(progress: ProgressStore, person: Person) -> Ways:
    """Raises StoreUnavailableError."""
    begun = await progress.of(person.tenant, person.user)
    done = [each for enrolment in begun for each in await progress.done(enrolment)]
    return Ways(begun, done)


@dataclass(frozen=True, slots=True)
class StepRisks:
    """Of one tenant; `model` is asked each time, so that a promoted one serves the next. Raises
    StoreUnavailableError."""

    progress: ProgressStore
    catalogues: CurrentCatalogues
    features: Snapshots
    profiles: Profiles
    model: Callable[[], Awaitable[Stalls]]

    async def of(self, person: Person, snapshot: Snapshot) -> Mapping[str, float]:
        """By step of the ways that they are on; what is done, or not theirs, has none."""
        ways = await ways_of(self.progress, person)
        steps = await self._steps(person, ways)
        names = [step.id for step in steps if not ways.is_over(step.id, step.action)]
        if not names:
            return {}
        risk = (await self.model()).stalled(columns(snapshot, ways))
        return dict.fromkeys(names, risk)

    async def at_steps(self, person: Person, now: datetime) -> Callable[[str], float] | None:
        """For detectors, of a step that the product showed; None where nothing of the person may be
        used."""
        if await self.profiles.guided(person) is None:
            return None
        ways = await ways_of(self.progress, person)
        snapshot = await self.features.snapshot(person, now)
        risk = (await self.model()).stalled(columns(snapshot, ways))
        steps = {step.id: step.action for step in await self._steps(person, ways)}
        return lambda step: 0.0 if ways.is_over(step, steps.get(step)) else risk

    async def _steps(self, person: Person, ways: Ways) -> list[Step]:
        """Of the ways that they are on."""
        found: list[Step] = []
        for each in ways.begun:
            if each.is_running:
                journey = await self.catalogues.journey(person.tenant, each.journey, each.version)
                found += [step for step in (journey.steps if journey else ()) if step.is_action]
        return found
