"""A flow as a tool, and the hidden tool that takes it back."""

from __future__ import annotations

from dataclasses import replace

from pydantic import JsonValue

from tools.canonical import canonical, sha256
from tools.flows.definition import SEEN, FlowDefinition, Reading
from tools.flows.drive import Drive, FlowParts, StepFailedError, filled, may_run, read
from tools.flows.values import Known, holds
from tools.tool import BusyError, PartialError, PostponedError, RejectedError
from tools.types import (
    Attempt,
    Done,
    EffectClass,
    Manifest,
    OpenItem,
    Principal,
    Target,
    ToolCall,
)

UNDO = ".undo"


class FlowTool:
    """A flow as a tool. Class R: a run that died is run again, and finds its steps."""

    def __init__(self, definition: FlowDefinition, parts: FlowParts) -> None:
        self._flow = definition
        self._parts = parts
        self._manifest = definition.manifest()

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    async def look(self, call: ToolCall, who: Principal) -> Target:
        """What the flow's own reading finds, and the steps that these arguments lead to."""
        known = Known(call.arguments)
        steps = tuple(s.title for s in self._flow.steps if may_run(s, known))
        if self._flow.look is None:
            return Target(steps=steps, notes=self._flow.notes)
        seen = await seen_by(self._parts, self._flow.look, known, who)
        state = seen if isinstance(seen, dict) else {"found": seen}
        return Target(state=state, steps=steps, notes=self._flow.notes)

    @property
    def reminders(self) -> tuple[OpenItem, ...]:
        return self._flow.open_items()

    async def still_open(self, call: ToolCall, who: Principal) -> tuple[OpenItem, ...]:
        reminders = self._flow.reminders
        if reminders is None:
            return ()
        known = Known(call.arguments)
        known.results[SEEN] = await seen_by(self._parts, reminders.look, known, who)
        open_ = {item.id for item in reminders.items if holds(item.open, known)}
        return tuple(item for item in self.reminders if item.id in open_)

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        drive = Drive(self._flow, self._parts, who, attempt.action_id)
        known = Known(call.arguments)
        try:
            await drive.forward(known)
        except StepFailedError as failed:
            await self._take_back(drive, failed)
        return Done(
            result={n: v for n, v in filled(self._flow.result, known).items() if v is not None},
            effect_ref=self._reference(known, attempt.action_id),
            undo=ToolCall(
                self._flow.flow + UNDO, self._manifest.version, {"flow_action": attempt.action_id}
            ),
        )

    async def read_back(self, _call: ToolCall, _who: Principal, _attempt: Attempt) -> Done | None:
        """None: running it again is how a flow finds out."""
        return None

    def _reference(self, known: Known, flow_action: str) -> str:
        """What the receipt says was brought about, without saying what it is."""
        if self._flow.commits_to is None:
            return flow_action
        stands = filled({"stands": self._flow.commits_to}, known).get("stands")
        return f"sha256:{sha256(canonical(stands))}"

    async def _take_back(self, drive: Drive, failed: StepFailedError) -> None:
        stuck = await drive.backward()
        if not stuck:
            raise RejectedError(failed.code, failed.detail)
        left: dict[str, JsonValue] = {"failed_step": failed.step, "still_there": list(stuck)}
        raise PartialError(failed.code, failed.detail, Done(left, drive.flow_action))


class FlowUndoTool:
    """Takes a flow back: its steps in reverse order, each once. Offered to nobody by itself."""

    def __init__(self, definition: FlowDefinition, parts: FlowParts) -> None:
        self._flow = definition
        self._parts = parts
        forward = definition.manifest()
        self._manifest = replace(
            forward,
            name=definition.flow + UNDO,
            title=f"Undo: {definition.title}",
            schema={
                "type": "object",
                "properties": {"flow_action": {"type": "string"}},
                "required": ["flow_action"],
                "additionalProperties": False,
            },
            arguments={},
            undo="",
            phrases=(),
            topics=(),
            bulk="",
            admin_values={},
            effect=EffectClass.READ_BACK,
            hidden=True,
        )

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    async def look(self, call: ToolCall, who: Principal) -> Target:
        done = await self._drive(call, who, _flow_action(call)).done_steps()
        return Target(steps=tuple(f"Take back: {step.title}" for step, _ in reversed(done)))

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        stuck = await self._drive(call, who, attempt.action_id).backward()
        if stuck:
            left: dict[str, JsonValue] = {"still_there": list(stuck)}
            raise PartialError(
                "not_all_undone", ", ".join(stuck), Done(left, effect_ref=_flow_action(call))
            )
        return Done({}, effect_ref=_flow_action(call))

    async def read_back(self, _call: ToolCall, _who: Principal, _attempt: Attempt) -> Done | None:
        return None

    def _drive(self, call: ToolCall, who: Principal, by: str) -> Drive:
        return Drive(self._flow, self._parts, who, _flow_action(call), approved_by=by)


async def seen_by(parts: FlowParts, reading: Reading, known: Known, who: Principal) -> JsonValue:
    """A reading before the card. Raises ToolError."""
    try:
        return await read(parts, reading, known, who)
    except StepFailedError as refused:
        raise RejectedError(refused.code, refused.detail) from refused
    except PostponedError as later:
        wait_s = (later.until - parts.clock()).total_seconds()
        raise BusyError(later.code, later.detail, max(wait_s, 0.0)) from later


def _flow_action(call: ToolCall) -> str:
    return str(call.arguments["flow_action"])
