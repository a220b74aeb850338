"""The journal of actions: what was proposed, who approved, what is being done, what came of it.

Authority is a row here and nowhere else. Every move is one compare-and-set on state, digest and
fence, in one transaction with its receipt and its outbox row; the legal moves are a table.

    proposed ─> pending ─> approved ─> started ─┬─> succeeded ─> compensating ─┬─> compensated
        └──────────┴──────────┴─> refused       ├─> failed ────────┘ (partial) └─> stuck
                                                └─> unknown ─> succeeded | failed

JournalError
├── UnknownActionError      the tenant has no such action
├── IllegalMoveError        the move is not in the table, or somebody else was first
│   └── FencedOutError      the lease ran out and another worker took over: drop the result
├── ApprovalError           the decision does not count; `code` says why
└── JournalUnavailableError the store does not answer; nothing was written
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import JsonValue

from tools.types import Card, Done, Principal, Tier, ToolCall


class State(StrEnum):
    PROPOSED = "proposed"
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    STUCK = "stuck"


_S = State
MOVES: Mapping[State, frozenset[State]] = {
    _S.PROPOSED: frozenset({_S.PENDING, _S.APPROVED, _S.REFUSED}),
    _S.PENDING: frozenset({_S.APPROVED, _S.REFUSED}),
    _S.APPROVED: frozenset({_S.STARTED, _S.REFUSED}),
    _S.STARTED: frozenset({_S.STARTED, _S.SUCCEEDED, _S.FAILED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.SUCCEEDED, _S.FAILED}),
    _S.SUCCEEDED: frozenset({_S.COMPENSATING}),
    _S.FAILED: frozenset({_S.COMPENSATING}),  # a partial effect only
    _S.COMPENSATING: frozenset({_S.COMPENSATED, _S.STUCK}),
    _S.REFUSED: frozenset(),
    _S.COMPENSATED: frozenset(),
    _S.STUCK: frozenset(),
}
"""Every legal move. REFUSED, COMPENSATED and STUCK are final."""

ENDED = frozenset({_S.REFUSED, _S.SUCCEEDED, _S.FAILED, _S.UNKNOWN, _S.COMPENSATED, _S.STUCK})
"""Nothing more happens by itself."""
RECEIPTED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.COMPENSATED, _S.STUCK})
"""States whose entry writes a receipt; UNKNOWN gets its receipt when it is resolved."""


class JournalError(Exception):
    """Base of everything that goes wrong between an action and its journal."""


class UnknownActionError(JournalError):
    pass


class IllegalMoveError(JournalError):
    pass


class FencedOutError(IllegalMoveError):
    pass


class JournalUnavailableError(JournalError):
    pass


Sealed = Literal["", "erased", "tampered"]
"""Why an action's content cannot be read (arguments, card, result then are empty): its subject was
erased, or what is stored was changed. Such an action never starts."""

ApprovalCode = Literal[
    "digest_mismatch",  # the card shown is not the action stored
    "expired",
    "not_pending",  # decided, cancelled, or never shown
    "wrong_person",  # not theirs, or without the right
    "self_approval",  # two people are required
    "stale_sign_in",  # the sign-in is older than the tier allows
    "target_changed",
    "tool_changed",
    "policy_changed",
    "already_decided",  # by this person
]


class ApprovalError(JournalError):
    """The decision was not taken; nothing changed, unless `code` says that it voided the card."""

    def __init__(self, code: ApprovalCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class NewAction:
    """What is proposed. `idem_key` makes proposing it again return the same action.

    `parent` is the flow action whose step this is, with `step` its name; `undoes` the action that
    this one takes back. `expires_s` bounds the first start, from now by the journal's clock.
    """

    id: str  # 22 characters, made by `tools.canonical.new_id`
    idem_key: str
    who: Principal
    call: ToolCall
    tier: Tier
    policy_version: str
    etag: str | None
    expires_s: float
    thread_id: str | None = None
    parent: str | None = None
    step: str = ""
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A row of the journal, arguments in the clear: for the actor and for those who approve."""

    id: str
    idem_key: str
    who: Principal
    call: ToolCall
    tier: Tier
    policy_version: str
    etag: str | None
    digest: str
    nonce: str
    state: State
    fence: int
    attempt: int
    created: datetime
    expires: datetime
    lease_until: datetime | None = None
    started: datetime | None = None  # first claim, by the journal's clock
    thread_id: str | None = None
    parent: str | None = None
    step: str = ""
    undoes: str | None = None
    reason: str = ""  # why refused, failed, unknown or stuck: a stable code
    detail: str = ""
    card: Card | None = None
    result: Mapping[str, JsonValue] = field(default_factory=dict)
    effect_ref: str = ""
    undo: ToolCall | None = None  # stored at success; None when it cannot be undone
    undo_etag: str | None = None
    receipt: str | None = None  # newest receipt's id: `rcpt_SEQ`
    decided_by: str = ""  # who refused or resolved it: a subject, or what did so by itself
    sealed: Sealed = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes to one digest. The executor takes nothing else as leave to act.

    `channel` is how it was given: user, support, policy (automatic), flow (the approved flow's
    step), api. `auth_time` is when that person signed in.
    """

    id: str
    action_id: str
    digest: str
    approver: str  # a subject, or `policy`
    channel: str
    auth_time: datetime | None
    policy_hash: str
    consumed_at: datetime | None = None  # set by the journal when the action starts; once


@dataclass(frozen=True, slots=True)
class Claim:
    """An action that this worker alone may do until the lease runs out."""

    action: Action
    approvals: tuple[Approval, ...]
    worker: str
    lease_s: float
    resumed: bool  # an earlier try may have had its effect


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a try: SUCCEEDED with `done`, FAILED (with `done` when partial), or UNKNOWN."""

    state: State
    done: Done | None = None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A signed line of the tenant's chain. `seq` rises from 1 without gaps."""

    tenant: str
    seq: int
    action_id: str
    prev: str
    jws: str
    created: datetime

    @property
    def id(self) -> str:
        return f"rcpt_{self.seq}"


class Sealer(Protocol):
    """Signs the canonical payload of a receipt; holds the only copy of the private key."""

    def seal(self, payload: Mapping[str, JsonValue]) -> str:
        """Compact JWS over the RFC 8785 form. Raises JournalUnavailableError."""
        ...


class Journal(Protocol):
    """Durable once a call returns; time is the journal's own. JournalUnavailableError from all."""

    async def propose(self, new: NewAction) -> Action:
        """Store it as PROPOSED; the earlier action when `idem_key` is known.

        An undo or a step stores its link; the link's target must exist: UnknownActionError.
        """
        ...

    async def present(self, action: Action, card: Card) -> Action:
        """PROPOSED -> PENDING with the card that will be shown. No effect when it is pending.

        An identical pending action of the same subject is returned in its stead, this one being
        refused as `merged`; refused as `rejected_lately` within an hour of a denial of the same
        content, and as `too_many_cards` beyond `MOST_OPEN_CARDS`.
        """
        ...

    async def approve(self, action: Action, approval: Approval, *, last: bool) -> Action:
        """Store one approval: digest, state and expiry are checked in the same transaction.

        With `last` PROPOSED or PENDING -> APPROVED; else it stays PENDING and waits for another
        person. A card that nobody saw (PROPOSED) is approved by channels `policy` and `flow` alone:
        `policy` for R0, for R1 under standing consent, and for undos; `flow` for steps of a parent
        that is STARTED. R4 needs two people beside those. Raises ApprovalError.
        """
        ...

    async def refuse(self, action: Action, reason: str, by: str, detail: str = "") -> Action:
        """PROPOSED, PENDING or APPROVED -> REFUSED: `denied`, expired, cancelled, drifted, ...

        Only `denied` holds off the same content. Raises IllegalMoveError when it was started
        meanwhile.
        """
        ...

    async def claim(
        self, worker: str, lease_s: float, action_id: str | None = None
    ) -> Claim | None:
        """APPROVED -> STARTED, or STARTED again once its lease ran out; the fence rises.

        None when nothing is due. Expired approvals are refused on the way; so is an action whose
        digest does not fit its content any more (`tampered`; UNKNOWN when it was started). With
        `action_id` that action alone: the only way to start a step while its parent goes on.

        An undo's claim moves what it undoes to COMPENSATING; else the undo is refused as
        `not_undoable`, or as `flow_under_way` when a person takes back a step too early. A claim
        leaves doubt behind; only `postpone` without doubt clears it. `resumed` is the doubt found.
        """
        ...

    async def renew(self, claim: Claim) -> None:
        """Lease from now. Raises FencedOutError."""
        ...

    async def postpone(
        self, claim: Claim, seconds: float, reason: str, detail: str = "", *, doubt: bool = False
    ) -> Action:
        """Stay STARTED and be claimed again no sooner than that. Raises FencedOutError.

        Without `doubt` no try so far had an effect: the next claim is not `resumed`.
        """
        ...

    async def settle(self, claim: Claim, ending: Ending) -> Action:
        """STARTED -> SUCCEEDED, FAILED or UNKNOWN, with receipt, compensation and outbox row.

        Of an undo it also moves what it undoes: COMPENSATED, or STUCK with the same reason and
        detail; an UNKNOWN undo leaves it COMPENSATING. Steps that did not start are refused as
        `flow_ended`; while one is STARTED its parent may only end as UNKNOWN: IllegalMoveError.
        Settling again with the same claim and state changes nothing. Raises FencedOutError.
        """
        ...

    async def resolve(self, action: Action, ending: Ending, by: str) -> Action:
        """UNKNOWN -> SUCCEEDED or FAILED after a read-back (`by` = `read_back`) or by a person.

        Of an undo also what it undoes, as `settle` does.
        """
        ...

    async def now(self) -> datetime:
        """The journal's clock, UTC: database time on PostgreSQL, start + monotonic elsewhere."""
        ...

    async def lapse(self, worker: str) -> int:
        """Leases of this worker end now: the caller holds its slot, so its last holder is dead.
        Postponed actions keep their time. How many."""
        ...

    async def unresolved(self, limit: int = 100) -> tuple[Action, ...]:
        """UNKNOWN actions of all tenants, oldest first."""
        ...

    async def expire(self) -> int:
        """PROPOSED, PENDING and APPROVED beyond `expires` -> REFUSED as `expired`. How many."""
        ...

    async def action(self, tenant: str, action_id: str) -> Action: ...

    async def by_key(self, tenant: str, idem_key: str) -> Action | None: ...

    async def approvals(self, tenant: str, action_id: str) -> tuple[Approval, ...]: ...

    async def actions(
        self,
        tenant: str,
        *,
        subject: str | None = None,
        states: Sequence[State] = (),
        parent: str | None = None,
        thread_id: str | None = None,
        limit: int = 100,
    ) -> tuple[Action, ...]:
        """The newest `limit` of them, oldest first."""
        ...

    async def asked_for(
        self,
        tenant: str,
        subject: str,
        *,
        thread_id: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[Action, ...]:
        """As `actions`, of one person and without steps; only what is older than action `before`,
        nothing when there is no such action."""
        ...

    async def receipts(
        self, tenant: str, *, after: int = 0, limit: int = 1000, subject: str | None = None
    ) -> tuple[Receipt, ...]:
        """The oldest `limit` beyond `after`, in order; with `subject` of actions that they asked
        for."""
        ...

    async def receipt_of(self, tenant: str, action_id: str) -> tuple[Receipt, ...]:
        """All receipts of an action, oldest first."""
        ...

    async def outbox(self, limit: int = 100) -> tuple[OutboxRow, ...]:
        """What is to be told and was not, oldest first, over all tenants."""
        ...

    async def sent(self, rows: Sequence[OutboxRow]) -> None: ...

    async def later(self, rows: Sequence[OutboxRow], seconds: float) -> None:
        """They could not be told: `outbox` offers them again no sooner than that."""
        ...

    async def remind(self, tenant: str, action_id: str, seconds: float) -> bool:
        """A `reminder` row, offered no sooner than that; False when the action had one already."""
        ...

    async def hush(self, tenant: str, thread_id: str) -> int:
        """Reminders of this conversation are not told any more. How many."""
        ...

    async def consent(self, tenant: str, subject: str, tool: str, *, given: bool) -> None:
        """Standing consent of a person to a tool of tier R1."""
        ...

    async def consents(self, tenant: str, subject: str) -> frozenset[str]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A change of state to be told, or a reminder: references only, no personal data."""

    id: int
    tenant: str
    kind: str  # action.STATE, or REMINDER
    action_id: str
    thread_id: str | None
    created: datetime


REMINDER = "reminder"
DENIED = "denied"
"""The reason of a refusal by a person."""
MOST_OPEN_CARDS = 5
"""Open cards of one person; more would be waved through (safety reference, section 6)."""
DENIAL_HOLDS_S = 3600.0
"""For how long the same content is not proposed again after a denial."""
