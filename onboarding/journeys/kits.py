"""A starter kit as its file says it: what an industry begins with, for one kind of person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import Field, JsonValue, model_validator

from onboarding.journeys.format import Name, Step, Texts
from onboarding.journeys.pacing import Part
from onboarding.rules import Rule

NAME: Final = "name"
"""What an item's own call names it by; a person may edit it."""


class Editable(Part):
    """A default that the person may change before the kit is applied."""

    key: Name
    label: Texts
    type: Literal["integer", "text", "choice", "emails"]
    default: JsonValue
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    unit: Texts = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sound(self) -> Editable:
        if wrong := self.wrong(self.default):
            raise ValueError(f"the default {wrong}")
        return self

    def wrong(self, value: JsonValue) -> str:
        """What is wrong with a value, in words that follow its label; empty when nothing is."""
        match self.type:
            case "integer":
                return self._wrong_number(value)
            case "choice":
                return "" if value in self.choices else f"is none of {', '.join(self.choices)}"
            case "text":
                return "" if isinstance(value, str) and value.strip() else "is empty"
            case "emails":
                is_list = isinstance(value, list) and all(map(_is_address, value))
                return "" if is_list else "is no list of e-mail addresses"

    def _wrong_number(self, value: JsonValue) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            return "is no whole number"
        if self.minimum is not None and value < self.minimum:
            return f"is below {self.minimum}"
        if self.maximum is not None and value > self.maximum:
            return f"is above {self.maximum}"
        return ""


def _is_address(value: JsonValue) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value) is not None


class Item(Part):
    """One thing that the kit makes. `with` holds values of the product's own call; a value
    `{edit: KEY}` is an editable default. `of` is the dashboard that a workflow sends."""

    id: Name
    title: Texts
    of: Name | None = None
    with_: dict[str, JsonValue] = Field(alias="with")

    @property
    def default_name(self) -> str:
        """What it is called unless somebody edits it; empty where its call takes no name."""
        name = self.with_.get(NAME)
        return name if isinstance(name, str) else ""


class Playbook(Part):
    """What to do when something happens: steps in words, no call."""

    id: Name
    title: Texts
    steps: tuple[Texts, ...] = Field(min_length=1)


class Note(Part):
    """A rule of the industry that the kit keeps or the customer has to keep."""

    id: Name
    text: Texts
    source: str = Field(min_length=1)


class Kit(Part):
    """One version. `industry` and `persona` are values of facts; `action` applies it. `steps` join
    the journey of whom the kit fits."""

    name: Name
    version: int = Field(ge=1)
    industry: str = Field(min_length=1)
    persona: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    title: Texts
    action: Name
    values: tuple[Editable, ...] = ()
    dashboards: tuple[Item, ...] = ()
    workflows: tuple[Item, ...] = ()
    alerts: tuple[Item, ...] = ()
    playbooks: tuple[Playbook, ...] = ()
    compliance: Annotated[tuple[Note, ...], Field(min_length=1)]
    audience: Rule | None = None
    steps: tuple[Step, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _kinded(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "name" in given or "kit" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "kit"}
        return {"name": given["kit"], **rest}

    @model_validator(mode="after")
    def _whole(self) -> Kit:
        ids = [item.id for item in self.items]
        if twice := {id for id in ids if ids.count(id) > 1}:
            raise ValueError(f"two items are called {', '.join(sorted(twice))}")
        boards = {item.id for item in self.dashboards}
        sent = [item.of for item in self.workflows]
        if lost := [str(of) for of in sent if of not in boards]:
            raise ValueError(f"a workflow is of a dashboard of the kit, not of {lost[0]}")
        if len({*sent}) < len(sent):
            raise ValueError("a dashboard has one workflow")
        return self

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def items(self) -> tuple[Item, ...]:
        return (*self.dashboards, *self.workflows, *self.alerts)


@dataclass(frozen=True, slots=True)
class Edits:
    """What a person changed of a kit: values by key, names and what is left out by item."""

    values: Mapping[str, JsonValue] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    leave_out: Set[str] = frozenset()


class EditError(ValueError):
    """What a kit cannot take, by key or item."""

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__("; ".join(f"{key} {what}" for key, what in wrong.items()))
        self.wrong = wrong


def arguments(kit: Kit, edits: Edits | None = None) -> dict[str, JsonValue]:
    """What the kit's action is called with: its lists, edits put in. A workflow is the `mail` of
    its dashboard, and goes where that one goes. Raises EditError."""
    edits = edits or Edits()
    _check(kit, edits)
    mails = {flow.of: flow for flow in kit.workflows if flow.id not in edits.leave_out}
    return {
        "kit": kit.ref,
        "industry": kit.industry,
        "dashboards": [
            made(kit, item, edits) | _mail(kit, mails.get(item.id), edits)
            for item in kit.dashboards
            if item.id not in edits.leave_out
        ],
        "alerts": [made(kit, item, edits) for item in kit.alerts if item.id not in edits.leave_out],
    }


def _check(kit: Kit, edits: Edits) -> None:
    known = {value.key: value for value in kit.values}
    items = {item.id: item for item in kit.items}
    wrong: dict[str, str] = {}
    for key, value in edits.values.items():
        if said := known[key].wrong(value) if key in known else "is no value of this kit":
            wrong[key] = said
    for id, name in edits.names.items():
        if id not in items or not items[id].default_name:
            wrong[id] = "is nothing of this kit that has a name"
        elif not name.strip():
            wrong[id] = "needs a name"
    wrong |= dict.fromkeys(edits.leave_out - items.keys(), "is nothing of this kit")
    if wrong:
        raise EditError(wrong)


def made(kit: Kit, item: Item, edits: Edits) -> dict[str, JsonValue]:
    """The item's own call with the edits that concern it."""
    chosen = {value.key: edits.values.get(value.key, value.default) for value in kit.values}
    call = {name: _filled(value, chosen) for name, value in item.with_.items()}
    return call | ({NAME: edits.names[item.id]} if item.id in edits.names else {})


def _mail(kit: Kit, flow: Item | None, edits: Edits) -> dict[str, JsonValue]:
    return {} if flow is None else {"mail": made(kit, flow, edits)}


def edits_of(value: JsonValue) -> frozenset[str]:
    """The keys that a value names."""
    match value:
        case {"edit": str(key)}:
            return frozenset({key})
        case dict():
            return frozenset().union(*map(edits_of, value.values()))
        case list():
            return frozenset().union(*map(edits_of, value))
        case _:
            return frozenset()


def _filled(value: JsonValue, chosen: dict[str, JsonValue]) -> JsonValue:
    match value:
        case {"edit": str(key)}:
            return chosen[key]
        case dict():
            return {name: _filled(inner, chosen) for name, inner in value.items()}
        case list():
            return [_filled(inner, chosen) for inner in value]
        case _:
            return value
