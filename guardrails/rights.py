"""A person's rights over what is kept of them: a copy of it, and its end.

    export   every store -> JSON lines
    erase    key destroyed -> this process's memory -> every store -> files rewritten -> manifest

An erasure stands in a ledger from its first moment: whoever finds it unfinished finishes it. While
it goes on the destroyed key keeps the person out; afterwards they begin anew, as a stranger.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import JsonValue

from guardrails.retention.holds import UnderHoldError

MOST_PASSES = 3
"""What a request that was under way still wrote is found by the next pass."""
STALE_S = 60.0
"""An erasure that has not moved for so long lost its process."""
EXPORT_VERSION = 1


class ErasureUnfinishedError(RuntimeError):
    """Something is left, or could not be reached; the ledger keeps the erasure open."""

    def __init__(self, left: Mapping[str, int]) -> None:
        told = ", ".join(f"{name}: {count}" for name, count in left.items())
        super().__init__(f"not everything is erased yet ({told}); it is tried again")
        self.left = dict(left)


class PersonalStore(Protocol):
    """One place that keeps something of a person. Safe to erase twice."""

    @property
    def name(self) -> str: ...

    def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        """JSON objects, one a line without its end; nothing of anybody else."""
        ...

    async def erase(self, tenant: str, subject: str) -> int:
        """How many items are gone by this call."""
        ...

    async def residue(self, tenant: str, subject: str) -> int:
        """How many items there still are."""
        ...


Count = Callable[[str, str], Awaitable[int]]
"""Tenant and subject -> how many."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A place in the memory of this process: nothing in it that is not stored elsewhere."""

    name: str
    forget: Count
    count: Count

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:  # noqa: ARG002
        for line in _NOTHING:
            yield line

    async def erase(self, tenant: str, subject: str) -> int:
        return await self.forget(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        return await self.count(tenant, subject)


_NOTHING: Sequence[str] = ()


class KeyStore(PersonalStore, Protocol):
    """The person's key. Once it is destroyed nothing can be sealed for them until the ledger lets
    them in."""

    def forget(self, tenant: str, subject: str) -> None:
        """In this process alone; it is read anew."""
        ...


@dataclass(frozen=True, slots=True)
class Erasure:
    """A row of the ledger. `counts` are items by store; `by` an opaque reference of who asked."""

    id: str
    tenant: str
    subject: str
    by: str
    begun: datetime
    touched: datetime
    finished: datetime | None = None
    lifted: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    receipt: str = ""
    jws: str = ""

    @property
    def manifest(self) -> dict[str, JsonValue]:
        """What the receipt commits to."""
        return {
            "v": 1,
            "erasure": self.id,
            "tenant": self.tenant,
            "subject": self.subject,
            "requested_by": self.by,
            "begun": _text(self.begun),
            "finished": None if self.finished is None else _text(self.finished),
            "stores": [{"store": name, "items": n} for name, n in self.counts.items()],
        }


class Erasures(Protocol):
    """The ledger. Durable once a call returns."""

    async def begin(self, tenant: str, subject: str, by: str) -> Erasure:
        """The unfinished one of this person, else a new one."""
        ...

    async def plan(self, erasure: Erasure, store: str, items: int) -> None:
        """Before the store is touched. What was planned and not done stands; what was done before
        is added to."""
        ...

    async def done(self, erasure: Erasure, store: str, items: int) -> None:
        """`items` went; more than were planned are counted."""
        ...

    async def finish(self, erasure: Erasure) -> Erasure:
        """Sign the manifest and close the row, at once. A finished one is returned as it is."""
        ...

    async def let_in(self, erasure: Erasure) -> None:
        """The next use makes a new key, unless the person is being erased again."""
        ...

    async def disclosed(self, tenant: str, subject: str, by: str) -> None:
        """A receipt of that `by` was given a copy of what is kept of `subject`."""
        ...

    async def erasure(self, tenant: str, erasure_id: str) -> Erasure | None: ...

    async def erasures(self, tenant: str, *, open_only: bool = False) -> tuple[Erasure, ...]:
        """Oldest first; `open_only`: those that are unfinished or not lifted."""
        ...


Held = Callable[[str, str], Awaitable[bool]]
"""Tenant and subject -> whether nothing of them may be erased now."""
Rewrite = Callable[[], Awaitable[None]]
"""Rewrites files so that no byte of what was deleted is left in them."""


@dataclass(frozen=True, slots=True)
class RightsParts:
    """`memory` is of this process or machine alone, `stores` of all; both are erased in this order.

    `quiet_s` is for how long another process may still hold the destroyed key: so long the person
    is kept out. `held` says who must not be erased now. `late` are those of `stores` that this
    process may write while another one erases: emptied once more when it sees that one finished.
    """

    key: KeyStore
    stores: Sequence[PersonalStore]
    ledger: Erasures
    clock: Callable[[], datetime]
    memory: Sequence[PersonalStore] = ()
    rewrites: Sequence[Rewrite] = ()
    quiet_s: float = 0.0
    held: Held | None = None
    late: Sequence[PersonalStore] = ()


class Rights:
    """One per process. Erasures of one process follow one another."""

    def __init__(self, parts: RightsParts) -> None:
        self._parts = parts
        self._memory = list(parts.memory)
        self._seen: set[tuple[str, bool]] = set()
        self._one = asyncio.Lock()

    def remember(self, store: PersonalStore) -> None:
        """Another place in the memory of this process."""
        self._memory.append(store)

    def now(self) -> datetime:
        return self._parts.clock()

    async def export(self, tenant: str, subject: str, by: str) -> AsyncIterator[str]:
        """JSON lines without their ends; the last one counts the others, so that a copy that was
        cut off shows. Somebody else's copy leaves a receipt before its first line."""
        now = _text(self._parts.clock())
        if by != subject:
            await self._parts.ledger.disclosed(tenant, subject, by)
        yield _line(export=EXPORT_VERSION, tenant=tenant, subject=subject, at=now)
        lines = 0
        for store in self._all():
            async for line in store.export(tenant, subject):
                lines += 1
                yield _line(store=store.name, **json.loads(line))
        yield _line(end=True, lines=lines)

    async def residue(self, tenant: str, subject: str) -> dict[str, int]:
        """What is kept of this person, by store."""
        return {store.name: await store.residue(tenant, subject) for store in self._all()}

    async def erase(self, tenant: str, subject: str, by: str) -> Erasure:
        """Everything of this person is gone when it returns. Raises UnderHoldError before anything
        went, ErasureUnfinishedError, and what a store raises that does not answer; calling it
        again goes on."""
        return (await self.erase_all(tenant, (subject,), by))[0]

    async def erase_all(self, tenant: str, subjects: Sequence[str], by: str) -> tuple[Erasure, ...]:
        """As `erase`, with files rewritten once; of nobody while one of them is held."""
        async with self._one:
            await self._check_free(tenant, subjects)
            begun = [await self._parts.ledger.begin(tenant, each, by) for each in subjects]
            return await self._carry_out(begun)

    async def begin(self, tenant: str, subject: str, by: str) -> Erasure:
        """Written down and no more: `erase` goes on with it, or, a minute later, a visit. Raises
        UnderHoldError."""
        await self._check_free(tenant, (subject,))
        return await self._parts.ledger.begin(tenant, subject, by)

    async def _check_free(self, tenant: str, subjects: Sequence[str]) -> None:
        """Only before an erasure begins: once the key is gone it is finished, hold or not."""
        held = self._parts.held
        if held is None:
            return
        for subject in subjects:
            if await held(tenant, subject):
                raise UnderHoldError(subject)

    async def erasure(self, tenant: str, erasure_id: str) -> Erasure | None:
        return await self._parts.ledger.erasure(tenant, erasure_id)

    async def erasures(self, tenant: str) -> tuple[Erasure, ...]:
        return await self._parts.ledger.erasures(tenant)

    async def visit(self, tenant: str) -> int:
        """Upkeep, every few seconds: forget whom another process erased, finish what lost its
        process, let in who was kept out long enough. How many erasures are still open."""
        waiting = 0
        for erasure in await self._parts.ledger.erasures(tenant, open_only=True):
            async with self._one:  # what an erasure here is about to count is not taken from it
                await self._forget(erasure)
                waiting += not await self._moved_on(erasure)
        return waiting

    async def _moved_on(self, erasure: Erasure) -> bool:
        now = self._parts.clock()
        if erasure.finished is None:
            if (now - erasure.touched).total_seconds() < STALE_S:
                return False
            (erasure,) = await self._carry_out([erasure])
        return erasure.lifted or await self._let_in(erasure, now)

    async def _carry_out(self, erasures: Sequence[Erasure]) -> tuple[Erasure, ...]:
        for erasure in erasures:
            await self._emptied(erasure)
        for rewrite in self._parts.rewrites:
            await rewrite()
        return tuple([await self._closed(erasure) for erasure in erasures])

    async def _closed(self, erasure: Erasure) -> Erasure:
        finished = await self._parts.ledger.finish(erasure)
        self._seen.add((finished.id, True))
        let_in = await self._let_in(finished, self._parts.clock())
        return replace(finished, lifted=let_in)

    async def _emptied(self, erasure: Erasure) -> None:
        left: dict[str, int] = {}
        for _ in range(MOST_PASSES):
            await self._pass(erasure)
            found = await self.residue(erasure.tenant, erasure.subject)
            left = {name: count for name, count in found.items() if count}
            if not left:
                return
        raise ErasureUnfinishedError(left)

    async def _pass(self, erasure: Erasure) -> None:
        ledger, tenant, subject = self._parts.ledger, erasure.tenant, erasure.subject
        for store in self._all():
            items = await store.residue(tenant, subject)
            await ledger.plan(erasure, store.name, items)
            await ledger.done(erasure, store.name, await store.erase(tenant, subject))

    async def _forget(self, erasure: Erasure) -> None:
        """Once while it goes on, and once more when it is finished."""
        seen = (erasure.id, erasure.finished is not None)
        if seen in self._seen:
            return
        self._parts.key.forget(erasure.tenant, erasure.subject)
        late = self._parts.late if erasure.finished is not None else ()
        places = (*self._memory, *late)
        gone = [await store.erase(erasure.tenant, erasure.subject) for store in places]
        for rewrite in self._parts.rewrites if any(gone) else ():
            await rewrite()
        self._seen.add(seen)

    async def _let_in(self, erasure: Erasure, now: datetime) -> bool:
        assert erasure.finished is not None
        if now - erasure.finished < timedelta(seconds=self._parts.quiet_s):
            return False
        await self._parts.ledger.let_in(erasure)
        return True

    def _all(self) -> tuple[PersonalStore, ...]:
        return (self._parts.key, *self._memory, *self._parts.stores)


def _line(**values: JsonValue) -> str:
    return json.dumps(values, ensure_ascii=False)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
