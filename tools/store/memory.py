"""Rows in dictionaries. A transaction keeps what it overwrote, and puts it back when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TypeVar

from tools.canonical import sha256
from tools.journal import DENIED, ENDED, REMINDER, Approval, OutboxRow, Receipt, State
from tools.store.deciding import OPEN
from tools.store.rows import NO_PARENT, Entry, Found, Head
from tools.types import Principal

K = TypeVar("K")
V = TypeVar("V")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    row: OutboxRow
    next_at: datetime | None = None
    sent_at: datetime | None = None
    attempt: int = 0


@dataclass(slots=True)
class Shelves:
    """What is stored; dictionaries keep the order of insertion."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    keys: dict[Key, Key] = field(default_factory=dict)
    approvals: dict[tuple[str, str, str], Approval] = field(default_factory=dict)
    denials: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    undone_by: dict[Key, str] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    receipts: dict[tuple[str, int], Receipt] = field(default_factory=dict)
    outbox: dict[int, Told] = field(default_factory=dict)
    consents: dict[tuple[str, str, str], bool] = field(default_factory=dict)


_MISSING = object()


class MemoryRows:
    """The rows of one transaction after the other; nobody else is in between."""

    def __init__(self, shelves: Shelves, now: datetime) -> None:
        self._all = shelves
        self._now = now
        self._before: list[tuple[dict[object, object], object, object]] = []

    @contextmanager
    def transaction(self) -> Iterator[MemoryRows]:
        try:
            yield self
        except BaseException:
            for shelf, key, value in reversed(self._before):
                shelf.pop(key, None) if value is _MISSING else shelf.__setitem__(key, value)
            raise

    def _put(self, shelf: dict[K, V], key: K, value: V) -> None:
        self._before.append((shelf, key, shelf.get(key, _MISSING)))  # type: ignore[arg-type]
        shelf[key] = value

    def now(self) -> datetime:
        return self._now

    def mac(self, who: Principal, data: bytes) -> str:
        return sha256(b"\0".join((who.tenant.encode(), who.subject.encode(), data)))

    def entry(self, tenant: str, action_id: str) -> Entry | None:
        return self._all.entries.get((tenant, action_id))

    locked = entry

    def by_key(self, tenant: str, idem_key: str) -> Entry | None:
        key = self._all.keys.get((tenant, idem_key))
        return None if key is None else self._all.entries[key]

    def insert(self, entry: Entry) -> bool:
        named = entry.action.who.tenant, entry.action.idem_key
        if named in self._all.keys or entry.key in self._all.entries:
            return False
        self._put(self._all.keys, named, entry.key)
        self._put(self._all.entries, entry.key, entry)
        return True

    def move(self, before: Entry, after: Entry) -> bool:
        stored = self._all.entries.get(before.key)
        if stored is None or _stand(stored) != _stand(before):
            return False
        self._put(self._all.entries, before.key, after)
        return True

    def find(self, found: Found) -> tuple[Entry, ...]:
        hits = [entry for entry in self._older(found) if _fits(entry, found)]
        return tuple(hits[-found.limit :] if found.limit is not None else hits)

    def _older(self, found: Found) -> list[Entry]:
        every = list(self._all.entries.values())
        if found.before is None:
            return every
        place = next((n for n, e in enumerate(every) if e.key == (found.tenant, found.before)), 0)
        return every[:place]

    def steps(self, tenant: str, parent: str) -> tuple[Entry, ...]:
        return self.find(Found(tenant, parent=parent))

    def _of(self, *states: State) -> Iterator[Entry]:
        return (entry for entry in self._all.entries.values() if entry.state in states)

    def unresolved(self, limit: int) -> tuple[Entry, ...]:
        return tuple(self._of(State.UNKNOWN))[:limit]

    def claimable(self, action_id: str) -> Entry | None:
        return next((e for e in self._all.entries.values() if e.action.id == action_id), None)

    def due(self, now: datetime) -> Entry | None:
        lapsed = [e for e in self._of(State.STARTED) if _lapsed(e, now)]
        if lapsed:
            return min(lapsed, key=lambda e: e.action.lease_until or now)
        return next((e for e in self._of(State.APPROVED) if self._alone(e)), None)

    def _alone(self, entry: Entry) -> bool:
        if entry.action.parent is None:
            return True
        return self._all.entries[entry.action.who.tenant, entry.action.parent].state in ENDED

    def overdue(self, now: datetime, limit: int) -> tuple[Entry, ...]:
        return tuple(e for e in self._of(*OPEN) if e.action.expires <= now)[:limit]

    def lapse(self, worker: str, now: datetime) -> int:
        held = [e for e in self._of(State.STARTED) if e.worker == worker]
        for entry in held:
            self._put(self._all.entries, entry.key, entry.but(now, lease_until=now))
        return len(held)

    def lock_subject(self, tenant: str, subject: str) -> None:
        """Nobody else is in between anyway."""

    def denied_since(self, entry: Entry, since: datetime) -> bool:
        subject = entry.action.who
        return any(
            other.content == entry.content
            and other.action.who == subject
            and other.action.reason == DENIED
            and other.changed > since
            for other in self._of(State.REFUSED)
        )

    def approvals(self, tenant: str, action_id: str) -> tuple[Approval, ...]:
        return tuple(
            approval
            for key, approval in self._all.approvals.items()
            if key[:2] == (tenant, action_id) and key not in self._all.denials
        )

    def add_approval(self, approval: Approval, entry: Entry) -> bool:
        key = (*entry.key, approval.approver)
        if key in self._all.approvals or key in self._all.denials:
            return False
        self._put(self._all.approvals, key, approval)
        return True

    def deny(self, entry: Entry, by: str, now: datetime) -> None:
        self._put(self._all.denials, (*entry.key, by), now)

    def consume(self, entry: Entry, now: datetime) -> int:
        tenant, action_id = entry.key
        used = 0
        for approval in self.approvals(tenant, action_id):
            if approval.consumed_at is None and approval.digest == entry.action.digest:
                key = (tenant, action_id, approval.approver)
                self._put(self._all.approvals, key, replace(approval, consumed_at=now))
                used += 1
        return used

    def take_undo(self, tenant: str, action_id: str, by: str) -> bool:
        if (tenant, action_id) in self._all.undone_by:
            return False
        self._put(self._all.undone_by, (tenant, action_id), by)
        return True

    def head(self, tenant: str) -> Head:
        return self._all.heads.get(tenant, Head())

    def add_receipt(self, receipt: Receipt, head: Head) -> None:
        self._put(self._all.receipts, (receipt.tenant, receipt.seq), receipt)
        self._put(self._all.heads, receipt.tenant, head)

    def receipts(
        self, tenant: str, after: int, limit: int, subject: str | None = None
    ) -> tuple[Receipt, ...]:
        last = self.head(tenant).seq
        later = (self._all.receipts[tenant, seq] for seq in range(after + 1, last + 1))
        return tuple(islice((r for r in later if self._asked_for(r, subject)), limit))

    def _asked_for(self, receipt: Receipt, subject: str | None) -> bool:
        entry = self._all.entries[receipt.tenant, receipt.action_id]
        return subject in {None, entry.action.who.subject}

    def receipts_of(self, tenant: str, action_id: str) -> tuple[Receipt, ...]:
        every = self.receipts(tenant, 0, self.head(tenant).seq)
        return tuple(receipt for receipt in every if receipt.action_id == action_id)

    def tell(self, entry: Entry, now: datetime) -> None:
        action, number = entry.action, len(self._all.outbox) + 1
        row = OutboxRow(
            number, action.who.tenant, f"action.{action.state}", action.id, action.thread_id, now
        )
        self._put(self._all.outbox, number, Told(row))

    def outbox(self, now: datetime, limit: int) -> tuple[OutboxRow, ...]:
        untold = [
            told.row
            for told in self._all.outbox.values()
            if told.sent_at is None and (told.next_at is None or told.next_at <= now)
        ]
        return tuple(untold[:limit])

    def sent(self, rows: Sequence[OutboxRow], now: datetime) -> None:
        for row in rows:
            self._put(self._all.outbox, row.id, replace(self._all.outbox[row.id], sent_at=now))

    def later(self, rows: Sequence[OutboxRow], until: datetime) -> None:
        for row in rows:
            told = self._all.outbox[row.id]
            again = replace(told, next_at=until, attempt=told.attempt + 1)
            self._put(self._all.outbox, row.id, again)

    def remind(self, entry: Entry, now: datetime, due: datetime) -> bool:
        tenant, action_id = entry.key
        known = (told.row for told in self._all.outbox.values())
        if any(
            (row.tenant, row.kind, row.action_id) == (tenant, REMINDER, action_id) for row in known
        ):
            return False
        number = len(self._all.outbox) + 1
        row = OutboxRow(number, tenant, REMINDER, action_id, entry.action.thread_id, now)
        self._put(self._all.outbox, number, Told(row, next_at=due))
        return True

    def hush(self, tenant: str, thread_id: str, now: datetime) -> int:
        open_ = [
            told.row
            for told in self._all.outbox.values()
            if told.sent_at is None
            and (told.row.tenant, told.row.kind, told.row.thread_id)
            == (tenant, REMINDER, thread_id)
        ]
        self.sent(open_, now)
        return len(open_)

    def consents(self, tenant: str, subject: str) -> frozenset[str]:
        return frozenset(
            tool
            for (owner, person, tool), given in self._all.consents.items()
            if given and (owner, person) == (tenant, subject)
        )

    def set_consent(self, tenant: str, subject: str, tool: str, given: bool) -> None:
        self._put(self._all.consents, (tenant, subject, tool), given)


def _stand(entry: Entry) -> tuple[object, ...]:
    return entry.state, entry.action.digest, entry.action.fence


def _lapsed(entry: Entry, now: datetime) -> bool:
    return entry.action.lease_until is None or entry.action.lease_until <= now


def _fits(entry: Entry, found: Found) -> bool:
    action = entry.action
    return (
        action.who.tenant == found.tenant
        and found.subject in {None, action.who.subject}
        and (not found.states or action.state in found.states)
        and found.parent in {None, action.parent or NO_PARENT}
        and found.thread_id in {None, action.thread_id}
    )
