"""The tools that exist, from every source, each name once; and who may see which."""

from __future__ import annotations

from collections.abc import Iterable

from tools.tool import Tool
from tools.types import Actor, Manifest


class DuplicateToolError(ValueError):
    """Two tools have one name; says which sources they come from."""


class Registry:
    """A Catalogue. `earlier` are tools of versions that are not offered any more: actions that were
    proposed under them can still be looked up."""

    def __init__(self, tools: Iterable[Tool], earlier: Iterable[Tool] = ()) -> None:
        """Raises DuplicateToolError."""
        self._current: dict[str, Tool] = {}
        self._versions: dict[tuple[str, str], Tool] = {}
        for tool in earlier:
            self._versions[tool.manifest.name, tool.manifest.version] = tool
        for tool in tools:
            self._add(tool)

    def _add(self, tool: Tool) -> None:
        manifest = tool.manifest
        other = self._current.get(manifest.name)
        if other is not None:
            raise DuplicateToolError(
                f"{manifest.name} comes from {other.manifest.source} and from {manifest.source};"
                " give one of the sources a namespace"
            )
        self._current[manifest.name] = tool
        self._versions[manifest.name, manifest.version] = tool

    def tool(self, name: str, version: str | None = None) -> Tool | None:
        """The current tool, or the one of that version."""
        if version is None:
            return self._current.get(name)
        return self._versions.get((name, version))

    def manifests(self) -> tuple[Manifest, ...]:
        return tuple(tool.manifest for tool in self._current.values())

    def for_actor(self, actor: Actor) -> tuple[Manifest, ...]:
        """What this person may be offered: rights, plan, and nothing that is for our own use."""
        return tuple(m for m in self.manifests() if may_use(m, actor))

    def tool_for(self, name: str, actor: Actor) -> Tool | None:
        """None where it does not exist and where this person may not use it alike."""
        tool = self._current.get(name)
        return tool if tool is not None and may_use(tool.manifest, actor) else None


def may_use(manifest: Manifest, actor: Actor) -> bool:
    on_plan = not manifest.plans or actor.plan in manifest.plans
    return not manifest.hidden and on_plan and manifest.rights <= actor.rights
