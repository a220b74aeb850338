"""Rules alone say what may be suggested; a model only orders what they let through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, NamedTuple

from guardrails.consent import Purpose
from onboarding.actions.catalogue import Action, Catalogue
from onboarding.types import Candidate, Progress, StepScope, StepState, View

MOST: Final = 30
"""Candidates of one decision (design reference, 7)."""
STEP: Final = "step."
"""A reason that is a journey's begins so."""
SHORT: Final = 6
"""The list inside which a model chooses and exploration stays; 8 and 12 after passed gates."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one person when candidates are looked for. `muted` are actions that they
    snoozed or never want; `rights` None: the product says what they may do itself."""

    view: View
    progress: Progress | None = None
    muted: AbstractSet[str] = frozenset()
    rights: AbstractSet[str] | None = None
    purposes: AbstractSet[Purpose] = frozenset({Purpose.PRODUCT_ANALYTICS})


_AFTER_STEPS: Final = 1_000_000


class _Place(NamedTuple):
    """Order by rule: what is urgent, steps of the journey as its file has them, then what is
    preferred, then the catalogue's own order."""

    urgent: int
    journey: int
    preferred: int
    catalogue: int


def candidates(catalogue: Catalogue, standing: Standing) -> tuple[Candidate, ...]:
    """At most 30, the curated first choice first; `order` counts them from 0."""
    steps = _open_steps(standing.progress)
    done = _done(catalogue, standing)
    found = [
        (_place(catalogue, standing, action, at, steps), action)
        for at, action in enumerate(catalogue.actions)
        if _may(catalogue, standing, action, done)
    ]
    ordered = sorted(found, key=lambda each: each[0])
    below = [place for place, _ in ordered[1:]]
    return tuple(
        Candidate(
            action=action.id,
            kind=action.kind,
            effort=action.effort,
            order=order,
            reason=_reason(action, place, below[order : order + 1], steps),
            step=steps[action.id].step if action.id in steps else None,
            value=action.value,
            urgent=place.urgent == 0,
        )
        for order, (place, action) in enumerate(ordered[:MOST])
    )


def _reason(
    action: Action, place: _Place, below: Sequence[_Place], steps: Mapping[str, _Step]
) -> str:
    """The step's own where it holds the place, which the action would lose to the next without it;
    else the action's, which says nothing of places."""
    step = steps.get(action.id)
    held = step is not None and any(place._replace(journey=_AFTER_STEPS) > lower for lower in below)
    return f"{STEP}{step.step}" if step is not None and held else f"action.{action.id}"


def short_list(given: tuple[Candidate, ...], size: int = SHORT) -> tuple[Candidate, ...]:
    """The first by rule; ties, which only broken data has, fall by id."""
    return tuple(sorted(given, key=lambda each: (each.order, each.action))[:size])


class _Step(NamedTuple):
    step: str
    at: int


def _open_steps(progress: Progress | None) -> dict[str, _Step]:
    """By action; of two steps with one action the first open one counts."""
    found: dict[str, _Step] = {}
    for at, step in enumerate(progress.steps if progress else ()):
        if step.state is StepState.OPEN:
            found.setdefault(step.action, _Step(step.id, at))
    return found


def _done(catalogue: Catalogue, standing: Standing) -> frozenset[str]:
    """Actions whose rule or step says so. A step that is blocked is not done."""
    steps = standing.progress.steps if standing.progress else ()
    finished = {step.action for step in steps if step.state is StepState.DONE}
    unfinished = {step.action for step in steps if step.state is StepState.OPEN}
    alone = standing.view.alone()
    by_rule = {
        action.id
        for action in catalogue.actions
        if catalogue.tests[action.id].done(
            alone if action.scope is StepScope.USER else standing.view
        )
    }
    return frozenset((finished | by_rule) - unfinished)


def _may(catalogue: Catalogue, standing: Standing, action: Action, done: AbstractSet[str]) -> bool:
    blocked = standing.progress.steps if standing.progress else ()
    return (
        action.id not in done
        and action.id not in standing.muted
        and action.purpose in standing.purposes
        and done >= set(action.after)
        and (standing.rights is None or standing.rights >= set(action.rights))
        and not any(s.action == action.id and s.state is StepState.BLOCKED for s in blocked)
        and catalogue.tests[action.id].when(standing.view)
    )


def _place(
    catalogue: Catalogue, standing: Standing, action: Action, at: int, steps: Mapping[str, _Step]
) -> _Place:
    step = steps.get(action.id)
    tests = catalogue.tests[action.id]
    urgent, preferred = tests.urgent(standing.view), tests.prefer(standing.view)
    journey = step.at if step else _AFTER_STEPS
    return _Place(0 if urgent else 1, journey, 0 if preferred else 1, at)
