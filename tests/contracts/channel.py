"""What every channel does: says what is certain, and whether twice is twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import pytest

from onboarding.interventions import Klass
from onboarding.interventions.channel import (
    Again,
    ChannelAdapter,
    Contact,
    Effect,
    Parcel,
    Refused,
    Sent,
    Text,
    Unsure,
)
from onboarding.interventions.settling import planned
from tests.onboarding.interventions.making import NOON, message

TEXT = Text(
    "Weiter mit „Connect“",
    "Grüße.\n\nIt takes <five> minutes.",
    "<p>Grüße.</p>",
    "https://app.example/connect",
    "No more: https://app.example/u",
)


class Rig(Protocol):
    """An adapter, and the receiver at its other end."""

    @property
    def adapter(self) -> ChannelAdapter: ...

    def parcel(self, **more: Any) -> Parcel: ...

    async def answers(self, how: str) -> None:
        """From now on: busy, refused, bad_address, drops (takes it and does not answer), away."""
        ...

    @property
    def taken(self) -> list[str]:
        """The texts that the receiver has, one an effect."""
        ...


def parcel_of(adapter: ChannelAdapter, address: str, **more: Any) -> Parcel:
    made = message(channel=adapter.channel, values={"step": "Connect"}, **more)
    unsubscribe = None if made.klass is Klass.TRANSACTIONAL else "https://app.example/u/x.y"
    contact = Contact(address, "de", "Europe/Berlin")
    return Parcel(planned(made, NOON), contact, TEXT, unsubscribe)


class ChannelContract:
    """Inherited by the test module of each adapter, which provides `rig`."""

    can: frozenset[str] = frozenset({"busy", "refused", "bad_address", "drops", "away"})
    """What its receiver may answer."""

    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError

    def _needs(self, how: str) -> None:
        if how not in self.can:
            pytest.skip(f"a receiver of this channel is never {how}")

    async def test_what_is_sent_arrives_as_it_was_written(self, rig: Rig) -> None:
        result = await rig.adapter.send(rig.parcel())
        assert isinstance(result, Sent)
        assert result.provider_id
        (text,) = rig.taken
        assert "Grüße" in text
        assert "<five> minutes" in text

    async def test_twice_is_what_the_adapter_says_it_is(self, rig: Rig) -> None:
        parcel = rig.parcel()
        for _ in range(2):
            assert isinstance(await rig.adapter.send(parcel), Sent)
        assert len(rig.taken) == (2 if rig.adapter.effect is Effect.ONCE else 1)

    async def test_two_messages_are_two(self, rig: Rig) -> None:
        await rig.adapter.send(rig.parcel())
        await rig.adapter.send(rig.parcel(entry=2))
        assert len(rig.taken) == 2

    async def test_busy_is_tried_again(self, rig: Rig) -> None:
        self._needs("busy")
        await rig.answers("busy")
        result = await rig.adapter.send(rig.parcel())
        assert isinstance(result, Again)
        assert result.after in (None, timedelta(seconds=120))
        assert rig.taken == []

    async def test_refused_is_final(self, rig: Rig) -> None:
        self._needs("refused")
        await rig.answers("refused")
        assert await rig.adapter.send(rig.parcel()) == Refused()
        assert rig.taken == []

    async def test_a_bad_address_is_known_as_such(self, rig: Rig) -> None:
        self._needs("bad_address")
        await rig.answers("bad_address")
        result = await rig.adapter.send(rig.parcel())
        assert isinstance(result, Refused)
        assert result.address

    async def test_a_lost_answer_is_not_certain(self, rig: Rig) -> None:
        self._needs("drops")
        await rig.answers("drops")
        assert await rig.adapter.send(rig.parcel()) == Unsure()
        assert len(rig.taken) == 1

    async def test_nobody_there_is_certain(self, rig: Rig) -> None:
        self._needs("away")
        await rig.answers("away")
        assert await rig.adapter.send(rig.parcel()) == Again()
        assert rig.taken == []


def with_address(parcel: Parcel, address: str) -> Parcel:
    return replace(parcel, contact=replace(parcel.contact, address=address))
