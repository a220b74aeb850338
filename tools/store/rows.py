"""The seam between the rules of the journal and where its rows lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from tools.journal import Action, Approval, OutboxRow, Receipt, State
from tools.types import Principal


@dataclass(frozen=True, slots=True)
class Entry:
    """An action with what only the journal needs.

    `content` is equal for equal calls of one subject and says nothing else; `args_commit` is the
    commitment under `salt` that receipts carry; `doubt` whether a try may have had its effect;
    `worker` who holds the lease, empty while it is postponed; `changed` when it last moved;
    `undo_id` names its compensation.
    """

    action: Action
    content: str
    args_commit: str
    salt: str
    changed: datetime
    doubt: bool = False
    worker: str = ""
    undo_id: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.action.who.tenant, self.action.id

    @property
    def state(self) -> State:
        return self.action.state

    def to(self, state: State, now: datetime, **fields: object) -> Entry:
        """The same in another state; `fields` are of the action."""
        return self.but(now, state=state, **fields)

    def but(self, now: datetime, **fields: object) -> Entry:
        return replace(self, action=replace(self.action, **fields), changed=now)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a tenant's chain: the last number, and the hash of the last receipt."""

    seq: int = 0
    hash: str = ""


NO_PARENT = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Which actions: those of a tenant, narrowed by what is given, oldest first."""

    tenant: str
    subject: str | None = None
    states: Sequence[State] = ()
    parent: str | None = None  # NO_PARENT: actions that are no steps
    thread_id: str | None = None
    before: str | None = None
    limit: int | None = None


class Rows(Protocol):
    """One transaction. What `locked` returns nobody else changes until it ends."""

    def now(self) -> datetime: ...

    def locked(self, tenant: str, action_id: str) -> Entry | None: ...

    def entry(self, tenant: str, action_id: str) -> Entry | None: ...

    def by_key(self, tenant: str, idem_key: str) -> Entry | None: ...

    def mac(self, who: Principal, data: bytes) -> str:
        """Equal for equal data of one subject, and unguessable where data lies sealed."""
        ...

    def insert(self, entry: Entry) -> bool:
        """Whether its `idem_key` was new."""
        ...

    def move(self, before: Entry, after: Entry) -> bool:
        """Write what differs where state, digest and fence are those of `before`; whether so."""
        ...

    def find(self, found: Found) -> tuple[Entry, ...]:
        """The newest, in order of insertion."""
        ...

    def steps(self, tenant: str, parent: str) -> tuple[Entry, ...]:
        """Locked."""
        ...

    def unresolved(self, limit: int) -> tuple[Entry, ...]: ...

    def claimable(self, action_id: str) -> Entry | None:
        """Locked; None when there is no such action or somebody else has it locked."""
        ...

    def due(self, now: datetime) -> Entry | None:
        """The next that a scan may claim, locked: STARTED whose lease ran out, then APPROVED; of
        steps whose parent goes on the first only, else the flow could not end for them."""
        ...

    def overdue(self, now: datetime, limit: int) -> tuple[Entry, ...]:
        """PROPOSED, PENDING and APPROVED beyond `expires`, locked."""
        ...

    def lapse(self, worker: str, now: datetime) -> int: ...

    def lock_subject(self, tenant: str, subject: str) -> None:
        """One at a time: whoever counts this person's cards."""
        ...

    def denied_since(self, entry: Entry, since: datetime) -> bool:
        """Whether the same content of the same subject was denied after `since`."""
        ...

    def approvals(self, tenant: str, action_id: str) -> tuple[Approval, ...]: ...

    def add_approval(self, approval: Approval, entry: Entry) -> bool:
        """Whether this person had not decided on it before."""
        ...

    def deny(self, entry: Entry, by: str, now: datetime) -> None:
        """A denial takes the place of the same person's approval."""
        ...

    def consume(self, entry: Entry, now: datetime) -> int:
        """Approvals of this action and digest that are not used: used now. How many."""
        ...

    def take_undo(self, tenant: str, action_id: str, by: str) -> bool:
        """The compensation of an action becomes the one of action `by`; whether it was free."""
        ...

    def head(self, tenant: str) -> Head:
        """Locked."""
        ...

    def add_receipt(self, receipt: Receipt, head: Head) -> None: ...

    def receipts(
        self, tenant: str, after: int, limit: int, subject: str | None = None
    ) -> tuple[Receipt, ...]: ...

    def receipts_of(self, tenant: str, action_id: str) -> tuple[Receipt, ...]: ...

    def tell(self, entry: Entry, now: datetime) -> None: ...

    def outbox(self, now: datetime, limit: int) -> tuple[OutboxRow, ...]: ...

    def sent(self, rows: Sequence[OutboxRow], now: datetime) -> None: ...

    def later(self, rows: Sequence[OutboxRow], until: datetime) -> None: ...

    def remind(self, entry: Entry, now: datetime, due: datetime) -> bool:
        """A reminder of this action; False when there was one, told or not."""
        ...

    def hush(self, tenant: str, thread_id: str, now: datetime) -> int:
        """Untold reminders of the thread count as told. How many."""
        ...

    def consents(self, tenant: str, subject: str) -> frozenset[str]: ...

    def set_consent(self, tenant: str, subject: str, tool: str, given: bool) -> None: ...
