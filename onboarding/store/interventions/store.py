"""Where deliveries are kept, and what is asked in the transaction that lets one go out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from onboarding.interventions.channel import Effect, Result
from onboarding.interventions.choices import Choice
from onboarding.interventions.effectiveness import Effect as Measured
from onboarding.interventions.governor import House
from onboarding.interventions.retrying import Retrying
from onboarding.interventions.types import (
    Channel,
    Delivery,
    Message,
    Reason,
    Silence,
    Standing,
    State,
)
from onboarding.types import Person

LEASE: Final = timedelta(seconds=60)
BACK: Final = timedelta(days=40)
"""How far back tokens are read: no cap looks further."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a store decides by. `effects` says of each channel what sending twice does."""

    house: House = field(default_factory=House)
    retrying: Retrying = field(default_factory=Retrying)
    lease: timedelta = LEASE
    effects: Mapping[Channel, Effect] = field(
        default_factory=lambda: MappingProxyType({Channel.EMAIL: Effect.ONCE})
    )

    def effect(self, channel: Channel) -> Effect:
        return self.effects.get(channel, Effect.KEYED)


class Claim(NamedTuple):
    """The right to send one message once, and those that go out as a part of it."""

    delivery: Delivery
    digest: tuple[Delivery, ...] = ()


class Given(NamedTuple):
    """A delivery that is due, how things stand with it, and what comes of it once it is let out."""

    delivery: Delivery
    standing: Standing
    result: Result


class Wanted(NamedTuple):
    """Which deliveries to list, newest change first."""

    user: str | None = None
    channel: Channel | None = None
    states: Collection[State] = ()
    limit: int = 100


class DeliveryStore(Protocol):
    """Durable once a call returns. Raises StoreUnavailableError from all."""

    async def plan(self, messages: Sequence[Message], now: datetime) -> tuple[Delivery, ...]:
        """One each; what was planned before is returned as it stands."""
        ...

    async def due(
        self, tenant: str, now: datetime, limit: int, channel: Channel | None = None
    ) -> tuple[Delivery, ...]:
        """That wait and are due, of one channel or all: the most urgent first."""
        ...

    async def claim(
        self,
        delivery: Delivery,
        standing: Standing,
        now: datetime,
        joining: Mapping[str, Standing] | None = None,
    ) -> Claim | Delivery | None:
        """The governor, and what it says, in one transaction: a claim, or the delivery as it stands
        now; None when another worker has it or it is not due any more. `joining` are deliveries
        that may go out as parts of a digest, with how things stand with them."""
        ...

    async def hand_over(
        self, tenant: str, given: Sequence[Given], now: datetime, rng: Random
    ) -> tuple[Delivery | None, ...]:
        """Claim and settle many in one transaction, of a channel that is an inbox: the delivery as
        it stands now; None when another worker has it or it is not due any more."""
        ...

    async def postpone(
        self, tenant: str, deliveries: Sequence[str], until: datetime, now: datetime
    ) -> int:
        """Those of them that wait are held until then, for their provider is away. How many."""
        ...

    async def begin(self, claim: Delivery, now: datetime) -> bool:
        """Written before a channel of which twice is twice is called. False: the lease is lost."""
        ...

    async def settle(
        self, claim: Delivery, result: Result, now: datetime, rng: Random
    ) -> Delivery | None:
        """None when the claim is not the last one of its delivery, or the person was erased."""
        ...

    async def lapse(self, tenant: str, now: datetime) -> tuple[Delivery, ...]:
        """Takes back claims whose lease is over."""
        ...

    async def doubtful(self, tenant: str, now: datetime, limit: int) -> tuple[Delivery, ...]:
        """Of which it is time to ask what became of them; nobody else is given them for a lease."""
        ...

    async def resolve(
        self, delivery: Delivery, answer: Result | None, now: datetime, rng: Random
    ) -> Delivery | None:
        """What a provider, or a person, says of one that is unknown. None when it is not any
        more."""
        ...

    async def tell(
        self, tenant: str, delivery: str, state: State, reason: Reason | None, now: datetime
    ) -> Delivery | None:
        """News of what was sent, by its id or the provider's. None when there is no such."""
        ...

    async def leave(
        self, person: Person, journey: str | None, reason: Reason, now: datetime
    ) -> int:
        """Nothing that waits goes out any more; of one journey, by name, or all. How many."""
        ...

    async def choose(self, person: Person, choice: Choice) -> None:
        """The last word on a topic, wish and channel counts."""
        ...

    async def unchoose(self, person: Person, choice: Choice) -> bool: ...

    async def choices(self, person: Person) -> tuple[Choice, ...]: ...

    async def hush(self, person: Person, silence: Silence, until: datetime) -> None:
        """Until then, unless it is said anew; a time that is over ends it."""
        ...

    async def silences(self, person: Person, now: datetime) -> Mapping[Silence, datetime]:
        """What they do now that must not be broken into, and until when."""
        ...

    async def refuse(
        self, tenant: str, channel: Channel, address: str, reason: Reason, now: datetime
    ) -> None:
        """Nothing goes to this address any more; `address` is a keyed hash."""
        ...

    async def accept(self, tenant: str, channel: Channel, address: str) -> bool: ...

    async def delivery(self, tenant: str, delivery: str) -> Delivery | None: ...

    async def deliveries(self, tenant: str, wanted: Wanted) -> tuple[Delivery, ...]: ...

    async def achieve(
        self, person: Person, journey: str | None, now: datetime, within: timedelta
    ) -> int:
        """The person did what these messages are for; of those that reached them, or were withheld,
        within the time before. How many."""
        ...

    async def effects(self, tenant: str, since: datetime) -> tuple[Measured, ...]:
        """By journey and step, in order of their names."""
        ...

    async def rows(self, tenant: str, user: str) -> tuple[tuple[str, Mapping[str, object]], ...]:
        """All that is kept of a person, by table."""
        ...

    async def erase(self, tenant: str, user: str) -> int: ...

    async def age(self, tenant: str, before: datetime, keep: frozenset[str], limit: int) -> int:
        """Deletes the oldest that ended before; how many."""
        ...

    async def aged(self, tenant: str, before: datetime, keep: frozenset[str]) -> int: ...
