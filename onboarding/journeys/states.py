"""Which states of the product rules may ask for, and which reading tells each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, JsonValue

from onboarding.journeys.pacing import Part
from onboarding.rules import Duration, Form, Typed, read_data


class StateEntry(Part):
    """One state: the part at `at`, a JSON pointer, of what a reading tool returns; with `count`
    how many items that part has. Absent means not known."""

    type: Form
    values: tuple[str, ...] = ()
    read: str = Field(min_length=1)
    at: str = Field(pattern=r"^(/[^/]+)*$")
    count: bool = False
    max_age: Duration
    about: str = ""


class States(Part):
    """The file: states by name."""

    version: int = Field(ge=1)
    states: dict[str, StateEntry]

    def typed(self) -> dict[str, Typed]:
        """For the vocabulary of rules."""
        return {
            name: Typed(each.type, frozenset(each.values)) for name, each in self.states.items()
        }

    @property
    def readings(self) -> frozenset[str]:
        """Tools to be asked for all of them."""
        return frozenset(each.read for each in self.states.values())

    def values(self, results: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """By state, from what each reading returned; those that are not known are left out, and so
        is what has another type than the file says."""
        found = {
            name: value
            for name, each in self.states.items()
            if (value := _value(each, results.get(each.read))) is not None
        }
        return {name: value for name, value in found.items() if _fits(self.states[name], value)}


def read_states(path: Path) -> States:
    """Raises DataFileError."""
    return read_data(path).parse(States)


def _value(entry: StateEntry, result: JsonValue) -> JsonValue:
    here = result
    for part in entry.at.split("/")[1:]:
        here = here.get(part) if isinstance(here, dict) else None
    if entry.count:
        return len(here) if isinstance(here, list) else None
    return here


def _fits(entry: StateEntry, value: JsonValue) -> bool:
    match entry.type:
        case Form.FLAG:
            return isinstance(value, bool)
        case Form.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Form.TEXT:
            return isinstance(value, str)
