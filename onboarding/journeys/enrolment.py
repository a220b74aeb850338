"""What is remembered of one person's way through one version of a journey, and how it moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from onboarding.journeys.format import Journey
from onboarding.types import Person, StepScope, StepState


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The version that a person started, and keeps on every device. `entry` counts from 1 how
    often they began; the times are set once. `kit` is `name@version`."""

    person: Person
    journey: str
    version: int
    started_at: datetime
    entry: int = 1
    kit: str | None = None
    reached_at: datetime | None = None
    finished_at: datetime | None = None
    left_at: datetime | None = None
    left_why: str | None = None

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.journey}@{self.version}"

    @property
    def is_running(self) -> bool:
        return self.finished_at is None and self.left_at is None


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was completed or left out for good. Of an account's step the action counts, in
    whichever journey it was done."""

    step: str
    action: str
    state: StepState
    at: datetime
    scope: StepScope = StepScope.USER
    by: str | None = None
    evidence: tuple[str, ...] = ()


class MigrationError(ValueError):
    """Steps of the old version of which the new one does not say what becomes of them."""

    def __init__(self, journey: str, steps: Iterable[str]) -> None:
        self.steps = tuple(sorted(steps))
        named = ", ".join(self.steps)
        super().__init__(f"{journey}: migrate says nothing of {named}; name them in map or drop")


@dataclass(frozen=True, slots=True)
class Moved:
    """A migration worked out: what stands afterwards. `renamed` is old step -> new step; what was
    done in a dropped step stays on record under its old name."""

    before: Enrolment
    after: Enrolment
    renamed: Mapping[str, str]


def migrate(enrolment: Enrolment, old: Journey, new: Journey) -> Moved | None:
    """None where this version does not take over the person's, or their list is finished: that one
    is not opened again. Raises MigrationError."""
    if (
        new.migrate is None
        or (old.name, old.version) != (enrolment.journey, enrolment.version)
        or (new.name, new.migrate.from_) != (old.name, old.version)
        or not enrolment.is_running
    ):
        return None
    if lost := unaccounted(old, new):
        raise MigrationError(new.ref, lost)
    return Moved(enrolment, replace(enrolment, version=new.version), dict(new.migrate.map))


def unaccounted(old: Journey, new: Journey) -> frozenset[str]:
    """Steps of the old version that are in none of the new one's steps, map and drop."""
    moves = new.migrate
    said = {*moves.map, *moves.drop} if moves is not None else set()
    return frozenset(step.id for step in old.steps) - {step.id for step in new.steps} - said


def renamed(done: Iterable[Done], moved: Moved) -> tuple[Done, ...]:
    """Every completion, under its new name where it has one; none is left out."""
    return tuple(replace(each, step=moved.renamed.get(each.step, each.step)) for each in done)


def merged(one: Iterable[Done], other: Iterable[Done]) -> tuple[Done, ...]:
    """Of two people who are one: what either did. Done wins over left out, then the earlier."""
    best: dict[str, Done] = {}
    for each in (*one, *other):
        known = best.get(each.step)
        best[each.step] = each if known is None else min(known, each, key=_rank)
    return tuple(best[step] for step in sorted(best))


def joined(mine: Enrolment, theirs: Enrolment) -> Enrolment:
    """One journey that both began: the version stays that of the person who remains, the times are
    the earlier ones."""
    return replace(
        mine,
        started_at=min(mine.started_at, theirs.started_at),
        reached_at=_earlier(mine.reached_at, theirs.reached_at),
        finished_at=_earlier(mine.finished_at, theirs.finished_at),
        left_at=mine.left_at if theirs.left_at is not None else None,
        left_why=mine.left_why if theirs.left_at is not None else None,
    )


def _rank(done: Done) -> tuple[bool, datetime, str]:
    return done.state is not StepState.DONE, done.at, done.by or ""


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
