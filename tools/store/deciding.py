"""From a proposal to a decision: propose, present, approve, refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from tools.approvals import RULES, Approvers
from tools.canonical import b64url, canonical, digest_of
from tools.journal import (
    DENIAL_HOLDS_S,
    DENIED,
    MOST_OPEN_CARDS,
    Action,
    Approval,
    ApprovalCode,
    ApprovalError,
    IllegalMoveError,
    NewAction,
    State,
    UnknownActionError,
)
from tools.store.moving import Book, advance, commit, locked, refuse, sound, timestamp
from tools.store.rows import Entry, Found
from tools.types import Card, Tier, ToolCall

OPEN = (State.PROPOSED, State.PENDING, State.APPROVED)
"""Not started, so nothing happened yet."""
NONCE_BYTES = 16
UNSEEN_CHANNELS = ("policy", "flow")
"""Channels of approvals that need no card."""


def propose(book: Book, new: NewAction) -> Action:
    tenant = new.who.tenant
    for link in (new.parent, new.undoes):
        if link is not None and book.rows.entry(tenant, link) is None:
            raise UnknownActionError(f"there is no action {link} to be part of or to undo")
    entry = _draft(book, new)
    if book.rows.insert(entry):
        book.rows.tell(entry, entry.changed)
        return entry.action
    earlier = book.rows.by_key(tenant, new.idem_key)
    if earlier is None or earlier.action.who.subject != new.who.subject:
        raise IllegalMoveError(f"the id {new.id} or its key belongs to another action")
    return earlier.action


def _draft(book: Book, new: NewAction) -> Entry:
    now = book.rows.now()
    nonce, salt = (b64url(book.entropy(NONCE_BYTES)) for _ in range(2))
    expires = now + timedelta(seconds=new.expires_s)
    digest = digest_of(
        who=new.who,
        call=new.call,
        etag=new.etag,
        policy_version=new.policy_version,
        tier=new.tier,
        nonce=nonce,
        expires=timestamp(expires),
    )
    action = Action(
        id=new.id,
        idem_key=new.idem_key,
        who=new.who,
        call=new.call,
        tier=new.tier,
        policy_version=new.policy_version,
        etag=new.etag,
        digest=digest,
        nonce=nonce,
        state=State.PROPOSED,
        fence=0,
        attempt=0,
        created=now,
        expires=expires,
        thread_id=new.thread_id,
        parent=new.parent,
        step=new.step,
        undoes=new.undoes,
    )
    content = book.rows.mac(new.who, canonical(described(new.call, new.who.account)))
    return Entry(action, content, commit(salt, new.call), salt, now)


def described(call: ToolCall, account: str) -> dict[str, JsonValue]:
    return {
        "account": account,
        "tool": call.tool,
        "tool_version": call.version,
        "args": dict(call.arguments),
    }


def present(book: Book, action: Action, card: Card) -> Action:
    rows, who = book.rows, action.who
    rows.lock_subject(who.tenant, who.subject)
    entry = locked(book, who.tenant, action.id)
    if entry.state is State.PENDING:
        return entry.action
    if entry.state is not State.PROPOSED:
        raise IllegalMoveError(f"{action.id} is {entry.state}, too late to show it")
    now = rows.now()
    pending = Found(who.tenant, who.subject, (State.PENDING,))
    cards = [card for card in rows.find(pending) if card.action.expires > now]
    twin = next((card for card in cards if _same(card, entry)), None)
    reason = _unshown(book, entry, now, cards)
    if reason is None and twin is None:
        return advance(book, entry, entry.to(State.PENDING, now, card=card)).action
    refused = refuse(book, entry, reason or "merged", now)
    return refused.action if reason or twin is None else twin.action


def _unshown(book: Book, entry: Entry, now: datetime, cards: Sequence[Entry]) -> str | None:
    """Why this card is not shown, unless an equal one is."""
    if entry.action.expires <= now:
        return "expired"
    if book.rows.denied_since(entry, now - timedelta(seconds=DENIAL_HOLDS_S)):
        return "rejected_lately"
    if len(cards) >= MOST_OPEN_CARDS and not any(_same(card, entry) for card in cards):
        return "too_many_cards"
    return None


def _same(one: Entry, other: Entry) -> bool:
    """Approving one is approving the other."""

    def asked(entry: Entry) -> tuple[object, ...]:
        action = entry.action
        bound = (action.etag, action.policy_version, action.tier)
        return entry.content, *bound, action.parent, action.undoes

    return asked(one) == asked(other)


def approve(book: Book, action: Action, approval: Approval, last: bool) -> Action | ApprovalError:
    """An error is returned, not raised, so that what it voided is written."""
    rows, tenant = book.rows, action.who.tenant
    entry = locked(book, tenant, action.id)
    now = rows.now()
    found = _flaw(entry, approval, now)
    if found is not None:
        return _void(book, entry, found, now)
    code = _unauthorised(book, entry, approval, last)
    if code is not None:
        return ApprovalError(code, f"{entry.action.id} needs another approval: {code}")
    given = replace(approval, consumed_at=None)
    if not rows.add_approval(given, entry):
        return ApprovalError("already_decided", f"{approval.approver} decided on it before")
    if last:
        return advance(book, entry, entry.to(State.APPROVED, now)).action
    return entry.action


def _flaw(entry: Entry, approval: Approval, now: datetime) -> ApprovalCode | None:
    unseen = approval.channel in UNSEEN_CHANNELS
    if entry.state is not State.PENDING and not (unseen and entry.state is State.PROPOSED):
        return "not_pending"
    if entry.action.expires <= now:
        return "expired"
    if approval.action_id != entry.action.id or approval.digest != entry.action.digest:
        return "digest_mismatch"
    return None if sound(entry) else "tool_changed"


def _void(book: Book, entry: Entry, code: ApprovalCode, now: datetime) -> ApprovalError:
    action = entry.action
    if code == "expired":
        refuse(book, entry, "expired", now)
    if code == "tool_changed":  # not the tool: what is stored
        refuse(book, entry, action.sealed or "tampered", now)
        return ApprovalError("digest_mismatch", f"what is stored of {action.id} was changed")
    return ApprovalError(code, f"{action.id} is {action.state}, no approval counts: {code}")


def _unauthorised(book: Book, entry: Entry, approval: Approval, last: bool) -> ApprovalCode | None:
    """The least that an approval must be, whatever the policy above says."""
    match approval.channel:
        case "policy":
            return None if _automatic(book, entry) else "wrong_person"
        case "flow":
            return None if _in_flow(book, entry) else "wrong_person"
        case _:
            return _personal(book, entry, approval, last)


def _automatic(book: Book, entry: Entry) -> bool:
    action = entry.action
    if action.undoes is not None or action.tier is Tier.R0:
        return True
    consents = book.rows.consents(action.who.tenant, action.who.subject)
    return action.tier is Tier.R1 and action.call.tool in consents


def _in_flow(book: Book, entry: Entry) -> bool:
    action = entry.action
    parent = action.parent and book.rows.entry(action.who.tenant, action.parent)
    return isinstance(parent, Entry) and parent.state is State.STARTED


def _personal(book: Book, entry: Entry, approval: Approval, last: bool) -> ApprovalCode | None:
    action = entry.action
    match RULES[action.tier].approvers:
        case Approvers.SELF if approval.approver != action.who.subject:
            return "wrong_person"
        case Approvers.TWO if last:
            earlier = book.rows.approvals(action.who.tenant, action.id)
            people = {a.approver for a in earlier if a.channel not in UNSEEN_CHANNELS}
            return None if people - {approval.approver} else "self_approval"
        case _:
            return None


def refuse_open(book: Book, action: Action, why: tuple[str, str], by: str) -> Action:
    """`why`: reason and detail."""
    reason, detail = why
    entry = locked(book, action.who.tenant, action.id)
    if entry.state not in OPEN:
        raise IllegalMoveError(f"{action.id} is {entry.state}, too late to refuse it")
    now = book.rows.now()
    if reason == DENIED:
        book.rows.deny(entry, by, now)
    after = entry.to(State.REFUSED, now, reason=reason, detail=detail, decided_by=by)
    return advance(book, entry, after).action


def expire(book: Book, now: datetime, limit: int) -> int:
    overdue = book.rows.overdue(now, limit)
    for entry in overdue:
        refuse(book, entry, "expired", now)
    return len(overdue)
