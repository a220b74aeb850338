"""What model calls may cost in a day, by person and by tenant.

The most that a call can cost is held before it is made and settled after it, so that calls at the
same time cannot overspend together. Where nothing is left the answerer that costs nothing answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import structlog

from api.guarding import Guard, StoreAwayError
from api.quotas import hashed

AWAY_SHARE = 0.01
"""Of every cap, in each process, while the store is away (target of the safety reference, row 41:
at most 101 % of the budget is spent)."""
_log = structlog.get_logger(__name__)


class Account(NamedTuple):
    """Whose money, and how much of it there is a day; millionths of a unit."""

    name: str
    cap: int


class Purse(Protocol):
    """What each account of a tenant has spent on a day (`2026-05-04`)."""

    async def hold(self, tenant: str, day: str, accounts: Sequence[Account], cost: int) -> bool:
        """False, and nothing is held, when it is more than any of them has left."""
        ...

    async def change(self, tenant: str, day: str, accounts: Sequence[Account], by: int) -> None:
        """After the call: what it cost less (or more) than was held."""
        ...

    async def spent(self, tenant: str, day: str, account: str) -> int: ...


class MemoryPurse:
    """A `Purse` of one process; days before the last are forgotten."""

    def __init__(self) -> None:
        self._day = ""
        self._spent: dict[tuple[str, str, str], int] = {}

    async def hold(self, tenant: str, day: str, accounts: Sequence[Account], cost: int) -> bool:
        if day > self._day:
            self._spent = {key: n for key, n in self._spent.items() if key[1] >= self._day}
            self._day = day
        keys = [(tenant, day, account.name) for account in accounts]
        new = [self._spent.get(key, 0) + cost for key in keys]
        if any(total > account.cap for total, account in zip(new, accounts, strict=True)):
            return False
        self._spent.update(zip(keys, new, strict=True))
        return True

    async def change(self, tenant: str, day: str, accounts: Sequence[Account], by: int) -> None:
        for account in accounts:
            key = (tenant, day, account.name)
            self._spent[key] = max(0, self._spent.get(key, 0) + by)

    async def spent(self, tenant: str, day: str, account: str) -> int:
        return self._spent.get((tenant, day, account), 0)


class Caps(NamedTuple):
    """A day's most, in millionths; None: no cap of this kind."""

    tenant: int | None = None
    user: int | None = None
    anonymous: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for one call."""

    tenant: str
    day: str
    accounts: tuple[Account, ...]
    cost: int
    purse: Purse


class Spending:
    """Holds and settles. While the store is away a small purse of this process takes over."""

    def __init__(
        self, caps: Caps, purse: Purse, clock: Callable[[], datetime], guard: Guard
    ) -> None:
        self._caps = caps
        self._purse = purse
        self._local = MemoryPurse()
        self._clock = clock
        self._guard = guard

    async def hold(self, tenant: str, subject: str | None, cost: int) -> Hold | None:
        """None when that much is not left today (UTC) for this person and this tenant."""
        accounts, day = self._accounts(subject), self._clock().astimezone(UTC).date().isoformat()
        purse = self._purse
        try:
            held = await self._guard.call(lambda: purse.hold(tenant, day, accounts, cost))
        except StoreAwayError:
            purse = self._local
            accounts = tuple(Account(each.name, int(each.cap * AWAY_SHARE)) for each in accounts)
            held = await purse.hold(tenant, day, accounts, cost)
        return Hold(tenant, day, accounts, cost, purse) if held else None

    async def settle(self, hold: Hold, cost: int) -> None:
        """What it came to. Where that cannot be written now, what was held stays spent."""
        by = cost - hold.cost
        try:
            await self._guard.call(
                lambda: hold.purse.change(hold.tenant, hold.day, hold.accounts, by)
            )
        except StoreAwayError:
            _log.warning("spending.not_settled", held=hold.cost, cost=cost)

    def _accounts(self, subject: str | None) -> tuple[Account, ...]:
        """The narrow one first: the tenant's, which all share, is locked for the shortest time."""
        own = self._caps.anonymous if subject is None else self._caps.user
        named = "anonymous" if subject is None else f"user:{hashed(subject)}"
        both = ((named, own), ("tenant", self._caps.tenant))
        return tuple(Account(name, cap) for name, cap in both if cap is not None)
