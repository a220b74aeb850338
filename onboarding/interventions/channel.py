"""What a channel is given, and what it says afterwards. Adapters lie in `onboarding.store`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from onboarding.interventions.types import Channel, Delivery, Message, Reason, Standing, Value
from onboarding.types import Person


class Effect(StrEnum):
    """What sending twice does (safety reference, 5.4)."""

    KEYED = "K"  # the receiver knows the delivery's id: twice is once
    ONCE = "O"  # twice is twice, so what may have gone out is not sent again


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a person is reached, as the host says at the time of sending; never stored."""

    address: str
    locale: str = "en"
    zone: str | None = None
    country: str | None = None


class ContactsUnavailableError(Exception):
    """The host does not say where people are reached; asked again later."""


class StandingUnavailableError(Exception):
    """Nobody says how things stand with a message now; asked again later."""


class Standings(Protocol):
    """Journeys, consents and the host. Raises StandingUnavailableError."""

    async def of(self, message: Message, now: datetime) -> Standing:
        """`address` is left out: the worker knows it."""
        ...


class Contacts(Protocol):
    """The host's directory. Raises ContactsUnavailableError."""

    async def of(self, person: Person, channel: Channel) -> Contact | None:
        """None for who has no address there."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A template filled in for one person. `html` is a whole page; `footer` is of plain mail."""

    subject: str
    body: str
    html: str | None = None
    link: str = ""
    footer: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way. `unsubscribe` is None for transactional ones."""

    delivery: Delivery
    contact: Contact
    text: Text
    unsubscribe: str | None = None
    values: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def id(self) -> str:
        return self.delivery.id

    @property
    def message(self) -> Message:
        return self.delivery.message


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver took it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """It did not go out, and may be tried again, not before `after`."""

    reason: Reason = Reason.NOT_SENT
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It did not go out and never will. `address`: nothing will at this address."""

    reason: Reason = Reason.REFUSED
    address: bool = False


@dataclass(frozen=True, slots=True)
class Unsure:
    """It may have gone out."""

    reason: Reason = Reason.NO_ANSWER


Result = Sent | Again | Refused | Unsure


class ChannelAdapter(Protocol):
    """One way to reach people. What it can expect to fail it says as a result."""

    @property
    def channel(self) -> Channel: ...

    @property
    def effect(self) -> Effect: ...

    async def send(self, parcel: Parcel) -> Result: ...
