"""JSON Schemas of the file formats, for editors and for those who write files by program."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from onboarding.journeys.catalogue import FileKind
from onboarding.journeys.format import Journey
from onboarding.journeys.guides import Guide
from onboarding.journeys.kits import Kit
from onboarding.journeys.states import States

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
STATES: Final = "states"
_MODELS: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {
        FileKind.JOURNEY: Journey,
        FileKind.PLAY: Journey,
        FileKind.KIT: Kit,
        FileKind.GUIDE: Guide,
        STATES: States,
    }
)
SCHEMAS: Final = tuple(str(name) for name in _MODELS)


def schema(kind: str) -> dict[str, Any]:
    """Of one kind of file, as it is written and not as it is read. Raises KeyError."""
    document = _MODELS[kind].model_json_schema(by_alias=True)
    if kind != STATES:
        _begin(document, kind)
    goal = document.get("$defs", {}).get("Goal")
    if goal is not None:
        _open_goal(goal)
    del document["title"]
    return {"$schema": DIALECT, "title": f"Embark {kind} file", **document}


def _begin(document: dict[str, Any], kind: str) -> None:
    """The first key names the kind and holds the name."""
    properties, required = dict(document["properties"]), list(document["required"])
    if kind in (FileKind.JOURNEY, FileKind.PLAY):
        del properties["kind"]
        required.remove("kind")
    required.remove("name")
    document["properties"] = {kind: properties.pop("name"), **properties}
    document["required"] = [kind, *required]


def _open_goal(goal: dict[str, Any]) -> None:
    """A goal is a rule with `within` beside its clause; what a rule is stands at `audience`."""
    within = goal["properties"]["within"]
    goal.clear()
    goal |= {
        "type": "object",
        "description": "A rule, and the time from the start in which it counts.",
        "properties": {"within": within},
        "minProperties": 2,
    }
