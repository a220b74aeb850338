"""A starter kit as its file says it: what an industry begins with, for one kind of person."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from onboarding.journeys.format import Name, Step, Texts
from onboarding.journeys.pacing import Part
from onboarding.rules import Rule


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
    `{edit: KEY}` is an editable default."""

    id: Name
    title: Texts
    with_: dict[str, JsonValue] = Field(alias="with")


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

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def items(self) -> tuple[Item, ...]:
        return (*self.dashboards, *self.workflows, *self.alerts)


class EditError(ValueError):
    """Values that a kit cannot take, by key."""

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__("; ".join(f"{key} {what}" for key, what in wrong.items()))
        self.wrong = wrong


def arguments(kit: Kit, edits: dict[str, JsonValue] | None = None) -> dict[str, JsonValue]:
    """What the kit's action is called with: its lists, edited values put in. Raises EditError."""
    given = edits or {}
    known = {value.key: value for value in kit.values}
    wrong = {key: "is no value of this kit" for key in given if key not in known}
    wrong |= {key: said for key in given if key in known and (said := known[key].wrong(given[key]))}
    if wrong:
        raise EditError(wrong)
    chosen = {key: given.get(key, value.default) for key, value in known.items()}
    return {
        "kit": kit.ref,
        **{
            name: [_filled(item.with_, chosen) for item in items]
            for name, items in (
                ("dashboards", kit.dashboards),
                ("workflows", kit.workflows),
                ("alerts", kit.alerts),
            )
        },
    }


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
