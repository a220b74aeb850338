"""What an auditor is given: the chain of a tenant with its checkpoints, as lines of a file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from anyio.to_thread import run_sync
from pydantic import JsonValue

from tools.canonical import canonical
from tools.journal import RECEIPTED, Action, Receipt
from tools.receipts.checkpoints import CheckpointStore, ReceiptSource, StoredCheckpoint, Tell
from tools.receipts.verify import lines
from tools.receipts.verify.notes import origin_of

BLOCK = 1000


class Disclosing(ReceiptSource, Protocol):
    """A journal that opens the commitments of its receipts."""

    async def action(self, tenant: str, action_id: str) -> Action: ...

    async def salt(self, tenant: str, action_id: str) -> str:
        """What the commitment to the arguments was made with."""
        ...


async def export(
    source: ReceiptSource, checkpoints: CheckpointStore, tenant: str
) -> AsyncIterator[str]:
    """Lines with their ends; each checkpoint behind the last receipt that it counts.

    A checkpoint beyond the last receipt is written too: it is what shows that receipts are missing.
    """
    notes = _checkpoints(checkpoints, tenant)
    following = await anext(notes, None)
    async for receipt in _receipts(source, tenant):
        while following is not None and following.size < receipt.seq:
            yield lines.write("checkpoint", following.note)
            following = await anext(notes, None)
        yield lines.write("receipt", receipt.jws)
    while following is not None:
        yield lines.write("checkpoint", following.note)
        following = await anext(notes, None)


async def dump(journal: Disclosing, tenant: str) -> AsyncIterator[str]:
    """The journal's side of every receipt, for `journal_mismatch`. Holds arguments in the clear:
    for the auditor whom the tenant lets see them, never beside the receipts."""
    async for receipt in _receipts(journal, tenant):
        action = await journal.action(tenant, receipt.action_id)
        newest, kept = action.receipt == receipt.id, action.sealed != "erased"
        row: dict[str, JsonValue] = {
            "tenant": tenant,
            "seq": receipt.seq,
            "action_id": action.id,
            "digest": action.digest,
            "tool": action.call.tool,
            "tool_version": action.call.version,
            "outcome": action.state.value if newest and action.state in RECEIPTED else None,
            "salt": await journal.salt(tenant, action.id) if kept else None,
            "args": dict(action.call.arguments) if kept else None,
        }
        yield canonical(row).decode() + "\n"


async def _receipts(source: ReceiptSource, tenant: str) -> AsyncIterator[Receipt]:
    after = 0
    while block := await source.receipts(tenant, after=after, limit=BLOCK):
        for receipt in block:
            yield receipt
        after = block[-1].seq


async def _checkpoints(store: CheckpointStore, tenant: str) -> AsyncIterator[StoredCheckpoint]:
    after = 0
    while block := await store.of(tenant, after=after, limit=BLOCK):
        for checkpoint in block:
            yield checkpoint
        after = block[-1].size


def to_folder(folder: Path) -> Tell:
    """Notes as files, one a checkpoint, never overwritten: for a mount or a git checkout outside
    our reach. Named after origin and size."""

    async def tell(checkpoint: StoredCheckpoint) -> None:
        await run_sync(_write, folder, checkpoint)

    return tell


def _write(folder: Path, checkpoint: StoredCheckpoint) -> None:
    target = folder / origin_of(checkpoint.tenant) / f"{checkpoint.size:012}.note"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    draft = target.with_suffix(f".{os.getpid()}")
    draft.write_text(checkpoint.note, encoding="utf-8")
    draft.replace(target)
