"""The journal over any rows: each call is one transaction of the rules."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from guardrails.tenancy import EVERYBODY
from tools.journal import (
    Action,
    Approval,
    ApprovalError,
    Claim,
    Ending,
    NewAction,
    OutboxRow,
    Receipt,
    Sealer,
    State,
    UnknownActionError,
)
from tools.store import deciding, doing
from tools.store.moving import Book
from tools.store.rows import NO_PARENT, Entry, Found, Rows
from tools.types import Card

T = TypeVar("T")
Work = Callable[[Rows], T]
EXPIRED_AT_MOST = 1000


class Runner(Protocol):
    """How a transaction is run: at once, in a thread, or with points where others may go on."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


def steady_clock(start: datetime, monotonic: Callable[[], float]) -> Callable[[], datetime]:
    """`start`, and what passed since by a clock that nobody sets. Starts now."""
    zero = monotonic()
    return lambda: start + timedelta(seconds=monotonic() - zero)


class Ledger:
    """Everything of the Journal protocol but where the rows lie: `_run` gives a transaction that
    sees the rows of this tenant, or of EVERYBODY."""

    def __init__(
        self, sealer: Sealer, entropy: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._sealer = sealer
        self._entropy = entropy

    async def _run(self, tenant: str, work: Work[T]) -> T:
        raise NotImplementedError

    def _book(self, rows: Rows) -> Book:
        return Book(rows, self._sealer, self._entropy)

    async def propose(self, new: NewAction) -> Action:
        return await self._run(new.who.tenant, lambda rows: deciding.propose(self._book(rows), new))

    async def present(self, action: Action, card: Card) -> Action:
        return await self._run(
            action.who.tenant, lambda rows: deciding.present(self._book(rows), action, card)
        )

    async def approve(self, action: Action, approval: Approval, *, last: bool) -> Action:
        decided = await self._run(
            action.who.tenant,
            lambda rows: deciding.approve(self._book(rows), action, approval, last),
        )
        if isinstance(decided, ApprovalError):
            raise decided
        return decided

    async def refuse(self, action: Action, reason: str, by: str, detail: str = "") -> Action:
        return await self._run(
            action.who.tenant,
            lambda rows: deciding.refuse_open(self._book(rows), action, (reason, detail), by),
        )

    async def claim(
        self, worker: str, lease_s: float, action_id: str | None = None
    ) -> Claim | None:
        return await self._run(
            EVERYBODY, lambda rows: doing.claim(self._book(rows), worker, lease_s, action_id)
        )

    async def renew(self, claim: Claim) -> None:
        await self._run(claim.action.who.tenant, lambda rows: doing.renew(self._book(rows), claim))

    async def postpone(
        self, claim: Claim, seconds: float, reason: str, detail: str = "", *, doubt: bool = False
    ) -> Action:
        why = Ending(State.STARTED, reason=reason, detail=detail)
        return await self._run(
            claim.action.who.tenant,
            lambda rows: doing.postpone(
                self._book(rows), claim, doing.Lease("", seconds, rows.now()), why, doubt
            ),
        )

    async def settle(self, claim: Claim, ending: Ending) -> Action:
        return await self._run(
            claim.action.who.tenant, lambda rows: doing.settle(self._book(rows), claim, ending)
        )

    async def resolve(self, action: Action, ending: Ending, by: str) -> Action:
        return await self._run(
            action.who.tenant, lambda rows: doing.resolve(self._book(rows), action, ending, by)
        )

    async def now(self) -> datetime:
        return await self._run(EVERYBODY, lambda rows: rows.now())

    async def lapse(self, worker: str) -> int:
        return await self._run(EVERYBODY, lambda rows: rows.lapse(worker, rows.now()))

    async def unresolved(self, limit: int = 100) -> tuple[Action, ...]:
        return await self._run(EVERYBODY, lambda rows: _actions(rows.unresolved(limit)))

    async def expire(self) -> int:
        return await self._run(
            EVERYBODY, lambda rows: deciding.expire(self._book(rows), rows.now(), EXPIRED_AT_MOST)
        )

    async def action(self, tenant: str, action_id: str) -> Action:
        entry = await self._run(tenant, lambda rows: rows.entry(tenant, action_id))
        if entry is None:
            raise UnknownActionError(f"there is no action {action_id}")
        return entry.action

    async def salt(self, tenant: str, action_id: str) -> str:
        """Under which the action's receipts commit to its arguments; empty where it was erased."""
        entry = await self._run(tenant, lambda rows: rows.entry(tenant, action_id))
        if entry is None:
            raise UnknownActionError(f"there is no action {action_id}")
        return entry.salt

    async def by_key(self, tenant: str, idem_key: str) -> Action | None:
        entry = await self._run(tenant, lambda rows: rows.by_key(tenant, idem_key))
        return None if entry is None else entry.action

    async def approvals(self, tenant: str, action_id: str) -> tuple[Approval, ...]:
        return await self._run(tenant, lambda rows: rows.approvals(tenant, action_id))

    async def actions(  # as the protocol has it
        self,
        tenant: str,
        *,
        subject: str | None = None,
        states: Sequence[State] = (),
        parent: str | None = None,
        thread_id: str | None = None,
        limit: int = 100,
    ) -> tuple[Action, ...]:
        found = Found(tenant, subject, tuple(states), parent, thread_id, limit=limit)
        return await self._run(tenant, lambda rows: _actions(rows.find(found)))

    async def asked_for(
        self,
        tenant: str,
        subject: str,
        *,
        thread_id: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[Action, ...]:
        found = Found(tenant, subject, (), NO_PARENT, thread_id, before, limit)
        return await self._run(tenant, lambda rows: _actions(rows.find(found)))

    async def receipts(
        self, tenant: str, *, after: int = 0, limit: int = 1000, subject: str | None = None
    ) -> tuple[Receipt, ...]:
        return await self._run(tenant, lambda rows: rows.receipts(tenant, after, limit, subject))

    async def receipt_of(self, tenant: str, action_id: str) -> tuple[Receipt, ...]:
        return await self._run(tenant, lambda rows: rows.receipts_of(tenant, action_id))

    async def outbox(self, limit: int = 100) -> tuple[OutboxRow, ...]:
        return await self._run(EVERYBODY, lambda rows: rows.outbox(rows.now(), limit))

    async def sent(self, rows: Sequence[OutboxRow]) -> None:
        told = tuple(rows)
        await self._run(EVERYBODY, lambda store: store.sent(told, store.now()))

    async def later(self, rows: Sequence[OutboxRow], seconds: float) -> None:
        untold, pause = tuple(rows), timedelta(seconds=seconds)
        await self._run(EVERYBODY, lambda store: store.later(untold, store.now() + pause))

    async def remind(self, tenant: str, action_id: str, seconds: float) -> bool:
        pause = timedelta(seconds=seconds)

        def work(rows: Rows) -> bool:
            entry = rows.entry(tenant, action_id)
            if entry is None:
                raise UnknownActionError(f"there is no action {action_id}")
            return rows.remind(entry, rows.now(), rows.now() + pause)

        return await self._run(tenant, work)

    async def hush(self, tenant: str, thread_id: str) -> int:
        return await self._run(tenant, lambda rows: rows.hush(tenant, thread_id, rows.now()))

    async def consent(self, tenant: str, subject: str, tool: str, *, given: bool) -> None:
        await self._run(tenant, lambda rows: rows.set_consent(tenant, subject, tool, given))

    async def consents(self, tenant: str, subject: str) -> frozenset[str]:
        return await self._run(tenant, lambda rows: rows.consents(tenant, subject))


def _actions(entries: Sequence[Entry]) -> tuple[Action, ...]:
    return tuple(entry.action for entry in entries)
