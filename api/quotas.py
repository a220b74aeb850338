"""Token buckets by address, person and tenant: what is too much gets 429 before any work.

    anonymous    address, then everybody's without a name, then the tenant's
    signed in    address, then the person's own, then the tenant's

A bucket is one number, the time at which it is full again (GCRA, ITU-T I.371). It is taken from all
of a request's buckets or from none, so that one who is refused takes nothing from others.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from api.errors import Problem, ProblemError
from api.guarding import Guard, StoreAwayError
from api.identity import Identify
from tools.types import Actor

MOST_REMEMBERED = 100_000
"""Buckets in memory, about 20 MB; beyond it those that are nearest to full are forgotten."""
JUMP_S = 60.0
"""A bucket that is full again later than possible by more than this was written by a clock that
has been set back since; servers' clocks may be apart by less."""
AWAY_SHARE = 0.25
"""Of every rate, in each process, while the store is away: never everything, never nothing."""
_HOME_BITS = 64  # an IPv6 user has a whole /64 to call from
EPSILON_S = 1e-4
"""Doubles of seconds since 1970 are 2.4e-7 apart: sums of a few hundred are this good."""


class Rate(NamedTuple):
    """`burst` requests at once, `per_s` in the long run."""

    per_s: float
    burst: float

    @property
    def interval(self) -> float:
        """Seconds that one request costs."""
        return 1.0 / self.per_s

    @property
    def window(self) -> float:
        """Seconds in which an empty bucket is full again."""
        return self.burst / self.per_s


class Need(NamedTuple):
    """One request out of this bucket."""

    bucket: str
    rate: Rate


class Buckets(Protocol):
    """Buckets by tenant and name."""

    async def take(self, tenant: str, needs: Sequence[Need], now: float) -> float:
        """Seconds to wait; 0 when one was taken from each. `now` in seconds, from any clock that
        all who share the store have."""
        ...


def after(full_at: float, rate: Rate, now: float) -> float:
    """When the bucket is full again if one more is taken."""
    if full_at > now + rate.window + JUMP_S:
        return now + rate.window
    return max(full_at, now) + rate.interval


def wait_for(full_at: float, rate: Rate, now: float) -> float:
    """Seconds until one may be taken; at most EPSILON_S when it may be now."""
    return after(full_at, rate, now) - rate.window - now


class MemoryBuckets:
    """A `Buckets` of one process."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._full_at: dict[tuple[str, str], float] = {}

    async def take(self, tenant: str, needs: Sequence[Need], now: float) -> float:
        held = [(self._full_at.get((tenant, need.bucket), now), need) for need in needs]
        wait = max(wait_for(full_at, need.rate, now) for full_at, need in held)
        if wait > EPSILON_S:
            return wait
        for full_at, need in held:
            self._full_at[tenant, need.bucket] = after(full_at, need.rate, now)
        if len(self._full_at) > self._most:
            self._sweep(now)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)

    def _sweep(self, now: float) -> None:
        """Full ones are no different from unknown ones. Of the rest the fuller half goes."""
        left = {key: at for key, at in self._full_at.items() if at > now}
        if len(left) > self._most // 2:
            fullest_last = sorted(left, key=left.__getitem__, reverse=True)
            left = {key: left[key] for key in fullest_last[: self._most // 2]}
        self._full_at = left


class GuardedBuckets:
    """A store, and a small bucket of this process while it is away: limits never fail open."""

    def __init__(self, store: Buckets, guard: Guard) -> None:
        self._store = store
        self._local = MemoryBuckets()
        self._guard = guard

    async def take(self, tenant: str, needs: Sequence[Need], now: float) -> float:
        try:
            return await self._guard.call(lambda: self._store.take(tenant, needs, now))
        except StoreAwayError:
            return await self._local.take(tenant, [_less(need) for need in needs], now)


def _less(need: Need) -> Need:
    per_s, burst = need.rate
    return Need(need.bucket, Rate(per_s * AWAY_SHARE, max(1.0, burst * AWAY_SHARE)))


class QuotaError(ProblemError):
    """429; `whose` bucket is empty is not said: that is nobody's business but the operator's."""

    def __init__(self, wait_s: float) -> None:
        seconds = max(1, math.ceil(wait_s))
        detail = f"too many requests; try again in {seconds} s"
        headers = {"retry-after": str(seconds)}
        super().__init__(Problem(429, "rate_limited", detail, headers=headers))


@dataclass(frozen=True, slots=True)
class Rates:
    """`anonymous` is shared by all without a name."""

    tenant: Rate
    user: Rate
    address: Rate
    anonymous: Rate


class Quotas:
    """The quotas of one tenant."""

    def __init__(
        self, tenant: str, rates: Rates, buckets: Buckets, clock: Callable[[], float]
    ) -> None:
        self._tenant = tenant
        self._rates = rates
        self._buckets = buckets
        self._clock = clock

    async def admit(self, address: str, *, named: bool) -> None:
        """Before anything else is looked at. Raises QuotaError."""
        needs = [Need(f"address:{hashed(_home(address))}", self._rates.address)]
        if not named:
            needs += [Need("anonymous", self._rates.anonymous), self._of_all()]
        await self._take(needs)

    def metered(self, identify: Identify) -> Identify:
        """The same, and whom it names is counted. It raises QuotaError."""

        async def counted(token: str) -> Actor | None:
            actor = await identify(token)
            if actor is not None and actor.tenant == self._tenant:
                await self.count(actor)
            return actor

        return counted

    async def count(self, actor: Actor) -> None:
        """One request of this person. Raises QuotaError."""
        own = Need(f"user:{hashed(actor.subject)}", self._rates.user)
        await self._take([own, self._of_all()])

    def _of_all(self) -> Need:
        return Need("tenant", self._rates.tenant)

    async def _take(self, needs: Sequence[Need]) -> None:
        wait = await self._buckets.take(self._tenant, needs, self._clock())
        if wait > 0:
            raise QuotaError(wait)


def _home(address: str) -> str:
    """An address as it is counted; what is none (a Unix socket) is all one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "local"
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, _HOME_BITS), strict=False))
    return str(found)


def hashed(text: str) -> str:
    """Neither addresses nor people stand in the store by name."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
