"""Which messages of a journey or play are due: what, where, and not before when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from onboarding.journeys.composing import Composed
from onboarding.journeys.enrolment import Enrolment
from onboarding.journeys.format import Step
from onboarding.journeys.pacing import Via
from onboarding.rules import compile_rule
from onboarding.types import Progress, StepState, View

OTHER = "tips"
"""The kind of a message whose file names none: what a person may opt out of."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One message. `key` is unique within the entry of the journey: a repeated one counts up.
    Whether it goes out is the governor's to say."""

    key: str
    step: str
    via: Via
    template: str
    kind: str
    not_before: datetime
    is_transactional: bool


def due_sends(
    composed: Composed, enrolment: Enrolment, progress: Progress, view: View
) -> tuple[Sending, ...]:
    """Those whose rule holds now and whose steps before are over, in the order of the file; nothing
    of a journey that was left, or whose goal was reached where that ends it."""
    if not _speaks(composed, progress):
        return ()
    begun: dict[str, datetime] = {}
    found: list[Sending] = []
    for step in composed.steps:
        start = _start(step, enrolment, progress, begun)
        if step.is_action or start is None:
            continue
        begun[step.id] = start + (step.wait or timedelta(0))
        if step.when is None or compile_rule(step.when)(view):
            found += _each(step, composed, begun[step.id])
    return tuple(each for each in found if each.not_before <= view.now)


def _speaks(composed: Composed, progress: Progress) -> bool:
    reached = progress.reached_at is not None and "goal" in composed.journey.exit
    return progress.left_at is None and not reached


def _start(
    step: Step, enrolment: Enrolment, progress: Progress, begun: Mapping[str, datetime]
) -> datetime | None:
    """When the last of the steps before it was over; None while one is not."""
    states = {each.id: each for each in progress.steps}
    times = [enrolment.started_at]
    for name in step.after:
        before = states.get(name)
        if before is None:
            sent = begun.get(name)
            if sent is None:
                return None
            times.append(sent)
        elif before.state in (StepState.DONE, StepState.SKIPPED):
            times.append(before.done_at or enrolment.started_at)
        else:
            return None
    return max(times)


def _each(step: Step, composed: Composed, start: datetime) -> list[Sending]:
    via, template = (step.send or "").split("/", 1)
    transactional = composed.journey.class_ == "transactional"
    return [
        Sending(
            key=step.id if number == 0 else f"{step.id}.{number + 1}",
            step=step.id,
            via=Via(via),
            template=template,
            kind=step.kind or OTHER,
            not_before=start + after,
            is_transactional=transactional,
        )
        for number, after in enumerate(step.repeat or (timedelta(0),))
    ]
