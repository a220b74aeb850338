"""Which steps nobody can come to: behind a circle, or behind rules that exclude one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nextafter
from typing import Final

from onboarding.journeys.format import Step
from onboarding.rules import (
    All,
    AnyOf,
    Comparison,
    FactIs,
    FeatureIs,
    InArm,
    Op,
    Rule,
    StateIs,
)

Topic = tuple[str, str]
"""A kind of clause, and the name in it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a value has to be: one of `values`, None for any, and between two numbers."""

    values: frozenset[object] | None = None
    least: float = -inf
    most: float = inf

    def __and__(self, other: Bounds) -> Bounds:
        both = [each.values for each in (self, other) if each.values is not None]
        values = frozenset.intersection(*both) if both else None
        return Bounds(values, max(self.least, other.least), min(self.most, other.most))

    @property
    def is_empty(self) -> bool:
        return self.values == frozenset() or self.least > self.most


Needs = Mapping[Topic, Bounds]
_KINDS: Final = {FactIs: "profile", StateIs: "state", FeatureIs: "feature"}


def needs(rule: Rule | None) -> Needs:
    """What holds whenever the rule does; topics of which nothing is sure are left out."""
    match rule:
        case All():
            return both(*map(needs, rule.all))
        case AnyOf() if len(rule.any) == 1:
            return needs(rule.any[0])
        case FactIs() | StateIs() | FeatureIs():
            return _bounded(_KINDS[type(rule)], rule.name, rule.test)
        case InArm():
            return _bounded("experiment", rule.experiment, rule.arm)
        case _:
            return {}


def both(*given: Needs) -> Needs:
    """All of them at once."""
    joined: dict[Topic, Bounds] = {}
    for each in given:
        for topic, bounds in each.items():
            joined[topic] = joined.get(topic, Bounds()) & bounds
    return joined


def impossible(wanted: Needs) -> str | None:
    """The name on which the rules exclude one another, None where none do."""
    return next((f"{t[0]}.{t[1]}" for t, bounds in wanted.items() if bounds.is_empty), None)


def circle(steps: Sequence[Step]) -> frozenset[str]:
    """Steps that wait for themselves."""
    after = {step.id: step.after for step in steps}
    return frozenset(id for id in after if id in _behind(id, after))


def behind_circle(steps: Sequence[Step]) -> frozenset[str]:
    """Those that wait for a step that waits for itself."""
    after = {step.id: step.after for step in steps}
    round_and_round = circle(steps)
    return frozenset(
        id for id in after if id not in round_and_round and round_and_round & _behind(id, after)
    )


def excluded(steps: Sequence[Step], audience: Rule | None) -> Iterator[tuple[int, str]]:
    """Number of each step that nobody in the audience can come to, and on which name it fails.
    A step that is left out holds nobody up, so what a step waits for excludes nothing."""
    outside = needs(audience)
    for number, step in enumerate(steps):
        name = impossible(both(outside, needs(step.when)))
        if name is not None:
            yield number, name


def _bounded(kind: str, name: str, test: Comparison) -> Needs:
    match test.op:
        case Op.IS | Op.IN:
            return {(kind, name): Bounds(frozenset(test.values))}
        case Op.AT_LEAST:
            return {(kind, name): Bounds(least=float(test.values[0]))}
        case Op.MORE:
            return {(kind, name): Bounds(least=_above(float(test.values[0])))}
        case Op.AT_MOST:
            return {(kind, name): Bounds(most=float(test.values[0]))}
        case Op.LESS:
            return {(kind, name): Bounds(most=_below(float(test.values[0])))}
        case _:
            return {}


def _above(bound: float) -> float:
    return nextafter(bound, inf)


def _below(bound: float) -> float:
    return nextafter(bound, -inf)


def _behind(id: str, after: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Every step that one waits for, directly or not."""
    found: set[str] = set()
    waiting = list(after.get(id, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += after.get(one, ())
    return frozenset(found)
