"""What people chose, whether they are busy, which addresses are refused: in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from onboarding.interventions.choices import Choice, Wish
from onboarding.interventions.types import Channel, Reason, Silence
from onboarding.types import Person

Key = tuple[str, str]
"""A tenant, and a person's or a delivery's name."""


class MemoryPeople:
    """The part of `MemoryDeliveries` that is about people, not about messages."""

    def __init__(self) -> None:
        self._choices: dict[Key, dict[tuple[str, Wish, Channel | None], Choice]] = {}
        self._silences: dict[Key, dict[Silence, datetime]] = {}
        self._refused: dict[tuple[str, Channel, str], tuple[Reason, datetime]] = {}

    async def choose(self, person: Person, choice: Choice) -> None:
        own = self._choices.setdefault((person.tenant, person.user), {})
        own[choice.topic, choice.wish, choice.channel] = choice

    async def unchoose(self, person: Person, choice: Choice) -> bool:
        own = self._choices.get((person.tenant, person.user), {})
        return own.pop((choice.topic, choice.wish, choice.channel), None) is not None

    async def choices(self, person: Person) -> tuple[Choice, ...]:
        own = self._choices.get((person.tenant, person.user), {}).values()
        return tuple(sorted(own, key=lambda c: (c.topic, c.wish, c.channel or "")))

    async def hush(self, person: Person, silence: Silence, until: datetime) -> None:
        self._silences.setdefault((person.tenant, person.user), {})[silence] = until

    async def silences(self, person: Person, now: datetime) -> Mapping[Silence, datetime]:
        own = self._silences.get((person.tenant, person.user), {})
        return {silence: until for silence, until in own.items() if until > now}

    async def refuse(
        self, tenant: str, channel: Channel, address: str, reason: Reason, now: datetime
    ) -> None:
        self._refused.setdefault((tenant, channel, address), (reason, now))

    async def accept(self, tenant: str, channel: Channel, address: str) -> bool:
        return self._refused.pop((tenant, channel, address), None) is not None
