"""How a client that was away comes back: a prelude that says how things stand, then the rest.

The prelude is the conversation as of the client's cursor, so that the frames behind it, sent with
their own numbers, leave no gap and repeat nothing. Its own frames carry no number: a cursor moves
on new frames only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivityMessage,
    ActivitySnapshotEvent,
    AssistantMessage,
    BaseEvent,
    FunctionCall,
    Message,
    RunFinishedEvent,
    RunFinishedSuccessOutcome,
    StateDeltaEvent,
    StateSnapshotEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCall,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    ToolMessage,
)

from agent.action_types import RunPaused
from agent.stream import (
    NEXT_ACTIONS,
    messages_snapshot,
    public_state,
    reopening,
    started,
    state_snapshot,
)
from agent.types import RunStarted, StandingShown
from agent.wire_actions import APPROVAL, PROGRESS, interrupted
from api.runs import Frame, Run


@dataclass(slots=True)
class _Partial:
    """A message so far; `calls` are those that are whole."""

    pieces: list[str] = field(default_factory=list)
    metadata: Mapping[str, Any] | None = None
    open: bool = True
    calls: list[ToolCall] = field(default_factory=list)

    def message(self, message_id: str) -> AssistantMessage:
        metadata = dict(self.metadata) if self.metadata is not None else None
        content, calls = "".join(self.pieces), list(self.calls) or None
        return AssistantMessage(id=message_id, content=content, metadata=metadata, tool_calls=calls)


@dataclass(slots=True)
class _Call:
    """A call whose end has not come: it is opened anew."""

    start: ToolCallStartEvent
    arguments: str = ""

    def events(self) -> list[BaseEvent]:
        if not self.arguments:
            return [self.start]
        return [
            self.start,
            ToolCallArgsEvent(tool_call_id=self.start.tool_call_id, delta=self.arguments),
        ]


@dataclass(slots=True)
class Folded:
    """What a run has said up to a frame: messages, cards and results, and what is still open."""

    messages: dict[str, _Partial] = field(default_factory=dict)
    others: dict[str, ActivityMessage | ToolMessage] = field(default_factory=dict)
    steps: dict[str, None] = field(default_factory=dict)  # ordered as they were begun
    state: dict[str, Any] | None = None  # the public state, once something was said of it
    calls: dict[str, _Call] = field(default_factory=dict)

    @classmethod
    def of(cls, frames: Iterable[Frame]) -> Folded:
        folded = cls()
        for frame in frames:
            folded.add(frame.event)
        return folded

    def add(self, event: BaseEvent) -> None:
        self._add_text(event)
        self._add_call(event)
        self._add_activity(event)
        match event:
            case StepStartedEvent():
                self.steps[event.step_name] = None
            case StepFinishedEvent():
                self.steps.pop(event.step_name, None)
            case StateSnapshotEvent():
                self.state = dict(event.snapshot)
            case StateDeltaEvent():
                self.state = {**(self.state or {}), **_fields(event.delta)}
            case _:
                pass

    def _add_text(self, event: BaseEvent) -> None:
        match event:
            case TextMessageStartEvent():
                self.messages[event.message_id] = _Partial()
            case TextMessageContentEvent():
                self.messages[event.message_id].pieces.append(event.delta)
            case TextMessageEndEvent():
                partial = self.messages[event.message_id]
                partial.metadata, partial.open = event.metadata, False
            case _:
                pass

    def _add_call(self, event: BaseEvent) -> None:
        match event:
            case ToolCallStartEvent():
                self.calls[event.tool_call_id] = _Call(event)
            case ToolCallArgsEvent():
                self.calls[event.tool_call_id].arguments += event.delta
            case ToolCallEndEvent():
                call = self.calls.pop(event.tool_call_id)
                parent = call.start.parent_message_id or event.tool_call_id
                partial = self.messages.setdefault(parent, _Partial(open=False))
                function = FunctionCall(name=call.start.tool_call_name, arguments=call.arguments)
                partial.calls.append(ToolCall(id=event.tool_call_id, function=function))
            case ToolCallResultEvent():
                self.others[event.message_id] = ToolMessage(
                    id=event.message_id,
                    tool_call_id=event.tool_call_id,
                    content=event.content,
                    metadata=event.metadata,
                )
            case _:
                pass

    def _add_activity(self, event: BaseEvent) -> None:
        match event:
            case ActivitySnapshotEvent() if event.activity_type in _KEPT:
                self.others[event.message_id] = ActivityMessage(
                    id=event.message_id, activity_type=event.activity_type, content=event.content
                )
            case ActivityDeltaEvent() if event.message_id in self.others:
                before = self.others[event.message_id]
                assert isinstance(before, ActivityMessage)
                self.others[event.message_id] = _patched(before, event)
            case _:
                pass


_KEPT = frozenset({APPROVAL, PROGRESS, NEXT_ACTIONS})


def _patched(before: ActivityMessage, event: ActivityDeltaEvent) -> ActivityMessage:
    return before.model_copy(update={"content": {**before.content, **_fields(event.patch)}})


def _fields(patch: Sequence[Any]) -> dict[str, Any]:
    """Our own deltas replace fields of the first level, and nothing else."""
    return {step.path.removeprefix("/"): getattr(step, "value", None) for step in patch}


def prelude(thread_id: str, history: Sequence[Message], run: Run, position: int) -> list[BaseEvent]:
    """The events that bring a client to `position` of `run`, well-formed with what follows.

    `history` is the stored conversation; what it holds of this run gives way to what the client
    has seen of it. A run whose last frame lies before `position` is closed again.
    """
    folded = Folded.of(run.frames[:position])
    of_run = Folded.of(run.frames)
    said = {*of_run.messages, *of_run.others}
    messages = [message for message in history if message.id not in said]
    messages += [partial.message(name) for name, partial in folded.messages.items()]
    messages += folded.others.values()
    events: list[BaseEvent] = [
        started(RunStarted(thread_id, run.run_id)),
        messages_snapshot(messages),
        state_snapshot() if folded.state is None else StateSnapshotEvent(snapshot=folded.state),
        *(StepStartedEvent(step_name=step) for step in folded.steps),
        *(reopening(name) for name, partial in folded.messages.items() if partial.open),
        *(event for call in folded.calls.values() for event in call.events()),
    ]
    if run.done and position == len(run.frames):
        events.append(run.frames[-1].event)
    return events


def finished_prelude(
    begun: RunStarted,
    history: Sequence[Message],
    paused: RunPaused | None,
    standing: StandingShown | None = None,
) -> list[BaseEvent]:
    """The same for a run that is over and whose frames are no longer kept; what the thread still
    waits for is said again."""
    success = RunFinishedEvent(
        thread_id=begun.thread_id,
        run_id=begun.run_id,
        outcome=RunFinishedSuccessOutcome(type="success"),
    )
    return [
        started(begun),
        messages_snapshot(history),
        state_snapshot(None if standing is None else public_state(standing)),
        success if paused is None else interrupted(paused, []),
    ]
