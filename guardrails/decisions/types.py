"""What Embark decided, as enums, ids and numbers: no field takes a sentence of a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from urllib.parse import quote

from guardrails.consent.types import Purpose
from guardrails.refs import code, owner, ref, stamp

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_MOST = 2**53 - 1
"""Largest integer that every reader of JSON keeps exactly (RFC 8259, section 6)."""
MAX_EVIDENCE = 200
"""Ids a decision may name; more is no evidence but a dump."""
_LONGEST = 200


class Kind(StrEnum):
    ANSWER = "answer"
    REFUSAL = "refusal"
    SUGGESTION = "suggestion"
    NUDGE = "nudge"
    ACTION = "action"
    ESCALATION = "escalation"


class Outcome(StrEnum):
    """What became of it, as far as is known."""

    OPEN = "open"
    SHOWN = "shown"
    HELD = "held"  # the governor kept it back
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    IGNORED = "ignored"
    HELPFUL = "helpful"
    UNHELPFUL = "unhelpful"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDONE = "undone"
    RESOLVED = "resolved"


class Amount(StrEnum):
    """Whole numbers of tokens or milliseconds."""

    TOKENS_IN = "tokens_in"
    TOKENS_OUT = "tokens_out"
    FIRST_TOKEN_MS = "first_token_ms"
    RETRIEVAL_MS = "retrieval_ms"
    MODEL_MS = "model_ms"
    TOTAL_MS = "total_ms"


def _identified(value: str) -> None:
    if not _ID.fullmatch(value):
        raise ValueError("an id of a decision has 22 letters, digits, _ or -")


def _checked(check: Callable[[str, str], str], name: str, value: str | None) -> None:
    if value is not None:
        check(name, value)


def _counted(amount: Amount, number: int) -> None:
    if type(number) is not int or not 0 <= number <= _MOST:
        raise ValueError(f"{amount} is no whole number from 0 to 2**53 - 1")


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happened; the ids may be a client's. An erasure takes them away."""

    thread_id: str | None = None
    run_id: str | None = None
    message_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("thread_id", "run_id", "message_id"):
            _checked(ref, name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Versions:
    """What decided."""

    model: str | None = None
    prompt: str | None = None
    policy: str | None = None
    index: str | None = None
    tool: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "prompt", "policy", "index", "tool"):
            _checked(code, name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arm of an experiment, and the propensity: the logging policy's probability of this very
    choice, in (0, 1]."""

    experiment: str | None = None
    arm: str | None = None
    propensity: float | None = None

    def __post_init__(self) -> None:
        _checked(code, "experiment", self.experiment)
        _checked(code, "arm", self.arm)
        if self.propensity is not None and not 0 < self.propensity <= 1:  # nan is neither
            raise ValueError(f"propensity {self.propensity} is not in (0, 1]")


@dataclass(frozen=True, slots=True)
class Decision:
    """Raises ValueError for what is no id, no reference, no whole amount, no zoned time.

    `id` is 22 characters, 128 random bits. `subject` is the host's opaque reference, None for an
    anonymous visitor. `evidence` holds ids from `evidence_id`, `reason` a code.
    """

    id: str
    tenant: str
    kind: Kind
    purpose: Purpose
    at: datetime
    outcome: Outcome = Outcome.OPEN
    reason: str | None = None
    subject: str | None = None
    place: Place = Place()
    versions: Versions = Versions()
    assignment: Assignment = Assignment()
    evidence: tuple[str, ...] = ()
    amounts: Mapping[Amount, int] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        _identified(self.id)
        owner(self.tenant)
        _checked(ref, "subject", self.subject)
        _checked(code, "reason", self.reason)
        stamp(self.at)
        if len(self.evidence) > MAX_EVIDENCE:
            raise ValueError(f"{len(self.evidence)} ids of evidence; {MAX_EVIDENCE} at most")
        for each in self.evidence:
            ref("evidence", each)
        for amount, number in self.amounts.items():
            _counted(amount, number)


@dataclass(frozen=True, slots=True)
class OutcomeUpdate:
    """What became of a decision later: a row of its own, the decision stays as it was."""

    id: str
    tenant: str
    decision_id: str
    outcome: Outcome
    at: datetime
    reason: str | None = None

    def __post_init__(self) -> None:
        _identified(self.id)
        _identified(self.decision_id)
        owner(self.tenant)
        _checked(code, "reason", self.reason)
        stamp(self.at)


Row = Decision | OutcomeUpdate


def evidence_id(source_id: str) -> str:
    """The id of a chunk, event or action as it may stand in a decision: blanks and letters beyond
    ASCII percent-encoded; what is longer than 200 characters then, by its SHA-256."""
    encoded = quote(source_id, safe="/#:._~+-")
    if len(encoded) <= _LONGEST:
        return encoded
    return f"sha256:{sha256(source_id.encode()).hexdigest()}"
