"""What an argument may be, and what is known of a person: read through the person's own tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from pydantic import JsonValue

from agent.acting import Choice
from guardrails.labels import Integrity, Labelled
from tools.canonical import new_id
from tools.flows.values import at
from tools.tool import Catalogue, ToolError
from tools.types import Actor, Arguments, Attempt, Choices, ToolCall

MOST_CHOICES = 200
"""Of one argument: as many as one page of a usual API holds."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FactSource:
    """A fact as one part of what a reading tool finds: `at` is an RFC 6901 pointer."""

    tool: str
    at: str
    arguments: Arguments = field(default_factory=dict)


class ToolLookup:
    """The choices of one person. Reads with that person's rights; nothing is kept."""

    def __init__(self, catalogue: Catalogue, actor: Actor) -> None:
        self._catalogue = catalogue
        self._actor = actor

    async def choices(self, tool: str, argument: str) -> tuple[Choice, ...]:
        found = self._catalogue.tool(tool)
        entry = None if found is None else found.manifest.arguments.get(argument)
        if entry is None or entry.choices is None:
            return ()
        seen = await read(self._catalogue, self._actor, entry.choices.tool, {})
        items = at(seen, entry.choices.items)
        if not isinstance(items, list):
            return ()
        named = (_choice(item, entry.choices) for item in items[:MOST_CHOICES])
        return tuple(choice for choice in named if choice is not None)


def _choice(item: JsonValue, choices: Choices) -> Choice | None:
    if not isinstance(item, dict) or choices.value not in item:
        return None
    label = item.get(choices.label)
    return Choice(item[choices.value], label if isinstance(label, str) else "")


class ToolFacts:
    """Facts by name, each read when it is asked for. What the host says of its own user counts as
    theirs, because an inferred value is confirmed by them before it is used."""

    def __init__(self, catalogue: Catalogue, sources: Mapping[str, FactSource]) -> None:
        self._catalogue = catalogue
        self._sources = sources

    async def facts(self, actor: Actor) -> Mapping[str, Labelled[JsonValue]]:
        known: dict[str, Labelled[JsonValue]] = {}
        seen: dict[str, JsonValue] = {}
        for name, source in self._sources.items():
            key = f"{source.tool}{dict(source.arguments)!r}"
            if key not in seen:
                seen[key] = await read(self._catalogue, actor, source.tool, source.arguments)
            value = at(seen[key], source.at)
            if isinstance(value, str | int | bool | list | dict):
                known[name] = Labelled(value, Integrity.USER_TYPED, name)
        return known


async def read(catalogue: Catalogue, actor: Actor, name: str, arguments: Arguments) -> JsonValue:
    """What a reading tool finds; null when it is not theirs, or cannot be read now."""
    tool = catalogue.tool(name)
    if tool is None or not tool.manifest.reads_only or not tool.manifest.rights <= actor.rights:
        return None
    call = ToolCall(name, tool.manifest.version, arguments)
    try:
        done = await tool.run(call, actor.principal, Attempt(new_id(), 1, 0))
    except ToolError as failure:
        _log.info("not_read", tool=name, code=failure.code)
        return None
    return dict(done.result)
