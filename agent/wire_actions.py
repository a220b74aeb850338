"""The events of actions as AG-UI has them: tool calls, cards, progress, results, interrupts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, assert_never

import orjson
from ag_ui.core import (
    ActivityDeltaEvent,
    ActivityMessage,
    ActivitySnapshotEvent,
    BaseEvent,
    FunctionCall,
    Interrupt,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    TokenUsage,
    ToolCall,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    ToolMessage,
)

from agent.action_types import (
    CardShown,
    Pause,
    Progressed,
    RunPaused,
    ToolCalled,
    ToolEnded,
    View,
)

APPROVAL = "embark.approval"
PROGRESS = "embark.progress"
_RESULT = ("state", "status", "reason", "detail", "result", "undo", "undoes", "nextTry")


class ActionTranslator:
    """Folds one run: progress is a snapshot first, then only what changed."""

    def __init__(self) -> None:
        self._progress: dict[str, dict[str, Any]] = {}

    def translate(self, event: ToolCalled | CardShown | Progressed | ToolEnded) -> list[BaseEvent]:
        match event:
            case ToolCalled():
                return list(called(event))
            case CardShown(action_id, view):
                return [card_shown(action_id, view)]
            case Progressed():
                return self._progressed(event)
            case ToolEnded():
                return _ended(event)
            case _:
                assert_never(event)

    def _progressed(self, event: Progressed) -> list[BaseEvent]:
        now, message_id = progress_content(event), f"{event.action_id}:progress"
        before = self._progress.get(event.action_id)
        self._progress[event.action_id] = now
        if before is None:
            return [
                ActivitySnapshotEvent(message_id=message_id, activity_type=PROGRESS, content=now)
            ]
        patch = [
            {"op": "replace", "path": f"/{name}", "value": value}
            for name, value in now.items()
            if before[name] != value
        ]
        fields = {"message_id": message_id, "activity_type": PROGRESS, "patch": patch}
        return [ActivityDeltaEvent.model_validate(fields)]


def progress_content(event: Progressed) -> dict[str, Any]:
    values = asdict(event)
    values["actionId"] = values.pop("action_id")
    values["nextTry"] = values.pop("next_try") or None
    return values


def called(event: ToolCalled) -> Sequence[BaseEvent]:
    """`TOOL_CALL_START`, `_ARGS`, `_END`; the call's id is the action's."""
    return (
        ToolCallStartEvent(
            tool_call_id=event.action_id,
            tool_call_name=event.tool,
            parent_message_id=event.message_id or None,
        ),
        ToolCallArgsEvent(tool_call_id=event.action_id, delta=_json(event.view)),
        ToolCallEndEvent(tool_call_id=event.action_id),
    )


def call_of(event: ToolCalled) -> ToolCall:
    """The same as a part of a stored message."""
    function = FunctionCall(name=event.tool, arguments=_json(event.view))
    return ToolCall(id=event.action_id, function=function)


def card_shown(action_id: str, view: View) -> ActivitySnapshotEvent:
    return ActivitySnapshotEvent(
        message_id=card_id(action_id), activity_type=APPROVAL, content=dict(view)
    )


def card_message(event: CardShown) -> ActivityMessage:
    """The same as a message of a snapshot."""
    return ActivityMessage(
        id=card_id(event.action_id), activity_type=APPROVAL, content=dict(event.view)
    )


def card_id(action_id: str) -> str:
    return f"{action_id}:card"


def _ended(event: ToolEnded) -> list[BaseEvent]:
    """The result, and the card as it stands now."""
    told = result_message(event)
    result = ToolCallResultEvent(
        message_id=told.id,
        tool_call_id=told.tool_call_id,
        role="tool",
        content=told.content,
        metadata=told.metadata,
    )
    card = event.view.get("card")
    return [result, *([card_shown(event.action_id, card)] if isinstance(card, Mapping) else [])]


def result_message(event: ToolEnded) -> ToolMessage:
    """What came of a call. The receipt rides in the metadata, its id in the content too."""
    view = event.view
    receipt = view.get("receipt")
    content = {name: view.get(name) for name in _RESULT}
    number = receipt.get("id") if isinstance(receipt, Mapping) else None
    return ToolMessage(
        id=f"{event.action_id}:result",
        tool_call_id=event.action_id,
        content=_json({**content, "receipt": number}),
        metadata={
            "actionId": event.action_id,
            "title": view.get("title"),
            "receipt": dict(receipt) if isinstance(receipt, Mapping) else None,
        },
    )


def interrupted(event: RunPaused, usage: list[TokenUsage]) -> RunFinishedEvent:
    """`RUN_FINISHED` that waits: the next run on the thread answers every interrupt."""
    return RunFinishedEvent(
        thread_id=event.thread_id,
        run_id=event.run_id,
        outcome=RunFinishedInterruptOutcome(
            type="interrupt", interrupts=[interrupt_of(pause) for pause in event.pauses]
        ),
        usage=usage or None,
    )


def interrupt_of(pause: Pause) -> Interrupt:
    """The interrupt of one card; its id is the approval's, which is the action's."""
    return Interrupt(
        id=pause.action_id,
        reason="tool_call",
        tool_call_id=pause.action_id,
        message=f"{pause.title}?",
        expires_at=pause.expires,
        response_schema={
            "type": "object",
            "properties": {
                "approved": {"type": "boolean"},
                "editedArgs": dict(pause.schema),
                "digest": {"type": "string"},
                "always": {"type": "boolean"},
            },
            "required": ["approved"],
        },
        metadata={"risk": pause.risk, "approver": "end_user", "digest": pause.digest},
    )


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(value)).decode()
