"""From an approval to an outcome: claim, renew, postpone, settle, resolve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from tools.canonical import canonical
from tools.journal import (
    ENDED,
    Action,
    Approval,
    Claim,
    Ending,
    FencedOutError,
    IllegalMoveError,
    State,
)
from tools.store.deciding import OPEN, described, expire
from tools.store.moving import Book, advance, locked, refuse, sound
from tools.store.rows import Entry

EXPIRED_AT_ONCE = 50
"""So many expired cards are refused in the transaction of one scan; the next scan goes on."""
ID_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Lease:
    worker: str
    seconds: float
    now: datetime

    @property
    def until(self) -> datetime:
        return self.now + timedelta(seconds=self.seconds)


def claim(book: Book, worker: str, lease_s: float, action_id: str | None) -> Claim | None:
    if action_id is not None:
        entry = book.rows.claimable(action_id)
        return (
            None if entry is None else _take(book, entry, Lease(worker, lease_s, book.rows.now()))
        )
    lease = Lease(worker, lease_s, book.rows.now())
    expire(book, lease.now, EXPIRED_AT_ONCE)
    while (entry := book.rows.due(lease.now)) is not None:
        taken = _take(book, entry, lease)  # else it is refused or unknown, and not due any more
        if taken is not None:
            return taken
    return None


def _take(book: Book, entry: Entry, lease: Lease) -> Claim | None:
    match entry.state:
        case State.APPROVED:
            return _first(book, entry, lease)
        case State.STARTED:
            return _again(book, entry, lease)
        case _:
            return None


def _again(book: Book, entry: Entry, lease: Lease) -> Claim | None:
    until = entry.action.lease_until
    if until is not None and until > lease.now:
        return None
    if not sound(entry):
        reason = entry.action.sealed or "tampered"
        _end(book, entry, Ending(State.UNKNOWN, reason=reason), lease.now)
        return None
    approvals = book.rows.approvals(entry.action.who.tenant, entry.action.id)
    return _claimed(book, entry, approvals, lease)


def _first(book: Book, entry: Entry, lease: Lease) -> Claim | None:
    action = entry.action
    waiting, reason = _hindered(book, entry, lease.now)
    if waiting:
        return None
    approvals = book.rows.approvals(action.who.tenant, action.id)
    done = None if action.undoes is None else locked(book, action.who.tenant, action.undoes)
    if reason is None and done is not None:
        reason = _not_undoable(book, entry, done)
    if reason is None:
        reason = _unapproved(book, entry, approvals, lease.now)
    if reason is not None:
        refuse(book, entry, reason, lease.now)
        return None
    if done is not None:
        _open_undo(book, entry, done, lease.now)
    used = tuple(replace(approval, consumed_at=lease.now) for approval in approvals)
    return _claimed(book, entry, used, lease)


def _hindered(book: Book, entry: Entry, now: datetime) -> tuple[bool, str | None]:
    """Whether it has to wait, and why it may not start at all."""
    action = entry.action
    if action.expires <= now:
        return False, "expired"
    if not sound(entry):
        return False, action.sealed or "tampered"
    if action.parent is None:
        return False, None
    parent = _unlocked(book, action.who.tenant, action.parent)
    if parent.state in ENDED:
        return False, "flow_ended"
    return parent.state is not State.STARTED, None


def _unlocked(book: Book, tenant: str, action_id: str) -> Entry:
    """Read without a lock: the parent's worker holds that, and waits for its steps."""
    entry = book.rows.entry(tenant, action_id)
    if entry is None:
        raise IllegalMoveError(f"the flow {action_id} is gone")
    return entry


def _unapproved(
    book: Book, entry: Entry, approvals: tuple[Approval, ...], now: datetime
) -> str | None:
    """Consumes the approvals; why they are not enough."""
    equal = all(approval.digest == entry.action.digest for approval in approvals)
    used = book.rows.consume(entry, now)
    return None if approvals and equal and used == len(approvals) else "tampered"


def _not_undoable(book: Book, undo: Entry, done: Entry) -> str | None:
    """Of a flow that goes on, or is taken back, only the flow itself undoes steps: in order."""
    ended = done.state in {State.SUCCEEDED, State.FAILED}
    if not ended or done.action.undo is None:
        return "not_undoable"
    if done.action.parent is None or undo.action.parent is not None:
        return None
    flow = _unlocked(book, done.action.who.tenant, done.action.parent)
    return None if flow.state in ENDED else "flow_under_way"


def _open_undo(book: Book, undo: Entry, done: Entry, now: datetime) -> None:
    """What is undone becomes COMPENSATING, by this undo alone."""
    tenant, action_id = done.key
    if not book.rows.take_undo(tenant, action_id, undo.action.id):
        raise IllegalMoveError(f"{action_id} is being undone by another action")
    advance(book, done, done.to(State.COMPENSATING, now))


def _claimed(book: Book, entry: Entry, approvals: tuple[Approval, ...], lease: Lease) -> Claim:
    action = entry.action
    after = entry.to(
        State.STARTED,
        lease.now,
        fence=action.fence + 1,
        attempt=action.attempt + 1,
        lease_until=lease.until,
        started=action.started or lease.now,
        reason="",
        detail="",
    )
    after = advance(book, entry, replace(after, worker=lease.worker, doubt=True))
    resumed = entry.state is State.STARTED and entry.doubt
    return Claim(after.action, approvals, lease.worker, lease.seconds, resumed)


def _held(book: Book, claim: Claim) -> Entry:
    entry = locked(book, claim.action.who.tenant, claim.action.id)
    if entry.action.fence != claim.action.fence or entry.state is not State.STARTED:
        raise FencedOutError(f"{claim.action.id} is not held by {claim.worker} any more")
    return entry


def renew(book: Book, claim: Claim) -> None:
    entry = _held(book, claim)
    lease = Lease(claim.worker, claim.lease_s, book.rows.now())
    if not book.rows.move(entry, entry.but(lease.now, lease_until=lease.until)):
        raise FencedOutError(f"{claim.action.id} was taken over")


def postpone(book: Book, claim: Claim, pause: Lease, why: Ending, doubt: bool) -> Action:
    """`pause` until the next try, `why` its reason and detail."""
    entry = _held(book, claim)
    after = entry.but(
        pause.now,
        fence=entry.action.fence + 1,  # the claim is over
        lease_until=pause.until,
        reason=why.reason,
        detail=why.detail,
    )
    return advance(book, entry, replace(after, worker="", doubt=doubt)).action


def settle(book: Book, claim: Claim, ending: Ending) -> Action:
    entry = locked(book, claim.action.who.tenant, claim.action.id)
    if entry.action.fence == claim.action.fence and entry.state is ending.state:
        return entry.action  # the answer to the first time was lost
    return _end(book, _held(book, claim), ending, book.rows.now()).action


def resolve(book: Book, action: Action, ending: Ending, by: str) -> Action:
    entry = locked(book, action.who.tenant, action.id)
    if entry.state is not State.UNKNOWN or ending.state is State.UNKNOWN:
        raise IllegalMoveError(f"{action.id} is {entry.state}, there is nothing to resolve")
    return _end(book, entry, ending, book.rows.now(), by).action


def _end(book: Book, entry: Entry, ending: Ending, now: datetime, by: str = "") -> Entry:
    if ending.state is State.SUCCEEDED and ending.done is None:
        raise IllegalMoveError(f"{entry.action.id} cannot have succeeded without what was done")
    _close_steps(book, entry, ending, now)
    fields: dict[str, object] = {
        "reason": ending.reason,
        "detail": ending.detail,
        "lease_until": None,
        "decided_by": by,
    }
    after = entry.to(ending.state, now, **fields)
    after = advance(book, entry, replace(_with_effect(book, after, ending), worker=""))
    if entry.action.undoes is not None and ending.state is not State.UNKNOWN:
        _close_undone(book, after, ending, now)
    return after


def _with_effect(book: Book, entry: Entry, ending: Ending) -> Entry:
    done, action = ending.done, entry.action
    if done is None or ending.state is State.UNKNOWN:
        return entry
    action = replace(action, result=dict(done.result), effect_ref=done.effect_ref)
    if done.undo is None:
        return replace(entry, action=action)
    action = replace(action, undo=done.undo, undo_etag=done.etag)
    promise: dict[str, JsonValue] = {
        **described(done.undo, action.who.account),
        "action_id": action.id,
        "etag": done.etag,
    }
    undo_id = "" if action.sealed else book.rows.mac(action.who, canonical(promise))[:ID_LENGTH]
    return replace(entry, action=action, undo_id=undo_id)


def _close_steps(book: Book, entry: Entry, ending: Ending, now: datetime) -> None:
    tenant, flow = entry.key
    for step in book.rows.steps(tenant, flow):
        if step.state in OPEN:
            refuse(book, step, "flow_ended", now)
        if step.state is State.STARTED and ending.state is not State.UNKNOWN:
            raise IllegalMoveError(f"step {step.action.id} of {flow} is still being done")


def _close_undone(book: Book, undo: Entry, ending: Ending, now: datetime) -> None:
    assert undo.action.undoes is not None
    undone = locked(book, undo.action.who.tenant, undo.action.undoes)
    if undone.state is not State.COMPENSATING:
        raise IllegalMoveError(f"{undone.action.id} is {undone.state}, it is not being undone")
    failed = ending.state is State.FAILED
    fields = {"reason": ending.reason, "detail": ending.detail} if failed else {}
    after = undone.to(State.STUCK if failed else State.COMPENSATED, now, **fields)
    advance(book, undone, after, undo_ref=undo.action.id)
