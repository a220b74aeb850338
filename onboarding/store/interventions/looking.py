"""What is asked of a message before it is decided on: where its person is, and how things stand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from onboarding.interventions.channel import (
    Contact,
    Contacts,
    ContactsUnavailableError,
    Standings,
)
from onboarding.interventions.links import address_mac
from onboarding.interventions.types import Delivery, Standing
from onboarding.store.interventions.contacts import WITH_ADDRESS

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """A delivery with all that is asked before it is decided on."""

    delivery: Delivery
    contact: Contact | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class Looking:
    """`key` is that of addresses' hashes."""

    contacts: Contacts
    standings: Standings
    key: bytes

    async def all(self, deliveries: Sequence[Delivery], now: datetime) -> list[Look]:
        """Without those of which nobody can say now: they are asked about again."""
        messages = [each.message for each in deliveries]
        standings = await self.standings.of_all(messages, now)
        contacts = await asyncio.gather(*(self._contact(each) for each in deliveries))
        looks: list[Look] = []
        for delivery, standing, contact in zip(deliveries, standings, contacts, strict=True):
            if standing is None or isinstance(contact, ContactsUnavailableError):
                away = "contacts" if standing is not None else "standings"
                _log.warning("delivery.later", delivery=delivery.id, away=away)
            else:
                looks.append(self._look(delivery, contact, standing))
        return looks

    async def _contact(self, delivery: Delivery) -> Contact | ContactsUnavailableError | None:
        message = delivery.message
        try:
            return await self.contacts.of(message.person, message.channel)
        except ContactsUnavailableError as failure:
            return failure

    def _look(self, delivery: Delivery, contact: Contact | None, standing: Standing) -> Look:
        if contact is None:
            return Look(delivery, None, standing)
        known = replace(
            standing,
            zone=standing.zone or contact.zone,
            country=standing.country or contact.country,
            address=self._mac(delivery, contact),
        )
        return Look(delivery, contact, known)

    def _mac(self, delivery: Delivery, contact: Contact) -> str | None:
        message = delivery.message
        if message.channel not in WITH_ADDRESS:
            return None
        return address_mac(self.key, message.person.tenant, message.channel, contact.address)
