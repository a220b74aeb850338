"""What a channel is given, and what it says afterwards. Adapters lie in `onboarding.store`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from onboarding.interventions.types import Channel, Delivery, Message, Reason, Standing, Value
from onboarding.types import Person


class Effect(StrEnum):
    """What sending twice does (safety reference, 5.4)."""

    INBOX = "I"  # written is sent: the log is the inbox, the channel only tells open pages
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
    """Journeys, consents and the host."""

    async def of_all(
        self, messages: Sequence[Message], now: datetime
    ) -> tuple[Standing | None, ...]:
        """One each; None where nobody says now. `address` is left out: the worker knows it."""
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
    """It did not go out, and may be tried again, not before `after`. `answered`: the provider works
    and said so, of this message alone."""

    reason: Reason = Reason.NOT_SENT
    after: timedelta | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Away:
    """Nobody was asked: the provider is left alone for so long. No try is counted."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class Refused:
    """It did not go out and never will. `address`: nothing will at this address."""

    reason: Reason = Reason.REFUSED
    address: bool = False


@dataclass(frozen=True, slots=True)
class Unsure:
    """It may have gone out."""

    reason: Reason = Reason.NO_ANSWER


Result = Sent | Again | Away | Refused | Unsure


class ChannelAdapter(Protocol):
    """One way to reach people. What it can expect to fail it says as a result."""

    @property
    def channel(self) -> Channel: ...

    @property
    def effect(self) -> Effect: ...

    async def send(self, parcel: Parcel) -> Result:
        """Of an inbox it is called once the message is in it, and says nothing new."""
        ...

    async def found(self, delivery: Delivery) -> Sent | Refused | Again | None:
        """What became of one that may have gone out; `Again`: it never came. None where the
        provider cannot tell, or not now."""
        ...
