"""What acting leaves behind as something that is kept for a time.

Of an action that ended the details go: arguments, card, result, salt and nonce, as in an erasure.
That it was done, by whose approval, and its receipt stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, or_, select, update

from guardrails.store import Transactions
from tools.erasing import GONE
from tools.held_sql import held_value
from tools.journal import State
from tools.store.moving import timestamp
from tools.tables import action, compensation, outbox

BLOCK = 500
ENDED = (State.REFUSED, State.SUCCEEDED, State.FAILED, State.COMPENSATED, State.STUCK)
Active = Callable[[str, Collection[str], datetime], Awaitable[frozenset[str]]]
"""Tenant, conversations, time -> those in which something was said since."""
PAUSE_S = 5.0
"""Longer than a message takes from its first value to its row."""


async def pause() -> None:
    await asyncio.sleep(PAUSE_S)


class AgingDetails:
    """Counted from the last move of the action. It cannot be undone any more afterwards."""

    name = "journal_details"

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        oldest = select(action.c.id).where(*_detailed(tenant, before, keep))

        def work(connection: Connection) -> int:
            ids = list(connection.execute(oldest.order_by(action.c.changed).limit(limit)).scalars())
            if ids:
                _emptied(connection, tenant, ids)
            return len(ids)

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        counted = select(func.count()).select_from(action).where(*_detailed(tenant, before, keep))
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))


class AgingOutbox:
    """Notices of changes that were told: references, no content."""

    name = "outbox"

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        oldest = select(outbox.c.id).where(*_told(tenant, before, keep)).order_by(outbox.c.id)

        def work(connection: Connection) -> int:
            ids = list(connection.execute(oldest.limit(limit)).scalars())
            gone = delete(outbox).where(outbox.c.tenant == tenant, outbox.c.id.in_(ids))
            return connection.execute(gone).rowcount if ids else 0

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        counted = select(func.count()).select_from(outbox).where(*_told(tenant, before, keep))
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))


class AgingHeld:
    """Values that people typed, counted from the last message of their conversation: while it goes
    on they may be needed again."""

    name = "held_values"

    def __init__(
        self, engine: Engine, active: Active, pause: Callable[[], Awaitable[None]] = pause
    ) -> None:
        self._transactions = Transactions(engine)
        self._active = active
        self._pause = pause

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        """`limit` counts conversations. A value is held before its message is stored: what is there
        now is looked at again after a pause, and nothing else goes."""
        quiet = await self._quiet(tenant, before, keep, limit)
        if not quiet:
            return 0
        values = await self._values(tenant, quiet, keep)
        await self._pause()
        busy = await self._active(tenant, quiet, before)
        doomed = {thread: tokens for thread, tokens in values.items() if thread not in busy}
        await self._transactions.write(tenant, lambda c: _forgotten(c, tenant, doomed))
        return len(doomed)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        """Conversations with such values."""
        return len(await self._quiet(tenant, before, keep, None))

    async def _quiet(
        self, tenant: str, before: datetime, keep: frozenset[str], most: int | None
    ) -> list[str]:
        found: list[str] = []
        last = ""
        while page := await self._threads(tenant, keep, last):
            busy = await self._active(tenant, page, before)
            found += [each for each in page if each not in busy]
            last = page[-1]
            if most is not None and len(found) >= most:
                return found[:most]
        return found

    async def _values(
        self, tenant: str, threads: list[str], keep: frozenset[str]
    ) -> dict[str, list[str]]:
        """Tokens by conversation."""
        c = held_value.c
        wanted = select(c.thread_id, c.token).where(
            c.tenant == tenant, c.thread_id.in_(threads), c.subject.not_in(sorted(keep))
        )
        found: dict[str, list[str]] = {}
        for row in await self._transactions.read(tenant, lambda c: c.execute(wanted).all()):
            found.setdefault(row.thread_id, []).append(row.token)
        return found

    async def _threads(self, tenant: str, keep: frozenset[str], last: str) -> list[str]:
        wanted = (
            select(held_value.c.thread_id)
            .distinct()
            .where(
                held_value.c.tenant == tenant,
                held_value.c.thread_id > last,
                held_value.c.subject.not_in(sorted(keep)),
            )
            .order_by(held_value.c.thread_id)
            .limit(BLOCK)
        )
        return await self._transactions.read(tenant, lambda c: list(c.execute(wanted).scalars()))


def _detailed(
    tenant: str, before: datetime, keep: frozenset[str]
) -> tuple[ColumnElement[bool], ...]:
    ended = action.c.state.in_([state.value for state in ENDED])
    kept = [action.c[name].is_not(None) for name in GONE]
    free = action.c.subject.not_in(sorted(keep))
    return action.c.tenant == tenant, ended, action.c.changed < timestamp(before), or_(*kept), free


def _told(tenant: str, before: datetime, keep: frozenset[str]) -> tuple[ColumnElement[bool], ...]:
    held = select(action.c.id).where(action.c.tenant == tenant, action.c.subject.in_(sorted(keep)))
    return (
        outbox.c.tenant == tenant,
        outbox.c.sent_at.is_not(None),
        outbox.c.sent_at < timestamp(before),
        outbox.c.action_id.not_in(held),
    )


def _forgotten(connection: Connection, tenant: str, doomed: Mapping[str, list[str]]) -> None:
    c = held_value.c
    for thread, tokens in doomed.items():
        own = (c.tenant == tenant, c.thread_id == thread, c.token.in_(tokens))
        connection.execute(delete(held_value).where(*own))


def _emptied(connection: Connection, tenant: str, ids: list[str]) -> None:
    undo = (compensation.c.tenant == tenant, compensation.c.action_id.in_(ids))
    connection.execute(update(compensation).where(*undo).values(args=None, etag=None))
    own = (action.c.tenant == tenant, action.c.id.in_(ids))
    connection.execute(update(action).where(*own).values(**GONE, content=""))
