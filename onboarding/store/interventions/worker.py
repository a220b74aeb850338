"""What is due -> governor -> channel -> what came of it. Any number of processes may do it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

import structlog

from guardrails.store import StoreUnavailableError
from onboarding.interventions.channel import (
    ChannelAdapter,
    Contact,
    Contacts,
    ContactsUnavailableError,
    Effect,
    Parcel,
    Refused,
    Result,
    Standings,
    StandingUnavailableError,
    Text,
    Unsure,
)
from onboarding.interventions.links import Links, address_mac
from onboarding.interventions.templating import Looks, TemplateError, Templates
from onboarding.interventions.types import (
    Channel,
    Delivery,
    OnCap,
    Reason,
    Standing,
    State,
    Value,
)
from onboarding.store.interventions.contacts import WITH_ADDRESS
from onboarding.store.interventions.store import Asked, Claim, DeliveryStore, Ended

_log = structlog.get_logger(__name__)
BLOCK: Final = 100
"""Messages of the app in one transaction."""
DIGEST: Final = "digest"
"""The template under which several go out as one."""


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """`send_s` lies below the lease of the store: what is slow is told from what is dead."""

    at_once: int = 16
    most: int = 400
    send_s: float = 45.0
    base_url: str = "http://localhost"
    sender: str = "Embark"


def ignored(_delivery: Delivery) -> None:
    """Where nothing is recorded."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """`key` is that of links and of addresses' hashes; `timer` is monotonic, in seconds; `told`
    hears of every delivery whose state changed."""

    tenant: str
    store: DeliveryStore
    channels: Mapping[Channel, ChannelAdapter]
    contacts: Contacts
    standings: Standings
    templates: Templates
    links: Links
    key: bytes
    rng: Random
    policy: WorkerPolicy = field(default_factory=WorkerPolicy)
    timer: Callable[[], float] = time.monotonic
    told: Callable[[Delivery], object] = ignored


@dataclass(frozen=True, slots=True)
class _Look:
    """A delivery with all that is asked before it is decided on."""

    delivery: Delivery
    contact: Contact | None
    standing: Standing


class Worker:
    """One tenant's."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._slots = asyncio.Semaphore(parts.policy.at_once)

    async def visit(self, now: datetime) -> Mapping[str, int]:
        """Once over everything that is due: how many are in each state now. Raises
        StoreUnavailableError."""
        parts, started = self._parts, self._parts.timer()

        def clock() -> datetime:
            return now + timedelta(seconds=parts.timer() - started)

        for lost in await parts.store.lapse(parts.tenant, now):
            _log.warning("delivery.lease_lost", delivery=lost.id, state=lost.state.value)
        due = await parts.store.due(parts.tenant, now, parts.policy.most)
        quick = [each for each in due if self._is_quick(each)]
        blocks = (quick[first : first + BLOCK] for first in range(0, len(quick), BLOCK))
        slow = [each for each in due if not self._is_quick(each)]
        found = await asyncio.gather(
            *(self._handle_all(block, clock) for block in blocks),
            *(self._handle(group, clock) for group in _groups(slow)),
        )
        return Counter(state for states in found for state in states)

    def _is_quick(self, delivery: Delivery) -> bool:
        """What hands over at once, and twice without harm, is claimed and settled in blocks."""
        message = delivery.message
        adapter = self._parts.channels.get(message.channel)
        keyed = adapter is not None and adapter.effect is Effect.KEYED
        in_app = message.channel is Channel.IN_APP
        return keyed and in_app and message.on_cap is not OnCap.DIGEST

    async def _handle_all(
        self, block: Sequence[Delivery], clock: Callable[[], datetime]
    ) -> list[str]:
        store, tenant = self._parts.store, self._parts.tenant
        looked = await asyncio.gather(*(self._look(each, clock()) for each in block))
        looks = [look for look in looked if look is not None]
        asked = [Asked(look.delivery, look.standing) for look in looks]
        answers = await store.claim_all(tenant, asked, clock())
        done = [each for each in answers if isinstance(each, Delivery)]
        ended: list[Ended] = []
        for look, answer in zip(looks, answers, strict=True):
            if isinstance(answer, Claim):
                result = await self._sent(look, answer, clock)
                ended += [Ended(answer.delivery, result)] if result is not None else []
        after = await store.settle_all(tenant, ended, clock(), self._parts.rng)
        done += [each for each in after if each is not None]
        for each in done:
            self._tell(each)
        return [each.state.value for each in done]

    async def serve(
        self, stop: asyncio.Event, clock: Callable[[], datetime], idle_s: float = 0.5
    ) -> None:
        """Visits until `stop` is set."""
        while not stop.is_set():
            try:
                await self.visit(clock())
            except StoreUnavailableError:
                _log.warning("delivery.store_away")
            try:
                await asyncio.wait_for(stop.wait(), idle_s)
            except TimeoutError:
                continue

    async def _handle(self, group: Sequence[Delivery], clock: Callable[[], datetime]) -> list[str]:
        """Those of one digest follow one another; others are alone."""
        async with self._slots:
            looks = [
                look for each in group if (look := await self._look(each, clock())) is not None
            ]
            joining = {look.delivery.id: look.standing for look in looks}
            states = [await self._one(look, joining, clock) for look in looks]
        return [state for state in states if state]

    async def _look(self, delivery: Delivery, now: datetime) -> _Look | None:
        parts, message = self._parts, delivery.message
        try:
            contact = await parts.contacts.of(message.person, message.channel)
            standing = await parts.standings.of(message, now)
        except (ContactsUnavailableError, StandingUnavailableError) as failure:
            _log.warning("delivery.later", delivery=delivery.id, error=type(failure).__name__)
            return None
        if contact is None:
            return _Look(delivery, None, standing)
        known = replace(
            standing,
            zone=standing.zone or contact.zone,
            country=standing.country or contact.country,
            address=self._mac(delivery, contact),
        )
        return _Look(delivery, contact, known)

    def _mac(self, delivery: Delivery, contact: Contact) -> str | None:
        channel = delivery.message.channel
        if channel not in WITH_ADDRESS:
            return None
        return address_mac(self._parts.key, self._parts.tenant, channel, contact.address)

    async def _one(
        self, look: _Look, joining: Mapping[str, Standing], clock: Callable[[], datetime]
    ) -> str:
        store = self._parts.store
        others = {name: each for name, each in joining.items() if name != look.delivery.id}
        found = await store.claim(look.delivery, look.standing, clock(), others)
        if not isinstance(found, Claim):
            if found is not None:
                self._tell(found)
            return found.state.value if found is not None else ""
        result = await self._sent(look, found, clock)
        if result is None:
            return ""
        await self._refuse(look, result, clock())
        after = await store.settle(found.delivery, result, clock(), self._parts.rng)
        if after is None:
            return ""
        self._tell(after)
        return after.state.value

    def _tell(self, delivery: Delivery) -> None:
        _log_of(delivery)
        self._parts.told(delivery)

    async def _refuse(self, look: _Look, result: Result, now: datetime) -> None:
        """Before the delivery is settled, so that it cannot be forgotten."""
        address, message = look.standing.address, look.delivery.message
        if isinstance(result, Refused) and result.address and address is not None:
            await self._parts.store.refuse(
                message.person.tenant, message.channel, address, result.reason, now
            )

    async def _sent(
        self, look: _Look, claim: Claim, clock: Callable[[], datetime]
    ) -> Result | None:
        """None when the lease was lost before anything went out."""
        channel = claim.delivery.message.channel
        adapter = self._parts.channels.get(channel)
        if adapter is None:
            return Refused(Reason.NO_CHANNEL)
        contact = look.contact
        if contact is None:
            if channel in WITH_ADDRESS:
                return Refused(Reason.NO_ADDRESS)
            contact = Contact("")
        try:
            parcel = self._parcel(claim, contact)
        except TemplateError as mistake:
            _log.error("delivery.bad_template", delivery=claim.delivery.id, reason=str(mistake))
            return Refused(Reason.BAD_TEMPLATE)
        if adapter.effect is Effect.ONCE and not await self._parts.store.begin(
            claim.delivery, clock()
        ):
            return None
        return await self._handed_over(adapter, parcel)

    async def _handed_over(self, adapter: ChannelAdapter, parcel: Parcel) -> Result:
        try:
            async with asyncio.timeout(self._parts.policy.send_s):
                return await adapter.send(parcel)
        except TimeoutError:
            return Unsure()

    def _parcel(self, claim: Claim, contact: Contact) -> Parcel:
        """Raises TemplateError."""
        delivery, parts = claim.delivery, self._parts
        unsubscribe = parts.links.unsubscribe(delivery.message)
        looks = Looks(
            parts.policy.base_url, parts.policy.sender, contact.locale, contact.zone, unsubscribe
        )
        text = _text(claim, parts.templates, looks)
        return Parcel(delivery, contact, text, unsubscribe)


def _text(claim: Claim, templates: Templates, looks: Looks) -> Text:
    def fill(delivery: Delivery) -> Text:
        message = delivery.message
        return templates.fill(message.template, message.values, looks)

    if not claim.digest:
        return fill(claim.delivery)
    parts = [fill(each) for each in (claim.delivery, *claim.digest)]
    values: dict[str, Value] = {
        "count": len(parts),
        "items": "\n".join(f"{each.subject} {each.link}".strip() for each in parts),
    }
    return templates.fill(DIGEST, values, looks)


def _groups(due: Sequence[Delivery]) -> list[list[Delivery]]:
    groups: dict[tuple[str, ...], list[Delivery]] = {}
    for each in due:
        message = each.message
        alone = message.on_cap is not OnCap.DIGEST
        key = (each.id,) if alone else (message.person.user, message.channel.value)
        groups.setdefault(key, []).append(each)
    return list(groups.values())


def _log_of(delivery: Delivery) -> None:
    """What nobody knows is for a person to look at: `embark deliveries list --state unknown`."""
    reason = delivery.reason.value if delivery.reason else None
    if delivery.state is State.UNKNOWN:
        _log.warning("delivery.unknown", delivery=delivery.id, reason=reason)
    else:
        _log.info("delivery", delivery=delivery.id, state=delivery.state.value, reason=reason)
