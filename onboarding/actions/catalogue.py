"""What a person can be told to do next, as a data file: one action an entry, in curated order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guardrails.consent import Purpose
from onboarding.actions.texts import Texts
from onboarding.rules import (
    DataFileError,
    Problem,
    Rule,
    Test,
    Vocabulary,
    always,
    check_rule,
    compile_rule,
    did_you_mean,
    read_data,
)
from onboarding.types import StepScope

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Runs(BaseModel):
    """What a click starts: a tool or flow through the journal, or a page of the product."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tool: Id | None = None
    flow: Id | None = None
    page: Annotated[str, Field(pattern=r"^/[^\s]{0,199}$")] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Runs:
        if sum(each is not None for each in (self.tool, self.flow, self.page)) != 1:
            raise ValueError("write one of tool, flow and page")
        return self


class Action(BaseModel):
    """`effort` is 1 to 5, `value` what its completion is worth beside the others'. `when` says who
    may take it, `prefer` for whom it stands before others that no journey asks for, `urgent` before
    the journey too, `done` when it need not be taken any more, which with `scope: user` nobody else
    can bring about; `after` names actions that come first, `blocks` those not shown beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Id
    kind: Id
    effort: int = Field(ge=1, le=5)
    value: float = Field(default=1.0, gt=0, le=10)
    runs: Runs
    when: Rule | None = None
    done: Rule | None = None
    prefer: Rule | None = None
    urgent: Rule | None = None
    scope: StepScope = StepScope.ACCOUNT
    after: tuple[Id, ...] = ()
    blocks: tuple[Id, ...] = ()
    rights: tuple[str, ...] = ()
    purpose: Purpose = Purpose.PRODUCT_ANALYTICS


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    catalogue: Id
    version: int = Field(ge=1)
    actions: tuple[Action, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Tests:
    """The rules of one action, compiled."""

    when: Test
    done: Test
    prefer: Test
    urgent: Test


def _never(view: object) -> bool:
    return view is None


@dataclass(frozen=True)
class Catalogue:
    """Actions in curated order, with their rules compiled and their texts."""

    name: str
    version: int
    actions: tuple[Action, ...]
    texts: Texts = field(default_factory=Texts)

    @cached_property
    def by_id(self) -> dict[str, Action]:
        return {action.id: action for action in self.actions}

    @cached_property
    def tests(self) -> dict[str, Tests]:
        return {
            action.id: Tests(
                compile_rule(action.when) if action.when else always,
                compile_rule(action.done) if action.done else _never,
                compile_rule(action.prefer) if action.prefer else _never,
                compile_rule(action.urgent) if action.urgent else _never,
            )
            for action in self.actions
        }

    @cached_property
    def blocks(self) -> dict[str, frozenset[str]]:
        """By action, those that are not shown beside it, whichever of the two names the other."""
        pairs = [(action.id, other) for action in self.actions for other in action.blocks]
        both = [*pairs, *((other, one) for one, other in pairs)]
        return {
            action.id: frozenset(other for one, other in both if one == action.id)
            for action in self.actions
        }


def load_catalogue(path: Path, texts: Texts, known: Vocabulary | None = None) -> Catalogue:
    """Raises DataFileError, which names file, line and column of every mistake."""
    file = read_data(path)
    parsed = file.parse(_File)
    found = problems_of(parsed.actions, texts, known)
    if found:
        raise DataFileError([file.told(problem) for problem in found])
    return Catalogue(parsed.catalogue, parsed.version, parsed.actions, texts)


def problems_of(
    actions: Sequence[Action], texts: Texts, known: Vocabulary | None = None
) -> tuple[Problem, ...]:
    """What is wrong beyond the shape: ids, prerequisites in a circle, rules, missing texts."""
    ids = [action.id for action in actions]
    twice = {name for name, count in Counter(ids).items() if count > 1}
    found: list[Problem] = []
    for at, action in enumerate(actions):
        place = ("actions", at)
        if action.id in twice:
            found.append(Problem((*place, "id"), "twice", f"{action.id} stands here twice"))
        found += _unknown(action, ids, at)
        found += _rules(action, known, at)
        found += [
            Problem((*place, "id"), "no_text", f"{action.id} has no {part} in {locale}")
            for locale, part in texts.missing(action.id)
        ]
    return (*found, *_circles(actions))


def _unknown(action: Action, ids: Sequence[str], at: int) -> Iterator[Problem]:
    for name in ("after", "blocks"):
        for number, other in enumerate(getattr(action, name)):
            if other not in ids or other == action.id:
                said = f"there is no other action {other}{did_you_mean(other, ids)}"
                yield Problem(("actions", at, name, number), "unknown_action", said)


def _rules(action: Action, known: Vocabulary | None, at: int) -> Iterator[Problem]:
    for name in ("when", "done", "prefer", "urgent"):
        rule = getattr(action, name)
        if rule is not None and known is not None:
            yield from check_rule(rule, known, ("actions", at, name))


def _circles(actions: Sequence[Action]) -> Iterator[Problem]:
    """An action that has to come before itself can never be taken."""
    after = {action.id: action.after for action in actions}
    for at, action in enumerate(actions):
        reached: set[str] = set()
        waiting = list(action.after)
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += after.get(one, ())
        if action.id in reached:
            yield Problem(("actions", at, "after"), "circle", f"{action.id} comes after itself")
