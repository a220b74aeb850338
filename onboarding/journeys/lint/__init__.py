"""catalogue + what is known -> mistakes, each with file, line, column and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onboarding.journeys.catalogue import Catalogue, Defined
from onboarding.journeys.format import Journey
from onboarding.journeys.kits import Kit
from onboarding.journeys.lint.journeys import journey_problems, tied, version_problems
from onboarding.journeys.lint.known import Known, Published, event_names, widened
from onboarding.journeys.lint.others import guide_problems, kit_problems
from onboarding.rules import Problem

__all__ = ["Finding", "Known", "Published", "event_names", "lint", "widened"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`told` is `FILE:LINE:COLUMN: PLACE: MESSAGE`; `code` is stable."""

    code: str
    told: str


def lint(
    catalogue: Catalogue, known: Known, published: Published | None = None
) -> tuple[Finding, ...]:
    """Everything wrong, by file and line as they were read."""
    stored = published or Published()
    found = [
        (each, problem)
        for each in catalogue.defined
        for problem in (*_own(each, catalogue, known, stored), *version_problems(each, stored))
    ]
    found += tied(catalogue)
    return tuple(Finding(problem.code, each.file.told(problem)) for each, problem in found)


def _own(
    each: Defined, catalogue: Catalogue, known: Known, published: Published
) -> Iterator[Problem]:
    vocabulary = widened(known.vocabulary, catalogue)
    match each.value:
        case Journey() as journey:
            yield from journey_problems(journey, known, vocabulary, published)
        case Kit() as kit:
            hosts = (j for j in catalogue.journeys.values() if j.kits)
            steps = {step.id for journey in hosts for step in journey.steps}
            yield from kit_problems(kit, known, vocabulary, steps)
        case guide:
            yield from guide_problems(guide, known, vocabulary)
