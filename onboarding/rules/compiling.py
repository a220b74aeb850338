"""rule -> a closure over the view: what may be asked thousands of times a second."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from onboarding.rules.knowing import fact_of
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
from onboarding.types import View

Test = Callable[[View], bool]
"""Whether a rule holds in the world of one person at one time."""


def compile_rule(rule: Rule) -> Test:
    """Compile once, ask often; the first clause that decides ends the asking."""
    match rule:
        case All() | AnyOf() | Not():
            return _joined(rule)
        case Happened():
            return _happened(rule)
        case FactIs():
            return _fact(rule)
        case _:
            return _looked_up(rule)


def always(view: View) -> bool:
    """The rule of what has none."""
    return view is not None


def _joined(rule: All | AnyOf | Not) -> Test:
    match rule:
        case All():
            return _all(tuple(compile_rule(each) for each in rule.all))
        case AnyOf():
            return _any(tuple(compile_rule(each) for each in rule.any))
        case Not():
            inner = compile_rule(rule.not_)
            return lambda view: not inner(view)


def _all(parts: tuple[Test, ...]) -> Test:
    def holds(view: View) -> bool:
        for part in parts:  # noqa: SIM110 - all() over a generator costs twice the time
            if not part(view):
                return False
        return True

    return holds


def _any(parts: tuple[Test, ...]) -> Test:
    def holds(view: View) -> bool:
        for part in parts:  # noqa: SIM110 - as above
            if part(view):
                return True
        return False

    return holds


def _happened(rule: Happened) -> Test:
    name, within, where = rule.event, rule.within, MappingProxyType(dict(rule.where))
    least = rule.at_least
    return lambda view: view.count(name, within, where) >= least


def _fact(rule: FactIs) -> Test:
    test = rule.test.compiled()
    return lambda view: test(fact_of(rule, view))


def _looked_up(rule: FeatureIs | StateIs | Stalled | InArm) -> Test:
    match rule:
        case FeatureIs(name=name):
            test = rule.test.compiled()
            return lambda view: test(view.feature(name))
        case StateIs(name=name):
            test = rule.test.compiled()
            return lambda view: test(view.state(name))
        case Stalled(stalled=risk):
            test, step = risk.risk.compiled(), risk.step
            return lambda view: test(view.stalled(step))
        case InArm(experiment=name):
            test = rule.arm.compiled()
            return lambda view: test(view.arm(name))
