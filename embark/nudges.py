"""Deliveries -> rows of the decision record: what was sent, and what the governor held back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import structlog

from guardrails.decisions import Assignment, Decision, Kind, Outcome, Row, Versions
from onboarding.interventions import Delivery, State
from tools.canonical import b64url

OUTCOMES: Final[Mapping[State, Outcome]] = MappingProxyType(
    {
        State.SENT: Outcome.SHOWN,
        State.HELD: Outcome.HELD,
        State.SUPPRESSED: Outcome.HELD,
        State.EXPIRED: Outcome.EXPIRED,
        State.DEAD: Outcome.FAILED,
        State.FAILED: Outcome.FAILED,
    }
)
_log = structlog.get_logger(__name__)


def recording(record: Callable[[Row], object] | None) -> Callable[[Delivery], None]:
    """Takes every delivery whose state changed."""

    def told(delivery: Delivery) -> None:
        outcome = OUTCOMES.get(delivery.state)
        if record is None or outcome is None:
            return
        try:
            record(nudge_row(delivery, outcome))
        except ValueError as failure:
            _log.warning("decision.not_recorded", delivery=delivery.id, reason=str(failure))

    return told


def nudge_row(delivery: Delivery, outcome: Outcome) -> Decision:
    """Under an id made of delivery and state: what is told again is no second row, and what was
    held first and sent later has two. Raises ValueError for what is no id."""
    message = delivery.message
    name = f"{delivery.id}:{delivery.state.value}".encode()
    arm = next(iter(message.arms.items()), (None, None))
    return Decision(
        id=b64url(hashlib.sha256(name).digest()[:16]),
        tenant=message.person.tenant,
        kind=Kind.NUDGE,
        purpose=message.purpose,
        at=delivery.changed_at or delivery.planned_at,
        outcome=outcome,
        reason=delivery.reason.value if delivery.reason is not None else None,
        subject=message.person.user,
        versions=Versions(policy=message.journey.replace("@", "/"), tool=message.template),
        assignment=Assignment(*arm),
    )
