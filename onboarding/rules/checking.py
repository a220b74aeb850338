"""A rule against what there is: names and types of events, features, facts, states, steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from onboarding.rules.comparing import ORDER, Comparison, Scalar
from onboarding.rules.files import Place, Problem, did_you_mean
from onboarding.rules.syntax import (
    All,
    AnyOf,
    FactIs,
    FeatureIs,
    Happened,
    InArm,
    Not,
    Rule,
    Stalled,
    StateIs,
)
from onboarding.types import UNKNOWN


class Form(StrEnum):
    """What a value is."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Typed:
    """`values` are all that a text may be; none means any."""

    form: Form
    values: frozenset[str] = frozenset()


def _none() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What rules may speak of. A fact may always be `unknown`; `experiments` holds arms by name."""

    events: Mapping[str, Mapping[str, Typed]] = field(default_factory=_none)
    features: Mapping[str, Typed] = field(default_factory=_none)
    facts: Mapping[str, frozenset[str]] = field(default_factory=_none)
    states: Mapping[str, Typed] = field(default_factory=_none)
    steps: frozenset[str] = frozenset()
    experiments: Mapping[str, frozenset[str]] = field(default_factory=_none)


def check_rule(rule: Rule, known: Vocabulary, place: Place = ()) -> tuple[Problem, ...]:
    """Everything wrong in the rule, which stands at `place` of its file."""
    return tuple(_checked(rule, known, place))


def _checked(rule: Rule, known: Vocabulary, place: Place) -> Iterator[Problem]:
    match rule:
        case All():
            for number, each in enumerate(rule.all):
                yield from _checked(each, known, (*place, "all", number))
        case AnyOf():
            for number, each in enumerate(rule.any):
                yield from _checked(each, known, (*place, "any", number))
        case Not():
            yield from _checked(rule.not_, known, (*place, "not"))
        case Happened():
            yield from _event(rule, known, place)
        case _:
            yield from _leaf(rule, known, place)


def _leaf(
    rule: FeatureIs | FactIs | StateIs | Stalled | InArm, known: Vocabulary, place: Place
) -> Iterator[Problem]:
    match rule:
        case FeatureIs():
            here = (*place, f"feature.{rule.name}")
            yield from _named("feature", rule.name, known.features, here, rule.test)
        case StateIs():
            here = (*place, f"state.{rule.name}")
            yield from _named("state", rule.name, known.states, here, rule.test)
        case FactIs():
            yield from _fact(rule, known, (*place, f"profile.{rule.name}"))
        case Stalled():
            if rule.stalled.step not in known.steps:
                yield _unknown("step", rule.stalled.step, known.steps, (*place, "stalled", "step"))
        case InArm():
            arms = _texts(known.experiments)
            yield from _named("experiment", rule.experiment, arms, (*place, "experiment"), rule.arm)


def _event(rule: Happened, known: Vocabulary, place: Place) -> Iterator[Problem]:
    fields = known.events.get(rule.event)
    if fields is None:
        yield _unknown("event", rule.event, known.events, (*place, "event"))
        return
    for name, value in rule.where.items():
        here = (*place, "where", name)
        if name not in fields:
            yield _unknown(f"field of {rule.event}", name, fields, here)
        else:
            yield from _typed(name, fields[name], (value,), here)


def _fact(rule: FactIs, known: Vocabulary, place: Place) -> Iterator[Problem]:
    if rule.name not in known.facts:
        yield _unknown("fact", rule.name, known.facts, place)
        return
    values = known.facts[rule.name]
    kind = Typed(Form.TEXT, values | {UNKNOWN} if values else frozenset())
    yield from _compared(rule.name, kind, rule.test, place)


def _named(
    what: str, name: str, known: Mapping[str, Typed], place: Place, test: Comparison
) -> Iterator[Problem]:
    if name not in known:
        yield _unknown(what, name, known, place)
    else:
        yield from _compared(name, known[name], test, place)


def _texts(values: Mapping[str, frozenset[str]]) -> dict[str, Typed]:
    return {name: Typed(Form.TEXT, each) for name, each in values.items()}


def _compared(name: str, kind: Typed, test: Comparison, place: Place) -> Iterator[Problem]:
    if test.op in ORDER and kind.form is not Form.NUMBER:
        message = f"{name} is a {kind.form.value}; {test.op.value} compares numbers"
        yield Problem(place, "wrong_type", message)
    else:
        yield from _typed(name, kind, test.values, place)


def _typed(name: str, kind: Typed, values: tuple[Scalar, ...], place: Place) -> Iterator[Problem]:
    for value in values:
        if _form(value) is not kind.form:
            message = f"{name} is a {kind.form.value}, {value!r} is a {_form(value).value}"
            yield Problem(place, "wrong_type", message)
        elif kind.values and value not in kind.values:
            near = did_you_mean(str(value), kind.values)
            yield Problem(place, "unknown_value", f"{name} is never {value}{near}")


def _form(value: Scalar) -> Form:
    if isinstance(value, bool):
        return Form.FLAG
    return Form.TEXT if isinstance(value, str) else Form.NUMBER


def _unknown(what: str, name: str, known: Any, place: Place) -> Problem:
    message = f"there is no {what} {name}{did_you_mean(name, known)}"
    return Problem(place, f"unknown_{what.split(' ', maxsplit=1)[0]}", message)
