"""Conversations as something that is kept for a time: event logs of runs, then the whole of it.

A conversation is as old as its last message; a run's log as the last message of the run.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from agent.erasing import CheckpointsStore
from agent.tables import conversation, message, run_event
from guardrails.store import Transactions

BLOCK = 500
_NOBODY = "~nobody"
"""No host may call a person so: nothing of theirs is left but what is nobody's."""


class AgingConversations:
    """With their messages, event logs, and, where `checkpoints` are given, paused runs."""

    name = "conversations"

    def __init__(self, engine: Engine, checkpoints: CheckpointsStore | None = None) -> None:
        self._transactions = Transactions(engine)
        self._checkpoints = checkpoints

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        oldest = _quiet(tenant, before, keep).order_by(conversation.c.created).limit(limit)

        def work(connection: Connection) -> int:
            threads = list(connection.execute(oldest).scalars())
            own = (conversation.c.tenant == tenant, conversation.c.thread_id.in_(threads))
            return connection.execute(delete(conversation).where(*own)).rowcount if threads else 0

        gone = await self._transactions.write(tenant, work)
        if gone and self._checkpoints is not None:
            await self._checkpoints.erase(tenant, _NOBODY)  # what no conversation is left of
        return gone

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        counted = select(func.count()).select_from(_quiet(tenant, before, keep).subquery())
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))

    async def active(
        self, tenant: str, threads: Collection[str], since: datetime
    ) -> frozenset[str]:
        """Of these conversations those in which something was said since."""
        wanted = (
            select(message.c.thread_id)
            .distinct()
            .where(
                message.c.tenant == tenant,
                message.c.thread_id.in_(sorted(threads)),
                message.c.created >= since.isoformat(),
            )
        )
        return await self._transactions.read(
            tenant, lambda c: frozenset(c.execute(wanted).scalars())
        )


class AgingRunEvents:
    """Logs of ended runs, which readers that come back are served from; answers stay."""

    name = "run_events"

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        """`limit` counts runs."""
        oldest = _ended_runs(tenant, before, keep).limit(limit)

        def work(connection: Connection) -> int:
            runs = [tuple(row) for row in connection.execute(oldest)]
            theirs = tuple_(run_event.c.thread_id, run_event.c.run_id).in_(runs)
            gone = delete(run_event).where(run_event.c.tenant == tenant, theirs)
            if runs:
                connection.execute(gone)
            return len(runs)

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        counted = select(func.count()).select_from(_ended_runs(tenant, before, keep).subquery())
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))


def _quiet(tenant: str, before: datetime, keep: frozenset[str]) -> Select[tuple[str]]:
    said_since = exists().where(
        message.c.tenant == conversation.c.tenant,
        message.c.thread_id == conversation.c.thread_id,
        message.c.created >= before.isoformat(),
    )
    return select(conversation.c.thread_id).where(
        conversation.c.tenant == tenant,
        conversation.c.created < before.isoformat(),
        ~said_since,
        _free(keep),
    )


def _ended_runs(tenant: str, before: datetime, keep: frozenset[str]) -> Select[tuple[str, str]]:
    logged = exists().where(
        run_event.c.tenant == message.c.tenant,
        run_event.c.thread_id == message.c.thread_id,
        run_event.c.run_id == message.c.run_id,
    )
    of_conversation = and_(
        conversation.c.tenant == message.c.tenant,
        conversation.c.thread_id == message.c.thread_id,
    )
    return (
        select(message.c.thread_id, message.c.run_id)
        .join(conversation, of_conversation)
        .where(message.c.tenant == tenant, _free(keep), logged)
        .group_by(message.c.thread_id, message.c.run_id)
        .having(func.max(message.c.created) < before.isoformat())
        .order_by(func.max(message.c.created))
    )


def _free(keep: frozenset[str]) -> ColumnElement[bool]:
    return or_(conversation.c.subject.is_(None), conversation.c.subject.not_in(sorted(keep)))
