"""What a turn or an action decided, as rows of the decision record: ids, codes and numbers.

Ids are made from what they are about, so that a server that tells it again adds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from agent.conversations import Message, Reply
from agent.types import Answer
from guardrails.consent import Purpose
from guardrails.decisions import (
    Amount,
    Decision,
    Kind,
    Outcome,
    OutcomeUpdate,
    Place,
    Row,
    Versions,
    evidence_id,
)
from tools.canonical import b64url
from tools.journal import REMINDER, Action, OutboxRow, State

Record = Callable[[Row], object]
"""Takes a row without waiting for it to be written."""
_log = structlog.get_logger(__name__)
_LONGEST = 200
_AMOUNTS: Mapping[str, Amount] = {
    "input_tokens": Amount.TOKENS_IN,
    "output_tokens": Amount.TOKENS_OUT,
    "first_text": Amount.FIRST_TOKEN_MS,
    "retrieve": Amount.RETRIEVAL_MS,
    "answer": Amount.MODEL_MS,
    "total": Amount.TOTAL_MS,
}


def nowhere(_row: Row) -> None:
    """Where nothing is recorded."""


def record_turn(
    record: Record, asked: Message, reply: Reply, subject: str | None, facts: Mapping[str, object]
) -> None:
    """The answer, refusal, escalation or nudge, and the suggestion that came with it.

    What cannot be written as ids and codes is logged and left out: an answer is never lost to it.
    """
    try:
        for row in _of_turn(asked, reply, subject, facts):
            record(row)
    except ValueError as failure:
        _log.warning("decision.not_recorded", run_id=reply.run_id, reason=str(failure))


def _of_turn(
    asked: Message, reply: Reply, subject: str | None, facts: Mapping[str, object]
) -> list[Decision]:
    kind = _kind(asked, reply.answer)
    if kind is None:
        return []
    answer, place = reply.answer, Place(asked.thread_id, reply.run_id, reply.message_id)
    versions = Versions(
        model=_code(answer.answerer),
        prompt=_code(facts.get("prompt_version")),
        policy=_code(facts.get("grounding_policy")),
        index=_code(answer.index_version),
    )
    told = Decision(
        id=_id(asked.tenant, asked.thread_id, asked.message_id),
        tenant=asked.tenant,
        kind=kind,
        purpose=Purpose.SUPPORT,
        at=reply.created,
        outcome=Outcome.SHOWN,
        reason=answer.reason.value if answer.reason is not None else None,
        subject=subject,
        place=place,
        versions=versions,
        evidence=_evidence(answer),
        amounts=_amounts(answer),
    )
    return [told, *_suggested(told, answer)]


def _kind(asked: Message, answer: Answer) -> Kind | None:
    """None for words about a card or an action: those are recorded as the action they are about."""
    if asked.role == "event":
        return Kind.NUDGE if asked.cause.get("kind") == "reminder" else None
    if answer.actions:
        return None
    if answer.escalated:
        return Kind.ESCALATION
    return Kind.REFUSAL if answer.refused else Kind.ANSWER


def _suggested(told: Decision, answer: Answer) -> list[Decision]:
    if answer.offer is None:
        return []
    return [
        Decision(
            id=_id(told.id, "offer"),
            tenant=told.tenant,
            kind=Kind.SUGGESTION,
            purpose=told.purpose,
            at=told.at,
            outcome=Outcome.SHOWN,
            subject=told.subject,
            place=told.place,
            versions=Versions(tool=_code(answer.offer)),
        )
    ]


def _evidence(answer: Answer) -> tuple[str, ...]:
    """What was cited; of a refusal what was looked at."""
    shown = answer.retrieved if answer.refused else answer.citations
    return tuple(dict.fromkeys(evidence_id(each.chunk_id) for each in shown))


def _amounts(answer: Answer) -> dict[Amount, int]:
    counted = {**answer.timings_ms, **answer.usage}
    return {_AMOUNTS[name]: round(n) for name, n in counted.items() if name in _AMOUNTS}


# --- actions ------------------------------------------------------------------------------------

_BEGINS: Final = frozenset({State.PROPOSED})
_OUTCOMES: Mapping[State, Outcome] = {
    State.PENDING: Outcome.SHOWN,
    State.APPROVED: Outcome.APPROVED,
    State.SUCCEEDED: Outcome.SUCCEEDED,
    State.FAILED: Outcome.FAILED,
    State.REFUSED: Outcome.DENIED,
    State.COMPENSATED: Outcome.UNDONE,
    State.STUCK: Outcome.FAILED,
}


def rows_of(row: OutboxRow, action: Action) -> list[Row]:
    """What a change of state adds to the record; steps of flows are theirs."""
    if action.parent is not None or row.kind == REMINDER:
        return []
    state = State(row.kind.removeprefix("action."))
    proposed = _proposed(action)
    if state in _BEGINS:
        return [proposed]
    outcome = Outcome.EXPIRED if action.reason == "expired" else _OUTCOMES.get(state)
    if outcome is None:
        return []
    update = OutcomeUpdate(
        id=_id(row.tenant, "outbox", str(row.id)),
        tenant=row.tenant,
        decision_id=proposed.id,
        outcome=outcome,
        at=row.created,
        reason=_code(action.reason) if action.state is state else None,
    )
    return [proposed, update]


def _proposed(action: Action) -> Decision:
    return Decision(
        id=_id(action.who.tenant, "action", action.id),
        tenant=action.who.tenant,
        kind=Kind.ACTION,
        purpose=Purpose.SUPPORT,
        at=action.created,
        subject=action.who.subject,
        place=Place(thread_id=action.thread_id),
        versions=Versions(
            policy=_code(action.policy_version),
            tool=_code(f"{action.call.tool}#{action.call.version}"),
        ),
        evidence=(evidence_id(action.id),),
    )


def _id(*parts: str) -> str:
    return b64url(hashlib.sha256("\0".join(parts).encode()).digest()[:16])


def _code(value: object) -> str | None:
    """As a code, letters that none may have percent-encoded; None where there is nothing."""
    text = evidence_id(str(value)).replace("~", "-").replace("%", "_") if value else ""
    return text.lstrip("/#:.+-")[:_LONGEST] or None
