"""rule that holds -> what shows it: ids of messages and facts, names of states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from onboarding.rules.compiling import compile_rule
from onboarding.rules.syntax import All, AnyOf, FactIs, Happened, Not, Rule, StateIs
from onboarding.types import Event, View

MOST = 5
"""Ids named for one clause: the last of those with which it began to hold."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One piece of evidence: the id of a message or fact, or `state:NAME`. `by` did it."""

    id: str
    by: str | None = None
    at: datetime | None = None


@runtime_checkable
class Witness(Protocol):
    """A view that can also name the events it counted."""

    def witnesses(
        self, event: str, within: timedelta | None, where: Mapping[str, JsonValue]
    ) -> tuple[Event, ...]:
        """Oldest first."""
        ...


def evidence(rule: Rule, view: View) -> tuple[Shown, ...]:
    """Of the clauses that made it hold, without doubles; nothing where it does not hold."""
    if not compile_rule(rule)(view):
        return ()
    return tuple({each.id: each for each in _shown(rule, view)}.values())


def _shown(rule: Rule, view: View) -> Iterable[Shown]:
    match rule:
        case All():
            return [shown for each in rule.all for shown in _shown(each, view)]
        case AnyOf():
            holding = next(each for each in rule.any if compile_rule(each)(view))
            return _shown(holding, view)
        case Happened() if isinstance(view, Witness):
            seen = view.witnesses(rule.event, rule.within, rule.where)[: rule.at_least]
            return [Shown(e.message_id, e.user, e.occurred_at) for e in seen[-MOST:]]
        case FactIs():
            fact = view.fact(rule.name)
            return [Shown(id) for id in fact.evidence[:MOST]] if fact is not None else ()
        case StateIs():
            return (Shown(f"state:{rule.name}"),)
        case _:
            return ()


def is_negative(rule: Rule) -> bool:
    """Whether it may hold by nothing having happened."""
    match rule:
        case Not():
            return True
        case All():
            return all(is_negative(each) for each in rule.all)
        case AnyOf():
            return any(is_negative(each) for each in rule.any)
        case _:
            return False
