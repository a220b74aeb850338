"""Checkpoints: every so many receipts, or so long after one, a signed note of size and Merkle root.

    receipts of the journal ─> frontier grows ─> note, signed ─> stored ─> told outside

What is stored is not trusted: before a note is built on it, its own signature, its root and the
chain up to it are checked, so a journal that was cut or restored from an old copy is found here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from tools.journal import Receipt
from tools.receipts.keys import KeyRing, KeyRingError
from tools.receipts.verify import notes
from tools.receipts.verify.merkle import Frontier, leaf_hash
from tools.receipts.verify.reading import link
from tools.receipts.verify.result import Flaw

EVERY = 256
"""Receipts in one checkpoint at most (safety reference, section 7)."""
AFTER_S = 60.0
"""How long a receipt waits at most for its checkpoint, while there is traffic (same place)."""


class CheckpointError(Exception):
    """The journal and its checkpoints contradict each other: nothing was signed."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """`edge` is the frontier of the tree, so that the next one need not start from nothing."""

    tenant: str
    size: int
    note: str
    edge: tuple[bytes, ...]
    created: datetime
    told: bool = False


class CheckpointStore(Protocol):
    """Append-only, but for `told`."""

    async def add(self, checkpoint: StoredCheckpoint) -> bool:
        """False when this tenant has one of that size: another process was first."""
        ...

    async def newest(self, tenant: str) -> StoredCheckpoint | None: ...

    async def of(
        self, tenant: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[StoredCheckpoint, ...]:
        """In the order of their size."""
        ...

    async def untold(self, tenant: str) -> tuple[StoredCheckpoint, ...]: ...

    async def told(self, checkpoint: StoredCheckpoint) -> None: ...


class ReceiptSource(Protocol):
    """The part of the journal that checkpoints and exports read."""

    async def receipts(
        self, tenant: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[Receipt, ...]: ...


Tell = Callable[[StoredCheckpoint], Awaitable[None]]
"""Carries a note out of our reach: a file elsewhere, a webhook. At least once, in order; what it
raises leaves the checkpoint untold, and the next visit tries again."""


class MemoryCheckpoints:
    """For tests and for journals in memory."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], StoredCheckpoint] = {}

    async def add(self, checkpoint: StoredCheckpoint) -> bool:
        key = (checkpoint.tenant, checkpoint.size)
        return self._rows.setdefault(key, checkpoint) is checkpoint

    async def newest(self, tenant: str) -> StoredCheckpoint | None:
        return max(self._of(tenant), key=lambda row: row.size, default=None)

    async def of(
        self, tenant: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[StoredCheckpoint, ...]:
        return tuple(row for row in self._of(tenant) if row.size > after)[:limit]

    async def untold(self, tenant: str) -> tuple[StoredCheckpoint, ...]:
        return tuple(row for row in self._of(tenant) if not row.told)

    async def told(self, checkpoint: StoredCheckpoint) -> None:
        self._rows[checkpoint.tenant, checkpoint.size] = replace(checkpoint, told=True)

    def _of(self, tenant: str) -> list[StoredCheckpoint]:
        rows = [row for row in self._rows.values() if row.tenant == tenant]
        return sorted(rows, key=lambda row: row.size)


@dataclass(frozen=True, slots=True)
class Pace:
    """When a checkpoint is due."""

    every: int = EVERY
    after_s: float = AFTER_S


class Checkpointer:
    """Makes the checkpoints that are due; to be visited every few seconds."""

    def __init__(
        self,
        source: ReceiptSource,
        store: CheckpointStore,
        ring: KeyRing,
        tell: Sequence[Tell] = (),
        pace: Pace | None = None,
    ) -> None:
        self._source = source
        self._store = store
        self._ring = ring
        self._tell = tell
        self._pace = pace or Pace()

    async def visit(self, tenant: str, now: datetime) -> int:
        """How many were made. Raises CheckpointError, KeyRingError, and what telling raises."""
        newest = await self._store.newest(tenant)
        tree = self._resume(newest)
        before = await self._last(tenant, tree.size)
        made = 0
        while due := await self._due(tenant, tree.size, now):
            for receipt in due:
                _follows(before, receipt)
                tree.append(leaf_hash(receipt.jws.encode()))
                before = receipt
            made += await self._store.add(self._sign(tenant, tree, now))
        for checkpoint in await self._store.untold(tenant):
            for tell in self._tell:
                await tell(checkpoint)
            await self._store.told(checkpoint)
        return made

    async def _due(self, tenant: str, size: int, now: datetime) -> tuple[Receipt, ...]:
        waiting = await self._source.receipts(tenant, after=size, limit=self._pace.every)
        if len(waiting) == self._pace.every:
            return waiting
        oldest = (now - waiting[0].created).total_seconds() if waiting else 0.0
        return waiting if oldest >= self._pace.after_s else ()

    async def _last(self, tenant: str, size: int) -> Receipt | None:
        """The receipt that the newest checkpoint counted last."""
        if size == 0:
            return None
        found = await self._source.receipts(tenant, after=size - 1, limit=1)
        if not found or found[0].seq != size:
            raise CheckpointError(
                f"{tenant}: a checkpoint counted {size} receipts and the journal holds fewer; "
                "restore the newest backup, or keep both and tell the auditor"
            )
        return found[0]

    def _resume(self, newest: StoredCheckpoint | None) -> Frontier:
        if newest is None:
            return Frontier()
        tree = Frontier(newest.size, list(newest.edge))
        try:
            said = notes.read(newest.note, _public(self._ring))
        except Flaw as flaw:
            raise CheckpointError(f"{newest.tenant}: its stored checkpoint: {flaw}") from flaw
        if said != notes.Checkpoint(newest.tenant, newest.size, tree.root()):
            raise CheckpointError(
                f"{newest.tenant}: the stored frontier is not that of its checkpoint of "
                f"{newest.size} receipts; delete that row, it is made again"
            )
        return tree

    def _sign(self, tenant: str, tree: Frontier, now: datetime) -> StoredCheckpoint:
        key = self._ring.signer(now)
        if key.private is None:
            raise KeyRingError(f"the key {key.kid} has no private half; rotate")
        counted = notes.Checkpoint(tenant, tree.size, tree.root())
        note = notes.write(counted, key.raw, key.private.sign)
        return StoredCheckpoint(tenant, tree.size, note, tuple(tree.edge), now)


def _follows(before: Receipt | None, receipt: Receipt) -> None:
    seq, prev = (0, "") if before is None else (before.seq, link(before.jws.encode()))
    if (receipt.seq, receipt.prev) != (seq + 1, prev):
        raise CheckpointError(f"{receipt.tenant}: receipt {receipt.seq} does not follow {seq}")


def _public(ring: KeyRing) -> dict[str, bytes]:
    return {kid: key.raw for kid, key in ring.keys().items()}
