"""A flow of three steps over the host's tools; the last is refused now and then."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from typing_extensions import override

from tests.tools.simulation.host import RIGHT, Host, HostTool, host_tools
from tests.tools.twins import Shelf
from tools.flows.definition import FlowDefinition
from tools.flows.drive import FlowParts
from tools.flows.kits import flow_tools
from tools.types import Manifest

FLOW = "set_up"
_NAME = {"$arg": "name"}


class KnownFlow(FlowDefinition):
    """Describes itself once: a hundred thousand processes ask."""

    @override
    def manifest(self) -> Manifest:
        return _described(FLOW)


@cache
def _described(_flow: str) -> Manifest:
    return FlowDefinition.manifest(DEFINITION)


DEFINITION = KnownFlow.model_validate(
    {
        "flow": FLOW,
        "version": 1,
        "title": "Set up",
        "summary": "Three steps.",
        "target": "flows",
        "tier": 2,
        "rights": [RIGHT],
        "undo": "Everything is taken back.",
        "timeout_s": 60,
        "retry_for_s": 40,
        "arguments": {
            "name": {"schema": {"type": "string"}, "label": "Name", "required": True},
            "value": {"schema": {"type": "string"}, "label": "Value"},
        },
        "steps": [
            {
                "id": name,
                "title": name,
                "do": tool,
                "with": {"name": _NAME, "value": {"$arg": "value"}},
            }
            for name, tool in (("first", "make"), ("second", "set"), ("third", "make"))
        ],
    }
)


def shelf_of(host: Host) -> Callable[[FlowParts], Shelf]:
    tools: tuple[HostTool, ...] = host_tools(host)

    def stock(parts: FlowParts) -> Shelf:
        return Shelf(*tools, *flow_tools([DEFINITION], parts))

    return stock


def versions(host: Host) -> dict[str, str]:
    manifests: list[Manifest] = [tool.manifest for tool in host_tools(host)]
    manifests.append(DEFINITION.manifest())
    return {manifest.name: manifest.version for manifest in manifests}
