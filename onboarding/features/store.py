"""Where memories lie: written by one reader of the log, read at every decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from onboarding.events import EventLog, Numbered
from onboarding.features.compiling import FeatureSet, States
from onboarding.types import Person, Snapshot

GROUP = "features"


class FeatureStore(Protocol):
    """States by tenant, hash of the definitions, and subject. Raises StoreUnavailableError."""

    async def apply(self, tenant: str, features: FeatureSet, read: Sequence[Numbered]) -> None:
        """With the position, in one transaction: what was applied before is passed over. `read` is
        as it was sent, in the order of the log."""
        ...

    async def position(self, tenant: str, spec: str) -> int:
        """Number of the last event that was applied."""
        ...

    async def states(self, tenant: str, spec: str, subjects: Sequence[str]) -> list[States]:
        """Those that are there, in the order asked."""
        ...

    async def drop(self, tenant: str, subjects: Sequence[str]) -> int:
        """Under any definitions; how many went."""
        ...

    async def count(self, tenant: str, subjects: Sequence[str]) -> int: ...

    async def leave(self, tenant: str, user: str, accounts: Sequence[str]) -> None:
        """Takes the user's id out of what is remembered of these accounts; numbers stay."""
        ...


class Features:
    """The features of a person, as of all that was applied."""

    def __init__(self, log: EventLog, store: FeatureStore, features: FeatureSet) -> None:
        self._log = log
        self._store = store
        self.features = features

    async def snapshot(
        self, person: Person, at: datetime, given: Mapping[str, float] | None = None
    ) -> Snapshot:
        """`at` is now: of an earlier time `offline` tells. `given` numbers come from other rooms,
        such as `progress`. Whether the person allows it, the caller has asked."""
        aliases = await self._log.aliases(person.tenant, person.user)
        own = subjects_of(person.user, aliases)
        account = [] if person.account is None else [of_account(person.account)]
        spec = self.features.spec
        states = await self._store.states(person.tenant, spec, [*own, *account])
        if not account:
            return self.features.values(states, {}, at, given)
        return self.features.values(states[:-1], states[-1], at, given)


def subjects_of(user: str, aliases: Sequence[str]) -> list[str]:
    """Under which something of a person is remembered: the user, and the visitors they were."""
    return [f"u:{user}", *(f"a:{each}" for each in aliases)]


def of_account(account: str) -> str:
    return f"g:{account}"
