"""RunEvent -> AG-UI 1.0 events: the one translator, on the protocol's own models.

`EMITTED` is the whole list of event types that may ever leave. State on
the wire is a public projection, never graph state, and citations ride in message metadata, which
the stock client merges into its message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, assert_never

from ag_ui.core import (
    PROTOCOL_VERSION,
    ActivityMessage,
    ActivitySnapshotEvent,
    AssistantMessage,
    BaseEvent,
    EventType,
    Message,
    MessagesSnapshotEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StateDeltaEvent,
    StateSnapshotEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolMessage,
    UserMessage,
)

from agent.action_types import CardShown, Progressed, RunPaused, ToolCalled, ToolEnded
from agent.types import (
    Answer,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    StandingShown,
    StepFinished,
    StepsShown,
    StepStarted,
)
from agent.wire_actions import ActionTranslator, call_of, interrupted
from retrieval.types import Citation

PageUrl = Callable[[Citation], str]
"""Where a citation without a public address opens: a page of ours, without the anchor."""

ABSTAINED = "embark.abstained"
NEXT_ACTIONS = "embark.next_actions"
ANY_MESSAGE = (UserMessage, AssistantMessage, ToolMessage, ActivityMessage)
"""The kinds of message that our snapshots hold."""

EMITTED = frozenset(
    {
        EventType.RUN_STARTED,
        EventType.RUN_FINISHED,
        EventType.RUN_ERROR,
        EventType.STEP_STARTED,
        EventType.STEP_FINISHED,
        EventType.TEXT_MESSAGE_START,
        EventType.TEXT_MESSAGE_CONTENT,
        EventType.TEXT_MESSAGE_END,
        EventType.TOOL_CALL_START,
        EventType.TOOL_CALL_ARGS,
        EventType.TOOL_CALL_END,
        EventType.TOOL_CALL_RESULT,
        EventType.STATE_SNAPSHOT,
        EventType.STATE_DELTA,
        EventType.MESSAGES_SNAPSHOT,
        EventType.ACTIVITY_SNAPSHOT,
        EventType.ACTIVITY_DELTA,
        EventType.CUSTOM,
    }
)
"""The event types that may ever leave; `RAW` and `REASONING_*` would leak internals."""

ERROR_CODES = frozenset(
    {
        "grounding_failed",
        "auth_expired",
        "rate_limited",
        "approval_expired",
        "approval_invalid",
        "pending_interrupt",
        "tool_failed",
        "upstream_unavailable",
        "cancelled",
        "internal",
    }
)

_NEAREST = 3  # pages that a refusal names: as many as a reader looks through


@dataclass(frozen=True, slots=True)
class PublicState:
    """All that a client may know of the state. Field names as on the wire after camel-casing."""

    checklist: tuple[object, ...] = ()
    next_actions: tuple[object, ...] = ()
    question: object = None
    tour: str | None = None
    handoff: str | None = None
    locale: str = "en"
    consent: dict[str, bool] = field(default_factory=dict)

    def snapshot(self) -> dict[str, Any]:
        values = asdict(self)
        values["checklist"] = list(self.checklist)
        values["nextActions"] = list(values.pop("next_actions"))
        return values


def public_state(standing: StandingShown, before: PublicState | None = None) -> PublicState:
    """The state with where the person stands."""
    known = before or PublicState()
    return replace(
        known,
        checklist=standing.checklist,
        next_actions=standing.cards,
        question=standing.question,
    )


class Translator:
    """Folds one run. A finished message's token usage is kept for `RUN_FINISHED`."""

    def __init__(self, page_url: PageUrl, state: PublicState | None = None) -> None:
        self._page_url = page_url
        self._state = state or PublicState()
        self._usage: list[TokenUsage] = []
        self._actions = ActionTranslator()

    def translate(self, event: RunEvent) -> list[BaseEvent]:
        """The AG-UI events of one event, in order; none of a state that is as it was."""
        match event:
            case RunStarted():
                return [started(event), state_snapshot(self._state)]
            case StepStarted() | StepFinished():
                return [_step(event)]
            case MessageStarted() | MessageDelta() | MessageFinished():
                return self._message(event)
            case ToolCalled() | CardShown() | Progressed() | ToolEnded():
                return self._actions.translate(event)
            case StandingShown() | StepsShown():
                return self._guided(event)
            case RunFinished() | RunPaused() | RunFailed():
                return self._over(event)
            case _:
                assert_never(event)

    def _guided(self, event: StandingShown | StepsShown) -> list[BaseEvent]:
        if isinstance(event, StepsShown):
            return [steps_shown(event)]
        before, self._state = (
            self._state,
            public_state(event, self._state),
        )
        return state_delta(before, self._state)

    def _message(self, event: MessageStarted | MessageDelta | MessageFinished) -> list[BaseEvent]:
        match event:
            case MessageStarted(message_id):
                return [reopening(message_id)]
            case MessageDelta(message_id, text):
                return [TextMessageContentEvent(message_id=message_id, delta=text)]
            case MessageFinished(message_id, answer):
                self._usage.append(_usage(answer))
                return self._finished(message_id, answer)
            case _:
                assert_never(event)

    def _finished(self, message_id: str, answer: Answer) -> list[BaseEvent]:
        metadata = answer_metadata(answer, self._page_url)
        events: list[BaseEvent] = [TextMessageEndEvent(message_id=message_id, metadata=metadata)]
        if answer.refused:
            events.append(_abstained(message_id, answer))
        return events

    def _over(self, event: RunFinished | RunPaused | RunFailed) -> list[BaseEvent]:
        match event:
            case RunPaused():
                return self._paused(event)
            case RunFailed(code, message):
                known = code if code in ERROR_CODES else "internal"
                return [RunErrorEvent(code=known, message=message)]
            case RunFinished(thread_id, run_id):
                success = RunFinishedSuccessOutcome(type="success")
                return [
                    RunFinishedEvent(
                        thread_id=thread_id,
                        run_id=run_id,
                        outcome=success,
                        usage=self._usage or None,
                    )
                ]
            case _:
                assert_never(event)

    def _paused(self, event: RunPaused) -> list[BaseEvent]:
        """Snapshots stand before the interrupted end, for clients that begin with them."""
        messages = [message for message in event.messages if isinstance(message, ANY_MESSAGE)]
        return [
            state_snapshot(self._state),
            *([messages_snapshot(messages)] if messages else []),
            interrupted(event, self._usage),
        ]


def _step(event: StepStarted | StepFinished) -> BaseEvent:
    if isinstance(event, StepStarted):
        return StepStartedEvent(step_name=event.step)
    return StepFinishedEvent(step_name=event.step)


def started(event: RunStarted) -> RunStartedEvent:
    """`RUN_STARTED` with the protocol version that the models were made from."""
    return RunStartedEvent(
        thread_id=event.thread_id, run_id=event.run_id, protocol_version=PROTOCOL_VERSION
    )


def state_snapshot(state: PublicState | None = None) -> StateSnapshotEvent:
    """`STATE_SNAPSHOT` of the public projection."""
    return StateSnapshotEvent(snapshot=(state or PublicState()).snapshot())


def state_delta(before: PublicState, now: PublicState) -> list[BaseEvent]:
    """`STATE_DELTA` (RFC 6902) of the fields that differ; none when none does."""
    was, becomes = before.snapshot(), now.snapshot()
    patch = [
        {"op": "replace", "path": f"/{name}", "value": value}
        for name, value in becomes.items()
        if was[name] != value
    ]
    return [StateDeltaEvent.model_validate({"delta": patch})] if patch else []


def steps_shown(event: StepsShown) -> ActivitySnapshotEvent:
    """`embark.next_actions`: the cards under a message, and what is asked there."""
    asked = {} if event.question is None else {"question": dict(event.question)}
    return ActivitySnapshotEvent(
        message_id=f"{event.message_id}:steps",
        activity_type=NEXT_ACTIONS,
        content={"cards": [dict(card) for card in event.cards], **asked},
    )


def reopening(message_id: str) -> TextMessageStartEvent:
    """`TEXT_MESSAGE_START`, also for a message whose beginning a joining client has missed."""
    return TextMessageStartEvent(message_id=message_id, role="assistant")


def messages_snapshot(messages: Sequence[Message]) -> MessagesSnapshotEvent:
    """`MESSAGES_SNAPSHOT` of the whole conversation, oldest first."""
    return MessagesSnapshotEvent(messages=list(messages))


def user_message(message_id: str, text: str) -> UserMessage:
    """What the person said, as the server keeps it."""
    return UserMessage(id=message_id, content=text)


def assistant_message(
    message_id: str,
    text: str,
    answer: Answer | None,
    page_url: PageUrl,
    called: Sequence[ToolCalled] = (),
) -> AssistantMessage:
    """An answer as it reads after a reload; `answer` is None while it is still being written."""
    metadata = answer_metadata(answer, page_url) if answer else None
    calls = [call_of(call) for call in called] or None
    return AssistantMessage(id=message_id, content=text, metadata=metadata, tool_calls=calls)


def answer_metadata(answer: Answer, page_url: PageUrl) -> dict[str, Any]:
    """What a finished message carries beside its text: its proof, or why there is no answer."""
    metadata: dict[str, Any] = {
        "citations": [wire_citation(citation, page_url) for citation in answer.citations],
        "confidence": round(answer.confidence, 4),
        "refused": answer.refused,
    }
    if answer.reason is not None:
        metadata["reason"] = answer.reason.value
    if answer.actions:
        metadata["actions"] = [{"id": mark.id, "told": mark.told} for mark in answer.actions]
    if answer.offer is not None:
        metadata["offer"] = {"tool": answer.offer, "say": "yes"}
    if answer.choices:
        metadata["choices"] = [asdict(choice) for choice in answer.choices]
    return metadata


def wire_citation(citation: Citation, page_url: PageUrl) -> dict[str, Any]:
    """A citation as data; `url` opens on the cited heading."""
    page = citation.url or page_url(citation)
    fragment = f"#{citation.anchor}" if citation.anchor and "#" not in page else ""
    return {
        "id": citation.id,
        "marker": citation.marker,
        "chunkId": citation.chunk_id,
        "url": page + fragment,
        "title": citation.title,
        "docVersion": citation.doc_version,
        "quote": citation.quote,
    }


def _abstained(message_id: str, answer: Answer) -> ActivitySnapshotEvent:
    nearest = list(dict.fromkeys(line.path for line in answer.retrieved))
    return ActivitySnapshotEvent(
        message_id=f"{message_id}:abstained",
        activity_type=ABSTAINED,
        content={
            "reason": answer.reason.value if answer.reason else "low_confidence",
            "lookedFor": answer.looked_for,
            "nearest": nearest[:_NEAREST],
            "confidence": round(answer.confidence, 4),
            "offer": {"kind": "person"},
        },
    )


def _usage(answer: Answer) -> TokenUsage:
    return TokenUsage(
        model=answer.answerer,
        input_tokens=answer.usage.get("input_tokens", 0),
        output_tokens=answer.usage.get("output_tokens", 0),
    )
