"""The kill switch of connectors: what reaches a target, stopped at once and everywhere.

    kill       written down -> nothing new is proposed, approved or begun, and no tool of it sends
               anything -> the credentials kept for it are revoked, their data key destroyed
    restore    tools work again; whoever used it signs in anew

What has begun ends under its lease. A connector is what shares one set of credentials: the
`credential` of a source of the policy file, the source's own id where it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from tools.credentials import CredentialStore
from tools.gate import StoppedError
from tools.policy import PolicyFile
from tools.types import Manifest

ALL = "*"
"""Every connector, those that come later too."""
KNOWN_S = 1.0
"""For how long a look at the switches is believed; five seconds are allowed for a kill to reach
every process (safety reference, section 8)."""


class UnknownConnectorError(LookupError):
    """No source of the policy file has it; says which there are."""


@dataclass(frozen=True, slots=True)
class Connector:
    """`title` is what its tools name as their target."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Switch:
    """How a connector stands. `killed` is since when; None while it works. `by` is an opaque
    reference of who changed it last."""

    connector: str
    killed: datetime | None = None
    changed: datetime | None = None
    by: str = ""


class Switches(Protocol):
    """Durable once a call returns. Raises JournalUnavailableError from all."""

    async def kill(self, tenant: str, connector: str, by: str) -> Switch:
        """Killing again changes nothing."""
        ...

    async def restore(self, tenant: str, connector: str, by: str) -> Switch: ...

    async def all(self, tenant: str) -> Mapping[str, Switch]:
        """Those that were ever changed, by connector."""
        ...


class MemorySwitches:
    """The twin; gone with the process."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._switches: dict[tuple[str, str], Switch] = {}

    async def kill(self, tenant: str, connector: str, by: str) -> Switch:
        known = self._switches.get((tenant, connector), Switch(connector))
        if known.killed is None:
            now = self._clock()
            known = replace(known, killed=now, changed=now, by=by)
            self._switches[tenant, connector] = known
        return known

    async def restore(self, tenant: str, connector: str, by: str) -> Switch:
        restored = Switch(connector, None, self._clock(), by)
        self._switches[tenant, connector] = restored
        return restored

    async def all(self, tenant: str) -> Mapping[str, Switch]:
        return {key[1]: each for key, each in self._switches.items() if key[0] == tenant}


class Wiring:
    """Which connectors a tool talks through."""

    def __init__(self, by_source: Mapping[str, Connector]) -> None:
        self._by_source = by_source
        self.connectors = {each.id: each for each in by_source.values()}

    def of(self, manifest: Manifest) -> tuple[str, ...]:
        """A flow has no way of its own: it goes through those whose target it names."""
        kind, _, source = manifest.source.partition(":")
        if kind == "flow":
            return tuple(c.id for c in self.connectors.values() if c.title == manifest.target)
        found = self._by_source.get(source)
        return () if found is None else (found.id,)


def wiring_of(file: PolicyFile) -> Wiring:
    """By the sources of the policy file."""
    return Wiring(
        {
            id: Connector(source.credential or id, source.title)
            for id, source in file.policy.sources.items()
        }
    )


class SwitchGate:
    """A `Gate` over switches; `timer` is monotonic, in seconds."""

    def __init__(self, switches: Switches, wiring: Wiring, timer: Callable[[], float]) -> None:
        self._switches = switches
        self._wiring = wiring
        self._timer = timer
        self._killed: dict[str, tuple[float, frozenset[str]]] = {}
        self._listeners: list[Callable[[], None]] = []

    async def check(self, tenant: str, manifest: Manifest) -> None:
        killed = await self._known(tenant)
        for connector in self._wiring.of(manifest):
            if killed & {ALL, connector}:
                raise StoppedError(connector)

    async def is_killed(self, tenant: str, connector: str) -> bool:
        """Raises JournalUnavailableError."""
        return bool(await self._known(tenant) & {ALL, connector})

    def listen(self, listener: Callable[[], None]) -> None:
        """It hears when something else is stopped than before, whoever changed that."""
        self._listeners.append(listener)

    async def look(self, tenant: str) -> None:
        """So that those who listen hear of it without anybody asking. Raises
        JournalUnavailableError."""
        await self._known(tenant)

    def forget(self) -> None:
        """The next question is asked of the store."""
        self._killed = {tenant: (self._timer(), known[1]) for tenant, known in self._killed.items()}

    async def _known(self, tenant: str) -> frozenset[str]:
        now = self._timer()
        until, killed = self._killed.get(tenant, (now, frozenset[str]()))
        if now < until:
            return killed
        found = await self._switches.all(tenant)
        killed_now = frozenset(name for name, each in found.items() if each.killed is not None)
        self._killed[tenant] = (now + KNOWN_S, killed_now)
        if killed_now != killed:
            for listener in self._listeners:
                listener()
        return killed_now


@dataclass(frozen=True, slots=True)
class Standing:
    """A connector with how it stands, and how many credentials are kept for it."""

    connector: Connector
    switch: Switch
    credentials: int


class ConnectorDesk:
    """Kills and restores. `heard` is told of every change in this process."""

    def __init__(
        self,
        switches: Switches,
        credentials: CredentialStore,
        connectors: Iterable[Connector],
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        self._switches = switches
        self._credentials = credentials
        self._connectors = {each.id: each for each in connectors}
        self._heard = heard

    async def kill(self, tenant: str, connector: str, by: str) -> int:
        """How many credentials were revoked; killing again revokes what came since. Raises
        UnknownConnectorError, NotSentError."""
        ids = self._meant(connector)
        await self._switches.kill(tenant, connector, by)
        self._heard()
        revoked = [await self._credentials.revoke_all(tenant, id) for id in ids]
        return sum(revoked)

    async def restore(self, tenant: str, connector: str, by: str) -> None:
        """Raises UnknownConnectorError."""
        for id in self._meant(connector):  # whoever died while killing left them to be revoked
            await self._credentials.revoke_all(tenant, id)
        await self._switches.restore(tenant, connector, by)
        self._heard()

    async def standings(self, tenant: str) -> tuple[Standing, ...]:
        """Of every connector, and first of all of them together once that was used."""
        switches = await self._switches.all(tenant)
        everything = Connector(ALL, "all connectors")
        standings = [Standing(everything, switches[ALL], 0)] if ALL in switches else []
        for each in self._connectors.values():
            kept = await self._credentials.count(tenant, each.id)
            standings.append(Standing(each, switches.get(each.id, Switch(each.id)), kept))
        return tuple(standings)

    def _meant(self, connector: str) -> Sequence[str]:
        if connector == ALL:
            return tuple(self._connectors)
        if connector not in self._connectors:
            known = ", ".join(self._connectors) or "none"
            raise UnknownConnectorError(f"no connector {connector!r}; there are: {known}")
        return (connector,)
