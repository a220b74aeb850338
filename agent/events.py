"""Run events, decisions, citations and scopes <-> the JSON in which they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import orjson
from pydantic import TypeAdapter

from agent.action_types import (
    CardShown,
    Progressed,
    RunPaused,
    ToolCalled,
    ToolEnded,
)
from agent.conversations import Message
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
from retrieval.types import Citation, Scope

_KINDS: Mapping[str, type[RunEvent]] = {
    kind.__name__: kind
    for kind in (
        RunStarted,
        StepStarted,
        StepFinished,
        MessageStarted,
        MessageDelta,
        MessageFinished,
        ToolCalled,
        CardShown,
        Progressed,
        ToolEnded,
        StandingShown,
        StepsShown,
        RunFinished,
        RunPaused,
        RunFailed,
    )
}
_IN_MESSAGE = frozenset({"text", "citations"})
"""Fields of an answer that its message holds in columns of their own."""
_ON_SCREEN = frozenset({"choices"})
"""Fields of an answer that are shown and never stored: names that others wrote."""


def dump_event(event: RunEvent) -> str:
    """`{"kind": "MessageDelta", "event": {...}}`, fields as in `agent.types`.

    Events are logged as the run made them: the views of actions are filled later, for their owner.
    """
    if isinstance(event, MessageFinished) and event.answer.choices:
        event = replace(event, answer=replace(event.answer, choices=()))
    return orjson.dumps({"kind": type(event).__name__, "event": event}).decode()


def load_event(payload: str) -> RunEvent:
    """Raises ValueError when the payload is not one that `dump_event` wrote."""
    data = orjson.loads(payload)
    adapter = _adapters().get(str(data.get("kind"))) if isinstance(data, dict) else None
    if adapter is None:
        raise ValueError("not a logged run event: its `kind` is unknown")
    return adapter.validate_python(data["event"])


def dump_citations(citations: tuple[Citation, ...]) -> list[dict[str, object]]:
    """JSON-ready, for a column of their own."""
    ready: list[dict[str, object]] = orjson.loads(orjson.dumps(citations))
    return ready


def load_citations(data: object) -> tuple[Citation, ...]:
    """The inverse of `dump_citations`. Raises ValueError on anything else."""
    return _citations().validate_python(data)


def dump_scope(scope: Scope) -> dict[str, object]:
    """JSON-ready; label values in alphabetical order."""
    return {
        "tenant": scope.tenant,
        "holds": {name: sorted(values) for name, values in scope.holds.items()},
        "unrestricted": scope.unrestricted,
        "narrow": {name: sorted(values) for name, values in scope.narrow.items()},
    }


def load_scope(data: object) -> Scope:
    """The inverse of `dump_scope`. Raises ValueError on anything else."""
    return _scopes().validate_python(data)


def decision_of(answer: Answer, facts: Mapping[str, object]) -> dict[str, object]:
    """What is recorded of how an answer came about: everything but text and citations."""
    whole: dict[str, object] = orjson.loads(orjson.dumps(answer))
    left_out = _IN_MESSAGE | _ON_SCREEN
    return {**{k: v for k, v in whole.items() if k not in left_out}, **facts}


def stored_answer(message: Message) -> Answer:
    """An answer as it was given, from its stored message. Raises ValueError when damaged."""
    known = {k: message.decision[k] for k in _answer_fields() if k in message.decision}
    return _answers().validate_python(
        {**known, "text": message.text, "citations": message.citations}
    )


def _answer_fields() -> tuple[str, ...]:
    return tuple(Answer.__dataclass_fields__)


@lru_cache(maxsize=1)
def _adapters() -> Mapping[str, TypeAdapter[RunEvent]]:
    return {name: TypeAdapter(kind) for name, kind in _KINDS.items()}


@lru_cache(maxsize=1)
def _answers() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)


@lru_cache(maxsize=1)
def _citations() -> TypeAdapter[tuple[Citation, ...]]:
    return TypeAdapter(tuple[Citation, ...])


@lru_cache(maxsize=1)
def _scopes() -> TypeAdapter[Scope]:
    return TypeAdapter(Scope)
