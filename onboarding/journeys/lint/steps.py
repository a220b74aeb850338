"""Steps of journeys, plays and kits: order, names, rules, texts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from onboarding.journeys.format import Step
from onboarding.journeys.lint.known import Known, untranslated
from onboarding.journeys.lint.reach import behind_circle, circle
from onboarding.rules import Place, Problem, Vocabulary, check_rule, did_you_mean, is_negative

_RULES = ("when", "unless", "done")


def step_problems(
    steps: Sequence[Step], known: Known, vocabulary: Vocabulary, others: Collection[str] = ()
) -> Iterator[Problem]:
    """`others` are steps that these may wait for beside themselves."""
    yield from _order(steps, others)
    for number, step in enumerate(steps):
        place: Place = ("steps", number)
        yield from _names(step, known, place)
        yield from _rules(step, vocabulary, place)
        if step.is_action:
            yield from untranslated(step.title, (*place, "title"), known.locales)
            yield from untranslated(step.why, (*place, "why"), known.locales)


def _order(steps: Sequence[Step], others: Collection[str]) -> Iterator[Problem]:
    ids = [step.id for step in steps]
    reachable = {*ids, *others}
    in_circle, behind = circle(steps), behind_circle(steps)
    for number, step in enumerate(steps):
        place: Place = ("steps", number)
        if step.id in ids[:number]:
            yield Problem((*place, "id"), "twice", f"{step.id} is there twice")
        for at, name in enumerate(step.after):
            if name not in reachable:
                message = f"there is no step {name}{did_you_mean(name, reachable)}"
                yield Problem((*place, "after", at), "unknown_step", message)
        if step.id in in_circle:
            yield Problem((*place, "after"), "cycle", f"{step.id} waits for itself")
        elif step.id in behind:
            message = f"{step.id} waits for a step that waits for itself"
            yield Problem((*place, "after"), "unreachable_step", message)


def _names(step: Step, known: Known, place: Place) -> Iterator[Problem]:
    for key, name, there in (
        ("action", step.action, known.actions),
        ("on_error", step.on_error, known.actions),
        ("send", step.send, known.templates),
    ):
        if name is not None and there is not None and name not in there:
            what = "template" if key == "send" else "action"
            message = f"there is no {what} {name}{did_you_mean(name, there)}"
            yield Problem((*place, key), f"unknown_{what}", message)


def _rules(step: Step, vocabulary: Vocabulary, place: Place) -> Iterator[Problem]:
    for key in _RULES:
        rule = getattr(step, key)
        if rule is None:
            continue
        yield from check_rule(rule, vocabulary, (*place, key))
        if key != "when" and is_negative(rule):
            message = "it may hold because nothing has happened; name what shows that it is done"
            yield Problem((*place, key), "done_by_nothing", message)
