"""Flows against the tools that exist: what no flow file can know by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onboarding.journeys import Kit
from tools.flows.definition import FlowDefinition, Reading, Step
from tools.flows.offering import kit_problems, kits_of
from tools.tool import Catalogue
from tools.types import Tier


def flow_problems(
    flows: Sequence[FlowDefinition], catalogue: Catalogue, kits: Sequence[Kit] = ()
) -> tuple[str, ...]:
    """One line a mistake: `FLOW.STEP: MESSAGE`."""
    return tuple(
        f"{flow.flow}.{place}: {message}"
        for flow in flows
        for found in (_of_flow(flow, catalogue), kit_problems(flow, kits_of(flow, kits)))
        for place, message in found
    )


def _of_flow(flow: FlowDefinition, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if flow.look is not None:
        yield from (("look", message) for message in _of_reading(flow.look, catalogue))
    for reading in flow.kits.compare.values() if flow.kits is not None else ():
        yield from (("kits", message) for message in _of_reading(reading, catalogue))
    if flow.reminders is not None:
        wrong = _of_reading(flow.reminders.look, catalogue)
        yield from (("reminders", message) for message in wrong)
    for step in flow.steps:
        yield from ((step.id, message) for message in _of_step(flow, step, catalogue))


def _of_step(flow: FlowDefinition, step: Step, catalogue: Catalogue) -> Iterator[str]:
    tool = catalogue.tool(step.do)
    if tool is None:
        yield f"there is no tool {step.do}"
    elif tool.manifest.tier > flow.tier:
        approved = Tier(flow.tier).name
        yield f"{step.do} is {tool.manifest.tier.name}, the flow is approved as {approved}"
    elif not tool.manifest.rights <= set(flow.rights):
        lacking = ", ".join(sorted(tool.manifest.rights - set(flow.rights)))
        yield f"{step.do} needs {lacking}, which the flow does not ask for"
    yield from _of_arguments(step.do, set(step.with_), catalogue)
    for reading in (step.wait, step.done_read):
        if reading is not None:
            yield from _of_reading(reading, catalogue)


def _of_reading(reading: Reading, catalogue: Catalogue) -> Iterator[str]:
    tool = catalogue.tool(reading.do)
    if tool is None:
        yield f"there is no tool {reading.do}"
    elif not tool.manifest.reads_only:
        yield f"{reading.do} does more than read"
    yield from _of_arguments(reading.do, set(reading.with_), catalogue)


def _of_arguments(name: str, given: set[str], catalogue: Catalogue) -> Iterator[str]:
    tool = catalogue.tool(name)
    if tool is None:
        return
    properties = tool.manifest.schema.get("properties")
    known = set(properties) if isinstance(properties, dict) else set()
    for unknown in sorted(given - known):
        yield f"{name} has no argument {unknown}"
    required = tool.manifest.schema.get("required")
    needed = {str(entry) for entry in required} if isinstance(required, list) else set()
    for missing in sorted(needed - given):
        yield f"{name} needs {missing}"
