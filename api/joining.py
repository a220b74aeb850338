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
    AssistantMessage,
    BaseEvent,
    Message,
    RunFinishedEvent,
    RunFinishedSuccessOutcome,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
)

from agent.stream import messages_snapshot, reopening, started, state_snapshot
from agent.types import RunStarted
from api.runs import Frame, Run


@dataclass(slots=True)
class _Partial:
    pieces: list[str] = field(default_factory=list)
    metadata: Mapping[str, Any] | None = None
    open: bool = True

    def message(self, message_id: str) -> AssistantMessage:
        metadata = dict(self.metadata) if self.metadata is not None else None
        return AssistantMessage(id=message_id, content="".join(self.pieces), metadata=metadata)


@dataclass(slots=True)
class Folded:
    """What a run has said up to a frame: its messages, and the steps still open."""

    messages: dict[str, _Partial] = field(default_factory=dict)
    steps: dict[str, None] = field(default_factory=dict)  # ordered as they were begun

    @classmethod
    def of(cls, frames: Iterable[Frame]) -> Folded:
        folded = cls()
        for frame in frames:
            folded.add(frame.event)
        return folded

    def add(self, event: BaseEvent) -> None:
        match event:
            case TextMessageStartEvent():
                self.messages[event.message_id] = _Partial()
            case TextMessageContentEvent():
                self.messages[event.message_id].pieces.append(event.delta)
            case TextMessageEndEvent():
                partial = self.messages[event.message_id]
                partial.metadata, partial.open = event.metadata, False
            case StepStartedEvent():
                self.steps[event.step_name] = None
            case StepFinishedEvent():
                self.steps.pop(event.step_name, None)
            case _:
                pass


def prelude(thread_id: str, history: Sequence[Message], run: Run, position: int) -> list[BaseEvent]:
    """The events that bring a client to `position` of `run`, well-formed with what follows.

    `history` is the stored conversation; what it holds of this run gives way to what the client
    has seen of it. A run whose last frame lies before `position` is closed again.
    """
    folded = Folded.of(run.frames[:position])
    of_run = {e.message_id for e in _starts(run.frames)}
    messages = [message for message in history if message.id not in of_run]
    messages += [partial.message(name) for name, partial in folded.messages.items()]
    events: list[BaseEvent] = [
        started(RunStarted(thread_id, run.run_id)),
        messages_snapshot(messages),
        state_snapshot(),
        *(StepStartedEvent(step_name=step) for step in folded.steps),
        *(reopening(name) for name, partial in folded.messages.items() if partial.open),
    ]
    if run.done and position == len(run.frames):
        events.append(run.frames[-1].event)
    return events


def finished_prelude(thread_id: str, run_id: str, history: Sequence[Message]) -> list[BaseEvent]:
    """The same for a run that is over and whose frames are no longer kept."""
    success = RunFinishedSuccessOutcome(type="success")
    return [
        started(RunStarted(thread_id, run_id)),
        messages_snapshot(history),
        state_snapshot(),
        RunFinishedEvent(thread_id=thread_id, run_id=run_id, outcome=success),
    ]


def _starts(frames: Iterable[Frame]) -> Iterable[TextMessageStartEvent]:
    return (f.event for f in frames if isinstance(f.event, TextMessageStartEvent))
