"""Whether the product has said all that a rule asks it for. Until then a rule decides nothing that
cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from onboarding.rules.syntax import All, AnyOf, FactIs, Not, Rule, StateIs
from onboarding.types import UNKNOWN, Source, View


def is_known(rule: Rule | None, view: View) -> bool:
    """False where a state of the product that the rule asks for is not known."""
    return rule is None or all(view.state(name) is not None for name in states_of(rule))


def is_settled(rule: Rule | None, view: View) -> bool:
    """As `is_known`, and False where a fact of the person that it asks for is unknown: who is not
    known any more is not somebody else."""
    if rule is None:
        return True
    facts = (fact_of(each, view) for each in _leaves(rule) if isinstance(each, FactIs))
    return is_known(rule, view) and all(value != UNKNOWN for value in facts)


def states_of(rule: Rule) -> Iterator[str]:
    """Names of the states that it asks for."""
    return (each.name for each in _leaves(rule) if isinstance(each, StateIs))


def fact_of(rule: FactIs, view: View) -> JsonValue:
    """The value that it sees; an inferred one that is not sure enough is unknown."""
    fact = view.fact(rule.name)
    if fact is None:
        return UNKNOWN
    sure = fact.source is not Source.INFERRED or fact.confidence >= rule.confidence
    return fact.value if sure else UNKNOWN


def _leaves(rule: Rule) -> Iterator[Rule]:
    match rule:
        case All():
            inner = rule.all
        case AnyOf():
            inner = rule.any
        case Not():
            inner = (rule.not_,)
        case _:
            yield rule
            return
    for each in inner:
        yield from _leaves(each)
