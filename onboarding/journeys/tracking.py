"""composed journey + what is on record + view -> Progress, the same for the same input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from onboarding.journeys.composing import Composed, in_audience
from onboarding.journeys.enrolment import Done, Enrolment
from onboarding.journeys.format import Leave, Step
from onboarding.journeys.since import Since
from onboarding.rules import compile_rule, evidence, is_known, is_settled
from onboarding.types import Mode, Progress, StepProgress, StepScope, StepState, View

_OVER: Final = frozenset({StepState.DONE, StepState.SKIPPED})


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where the person is, and what is new about it: steps to be put on record. `left` says why
    they leave now; `finished` that nothing is left to do."""

    progress: Progress
    fresh: tuple[Done, ...]
    finished: bool
    left: str | None = None


def track(
    composed: Composed,
    enrolment: Enrolment,
    view: View,
    done: Iterable[Done],
    mode: Mode = Mode.SIMPLE,
    *,
    consented: bool = True,
) -> Tracked:
    """Pure: the time is the view's. What is on record stands, whatever rules say now; a list that
    was finished stays so, whatever is left of it."""
    recorded = _recorded(composed, done)
    steps: dict[str, StepProgress] = {}
    fresh: list[Done] = []
    for step in _ordered(composed.actions):
        found = _step(step, enrolment, view, recorded.get(step.id), steps, mode)
        steps[step.id] = found
        if found.state is StepState.DONE and step.id not in recorded:
            fresh.append(_on_record(found, view.now))
    shown = tuple(steps[step.id] for step in composed.actions)
    finished = enrolment.finished_at is not None or _finished(composed, steps, view)
    left = _left(composed, enrolment, view, consented)
    progress = Progress(
        journey=composed.journey.name,
        version=composed.journey.version,
        steps=shown,
        started_at=enrolment.started_at,
        reached_at=_reached(composed, enrolment, view),
        left_at=enrolment.left_at or (view.now if left else None),
        mode=mode,
    )
    return Tracked(progress, tuple(fresh), finished, left)


def _recorded(composed: Composed, done: Iterable[Done]) -> dict[str, Done]:
    """By step; what an account did counts for its action. The earliest record stands."""
    by_step: dict[str, Done] = {}
    by_action: dict[str, Done] = {}
    for each in sorted(done, key=lambda d: (d.at, d.by or "")):
        if each.scope is StepScope.ACCOUNT:
            by_action.setdefault(each.action, each)
        else:
            by_step.setdefault(each.step, each)
    found: dict[str, Done] = {}
    for step in composed.actions:
        of_account = by_action.get(step.action or "") if step.scope is StepScope.ACCOUNT else None
        known = by_step.get(step.id)
        if known is None or (known.state is StepState.SKIPPED and of_account is not None):
            known = of_account
        if known is not None:
            found[step.id] = known
    return found


def _ordered(steps: tuple[Step, ...]) -> list[Step]:
    """Each behind those that it comes after, else as the file has them."""
    waiting, placed, names = list(steps), list[Step](), set[str]()
    known = {step.id for step in steps}
    while waiting:
        free = next(
            (s for s in waiting if names.issuperset(known.intersection(s.after))), waiting[0]
        )
        waiting.remove(free)
        placed.append(free)
        names.add(free.id)
    return placed


def _step(
    step: Step,
    enrolment: Enrolment,
    view: View,
    recorded: Done | None,
    before: Mapping[str, StepProgress],
    mode: Mode,
) -> StepProgress:
    if recorded is not None:
        at, by = recorded.at, recorded.by
        return _shown(step, recorded.state, by=by, at=at, evidence=recorded.evidence)
    if enrolment.finished_at is not None or _is_left_out(step, view, mode):
        return _shown(step, StepState.SKIPPED)
    seen = view.alone() if step.scope is StepScope.USER else view
    for rule in (step.unless, step.done):
        if rule is not None and compile_rule(rule)(seen):
            return _completed(step, enrolment, seen)
    waits = [before[id].state for id in step.after if id in before]
    is_free = all(state in _OVER for state in waits)
    return _shown(step, StepState.OPEN if is_free else StepState.BLOCKED)


def _is_left_out(step: Step, view: View, mode: Mode) -> bool:
    """By its branch, or because it is for the other mode."""
    branch = step.when is not None and not compile_rule(step.when)(view)
    return branch or (step.show is not None and step.show is not mode)


def _completed(step: Step, enrolment: Enrolment, view: View) -> StepProgress:
    """By whom and when is what the last piece of evidence says; without any, this person, now."""
    rules = [rule for rule in (step.unless, step.done) if rule is not None]
    shown = next((found for rule in rules if (found := evidence(rule, view))), ())
    dated = [(each.at, each.by or "") for each in shown if each.at is not None]
    at, by = max(dated, default=(view.now, ""))
    person = by or (enrolment.person.user if step.scope is StepScope.USER else None)
    ids = tuple(each.id for each in shown)
    return _shown(step, StepState.DONE, by=person, at=min(at, view.now), evidence=ids)


def _shown(
    step: Step,
    state: StepState,
    *,
    by: str | None = None,
    at: datetime | None = None,
    evidence: tuple[str, ...] = (),
) -> StepProgress:
    return StepProgress(
        id=step.id,
        action=step.action or "",
        state=state,
        effort=step.effort,
        scope=step.scope,
        by=by,
        done_at=at,
        evidence=evidence,
    )


def _on_record(step: StepProgress, now: datetime) -> Done:
    return Done(
        step=step.id,
        action=step.action,
        state=step.state,
        at=step.done_at or now,
        scope=step.scope,
        by=step.by,
        evidence=step.evidence,
    )


def _finished(composed: Composed, steps: Mapping[str, StepProgress], view: View) -> bool:
    """Nothing that has to be done is open, and something was done."""
    if not all(is_known(step.when, view) for step in composed.actions):
        return False  # a branch may still open
    needed = [steps[s.id].state in _OVER for s in composed.actions if not s.optional]
    return all(needed) and any(each.state is StepState.DONE for each in steps.values())


def _reached(composed: Composed, enrolment: Enrolment, view: View) -> datetime | None:
    goal = composed.journey.goal
    if enrolment.reached_at is not None or goal is None:
        return enrolment.reached_at
    seen = view.alone() if goal.scope is StepScope.USER else view
    if composed.journey.kind == "play":  # what it is to bring about is new
        seen = Since(seen, enrolment.started_at)
    return view.now if compile_rule(goal.rule)(seen) else None


def _left(composed: Composed, enrolment: Enrolment, view: View, consented: bool) -> str | None:
    """Why the person leaves now; None where they stay or have left before."""
    leaves = composed.journey.exit
    if enrolment.left_at is not None or enrolment.finished_at is not None:
        return None
    if not consented and Leave.CONSENT_WITHDRAWN in leaves:
        return Leave.CONSENT_WITHDRAWN.value
    settled = is_settled(composed.journey.audience, view)
    if Leave.AUDIENCE_LEFT in leaves and settled and not in_audience(composed.journey, view):
        return Leave.AUDIENCE_LEFT.value
    return None
