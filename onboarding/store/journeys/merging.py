"""Two people who are one: their ways, joined. Pure; both stores use it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from onboarding.journeys import Done, Enrolment, joined, merged
from onboarding.store.journeys.store import Record
from onboarding.types import Person, StepState


def merged_records(
    mine: Sequence[Record], theirs: Sequence[Record], person: Person
) -> tuple[Record, ...]:
    """All ways of both as `person`'s, each journey's in the order in which they began. Two that run
    in one journey become one: the version of `mine`, the steps of both."""
    every = [*(_owned(each, person) for each in mine), *(_owned(each, person) for each in theirs)]
    names = sorted({each.enrolment.journey for each in every})
    return tuple(
        record
        for name in names
        for record in _numbered([each for each in every if each.enrolment.journey == name])
    )


def _owned(record: Record, person: Person) -> Record:
    account = record.enrolment.person.account or person.account
    return replace(
        record, enrolment=replace(record.enrolment, person=replace(person, account=account))
    )


def _numbered(records: list[Record]) -> Iterable[Record]:
    """The ended ones as they began, behind them at most one that runs."""
    running = [each for each in records if each.enrolment.is_running]
    ended = [each for each in records if not each.enrolment.is_running]
    last = [_one(running)] if running else []
    ordered = sorted(ended, key=lambda each: each.enrolment.started_at) + last
    for number, each in enumerate(ordered, start=1):
        yield replace(each, enrolment=replace(each.enrolment, entry=number))


def _one(running: Sequence[Record]) -> Record:
    first, *others = running
    for other in others:
        first = Record(joined(first.enrolment, other.enrolment), merged(first.done, other.done))
    return first


def better(known: Done | None, new: Done) -> bool:
    """Whether the new record takes the place of the known one."""
    if known is None:
        return True
    return known.state is StepState.SKIPPED and new.state is StepState.DONE


def running_of(records: Iterable[Enrolment], journey: str) -> Enrolment | None:
    return next((e for e in records if e.journey == journey and e.is_running), None)


def next_entry(records: Iterable[Enrolment], journey: str) -> int:
    return 1 + max((each.entry for each in records if each.journey == journey), default=0)
