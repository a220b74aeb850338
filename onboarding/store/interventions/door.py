"""What people, providers and pages say about messages: read, wanted, not wanted, bounced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

import structlog

from onboarding.interventions.channel import Contacts, ContactsUnavailableError
from onboarding.interventions.choices import EVERYTHING, Choice, Wish
from onboarding.interventions.links import Links, Unsubscribed, address_mac
from onboarding.interventions.moves import OUT
from onboarding.interventions.templating import Looks, TemplateError, Templates
from onboarding.interventions.types import Channel, Delivery, Reason, Silence, State
from onboarding.store.interventions.sms import is_start, is_stop
from onboarding.store.interventions.store import DeliveryStore, Wanted
from onboarding.types import Person

_log = structlog.get_logger(__name__)
NEWEST: Final = 50
BUSY: Final = timedelta(seconds=20)
"""For how long a page's word that somebody types holds; the page repeats it while it is so."""
LONGEST_BUSY: Final = timedelta(hours=8)


class Touch(StrEnum):
    """What a person did with a message in the app."""

    SEEN = "seen"
    CLICKED = "clicked"
    DISMISSED = "dismissed"


class News(StrEnum):
    """What a provider tells. A complaint is a person who called it spam."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"  # for good: nothing goes to this address any more
    FAILED = "failed"  # this once
    COMPLAINED = "complained"


class InboxItem(NamedTuple):
    """A message in the reader's language."""

    id: str
    kind: str
    title: str
    body: str
    link: str
    seen: bool
    at: datetime
    decision: str | None


@dataclass(frozen=True, slots=True)
class DoorParts:
    """`key` is that of links and of addresses' hashes."""

    tenant: str
    store: DeliveryStore
    templates: Templates
    links: Links
    contacts: Contacts
    key: bytes
    clock: Callable[[], datetime]
    base_url: str = "http://localhost"


class MessageDoor:
    """One tenant's. Raises StoreUnavailableError from all."""

    def __init__(self, parts: DoorParts) -> None:
        self._parts = parts

    async def inbox(
        self, person: Person, locale: str = "en", zone: str | None = None
    ) -> tuple[InboxItem, ...]:
        """What was sent and not dismissed, newest first."""
        wanted = Wanted(person.user, Channel.IN_APP, OUT, NEWEST)
        found = await self._parts.store.deliveries(self._parts.tenant, wanted)
        looks = Looks(self._parts.base_url, locale=locale, zone=zone)
        shown = [self._item(each, looks) for each in found if each.reason is not Reason.DISMISSED]
        return tuple(sorted((item for item in shown if item), key=lambda i: i.at, reverse=True))

    def _item(self, delivery: Delivery, looks: Looks) -> InboxItem | None:
        message = delivery.message
        try:
            text = self._parts.templates.fill(message.template, message.values, looks)
        except TemplateError:  # a template that went since
            _log.warning("inbox.bad_template", delivery=delivery.id)
            return None
        seen = delivery.state in (State.SEEN, State.CLICKED)
        at = delivery.sent_at or delivery.planned_at
        return InboxItem(
            delivery.id,
            message.kind,
            text.subject,
            text.body,
            text.link,
            seen,
            at,
            message.decision,
        )

    async def touch(self, person: Person, delivery: str, what: Touch) -> bool:
        """False for what is not in this person's inbox."""
        store, tenant = self._parts.store, self._parts.tenant
        found = await store.delivery(tenant, delivery)
        if found is None or found.message.person.user != person.user:
            return False
        if found.message.channel is not Channel.IN_APP or found.state not in OUT:
            return False
        state = State.CLICKED if what is Touch.CLICKED else State.SEEN
        reason = Reason.DISMISSED if what is Touch.DISMISSED else None
        await store.tell(tenant, delivery, state, reason, self._parts.clock())
        return True

    async def choices(self, person: Person) -> tuple[Choice, ...]:
        return await self._parts.store.choices(person)

    async def choose(self, person: Person, said: Sequence[Choice]) -> None:
        for choice in said:
            await self._parts.store.choose(person, choice)

    async def take_back(self, person: Person, said: Sequence[Choice]) -> None:
        for choice in said:
            await self._parts.store.unchoose(person, choice)

    async def hush(self, person: Person, silence: Silence, *, busy: bool) -> None:
        """Somebody types, or has stopped. What stands open is open until it is closed."""
        now = self._parts.clock()
        span = BUSY if silence is Silence.TYPING else LONGEST_BUSY
        await self._parts.store.hush(person, silence, now + span if busy else now)

    def asks(self, token: str) -> Unsubscribed | None:
        """What a link speaks of, if it is ours and of this tenant."""
        said = self._parts.links.read(token)
        return said if said is not None and said.person.tenant == self._parts.tenant else None

    async def unsubscribe(self, token: str) -> Unsubscribed | None:
        """Nothing more of this kind on this channel, from now on. None: the link is not ours."""
        said = self.asks(token)
        if said is None:
            return None
        now = self._parts.clock()
        wish = Choice(f"kind/{said.kind}", Wish.OPT_OUT, now, said.channel)
        await self._parts.store.choose(said.person, wish)
        _log.info("unsubscribed", kind=said.kind, channel=said.channel.value)
        return said

    async def replied(self, number: str, text: str) -> bool:
        """A text message that came in: STOP holds for everything to this number, START ends that.
        False for any other text."""
        parts, channel = self._parts, Channel.SMS
        address = address_mac(parts.key, parts.tenant, channel, number)
        if is_stop(text):
            await parts.store.refuse(
                parts.tenant, channel, address, Reason.UNSUBSCRIBED, parts.clock()
            )
            return True
        if is_start(text):
            await parts.store.accept(parts.tenant, channel, address)
            return True
        return False

    async def news(self, delivery: str, what: News, address: str | None = None) -> bool:
        """Of a message, by its id or the provider's. False when there is no such. `address` is what
        the provider names; without it the host is asked."""
        store, parts = self._parts.store, self._parts
        state, reason = {
            News.DELIVERED: (State.DELIVERED, None),
            News.BOUNCED: (State.FAILED, Reason.BOUNCED),
            News.FAILED: (State.FAILED, Reason.NOT_SENT),
            News.COMPLAINED: (State.DELIVERED, Reason.COMPLAINED),
        }[what]
        found = await store.tell(parts.tenant, delivery, state, reason, parts.clock())
        if found is None:
            return False
        if what is News.BOUNCED:
            await self._refuse(found, address)
        if what is News.COMPLAINED:
            now, channel = parts.clock(), found.message.channel
            wish = Choice(EVERYTHING, Wish.OPT_OUT, now, channel)
            await store.choose(found.message.person, wish)
        _log.info("delivery.news", delivery=found.id, news=what.value)
        return True

    async def _refuse(self, found: Delivery, address: str | None) -> None:
        parts, message = self._parts, found.message
        if address is None:
            try:
                contact = await parts.contacts.of(message.person, message.channel)
            except ContactsUnavailableError:
                contact = None
            address = contact.address if contact else None
        if address:
            mac = address_mac(parts.key, parts.tenant, message.channel, address)
            await parts.store.refuse(
                parts.tenant, message.channel, mac, Reason.BOUNCED, parts.clock()
            )
