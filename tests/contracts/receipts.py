"""What every store of checkpoints does, whatever it is made of."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from tools.receipts.checkpoints import CheckpointStore, StoredCheckpoint

NOON = datetime(2026, 1, 1, 12, 30, 15, 250, tzinfo=UTC)
NOTE = "embark/receipts/acme\n3\nroot\n\n— embark/receipts/acme c2ln\n"


def checkpoint(size: int, tenant: str = "acme") -> StoredCheckpoint:
    return StoredCheckpoint(tenant, size, NOTE, (b"\x00" * 32, b"\xff" * 32), NOON)


class CheckpointStoreContract:
    """Subclasses give the fixture `store`, empty."""

    async def test_a_checkpoint_comes_back_as_it_was(self, store: CheckpointStore) -> None:
        assert await store.add(checkpoint(3))
        assert await store.newest("acme") == checkpoint(3)
        assert await store.of("acme") == (checkpoint(3),)

    async def test_the_first_of_a_size_stays(self, store: CheckpointStore) -> None:
        assert await store.add(checkpoint(3))
        assert not await store.add(replace(checkpoint(3), note="another"))
        assert await store.of("acme") == (checkpoint(3),)

    async def test_of_many_that_write_at_once_one_wins(self, store: CheckpointStore) -> None:
        notes = [replace(checkpoint(3), note=str(number)) for number in range(16)]
        won = await asyncio.gather(*(store.add(note) for note in notes))
        assert won.count(True) == 1
        assert await store.of("acme") == (notes[won.index(True)],)

    async def test_they_stand_in_the_order_of_their_size(self, store: CheckpointStore) -> None:
        for size in (20, 3, 100):
            await store.add(checkpoint(size))
        assert [row.size for row in await store.of("acme")] == [3, 20, 100]
        assert [row.size for row in await store.of("acme", after=3, limit=1)] == [20]
        newest = await store.newest("acme")
        assert newest is not None
        assert newest.size == 100

    async def test_no_tenant_sees_those_of_another(self, store: CheckpointStore) -> None:
        await store.add(checkpoint(3))
        assert await store.newest("globex") is None
        assert await store.of("globex") == ()
        assert await store.untold("globex") == ()
        assert await store.add(checkpoint(3, "globex"))

    async def test_what_was_told_is_not_told_again(self, store: CheckpointStore) -> None:
        for size in (3, 6):
            await store.add(checkpoint(size))
        await store.told(checkpoint(3))
        assert await store.untold("acme") == (checkpoint(6),)
        assert (await store.of("acme"))[0] == replace(checkpoint(3), told=True)
