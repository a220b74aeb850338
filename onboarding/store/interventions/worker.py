"""What is due -> governor -> channel -> what came of it. Any number of processes may do it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final, NamedTuple

import structlog

from guardrails.store import StoreUnavailableError
from onboarding.interventions.channel import (
    ChannelAdapter,
    Contact,
    Contacts,
    Effect,
    Parcel,
    Refused,
    Result,
    Sent,
    Standings,
    Text,
    Unsure,
)
from onboarding.interventions.links import Links
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
from onboarding.store.interventions.looking import Look, Looking
from onboarding.store.interventions.shielding import rest_of
from onboarding.store.interventions.store import Claim, DeliveryStore, Given

_log = structlog.get_logger(__name__)
BLOCK: Final = 200
"""Messages of the app in one transaction."""
DOUBTS: Final = 20
"""Messages that providers are asked about in one visit."""
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


class _Visited(NamedTuple):
    """`more`: there is more to do at once."""

    states: Counter[str]
    more: bool = False


Clock = Callable[[], datetime]


class Worker:
    """One tenant's. Channels do not wait for each other: each has a round of its own."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._looking = Looking(parts.contacts, parts.standings, parts.key)
        self._slots = {each: asyncio.Semaphore(parts.policy.at_once) for each in Channel}
        self._wanted = {each: asyncio.Event() for each in Channel}
        self._stopping = asyncio.Event()

    async def visit(self, now: datetime) -> Mapping[str, int]:
        """Once over everything that is due: how many are in each state now. Raises
        StoreUnavailableError."""
        clock = self._from(now)
        await self._recover(clock)
        visited = await asyncio.gather(*(self._visit(each, clock) for each in Channel))
        return sum((each.states for each in visited), Counter[str]())

    async def serve(self, stop: asyncio.Event, clock: Clock, idle_s: float = 0.5) -> None:
        """Visits until `stop` is set."""

        async def recover() -> bool:
            await self._recover(clock)
            return False

        async with asyncio.TaskGroup() as rounds:
            rounds.create_task(_rounds(recover, stop, self._stopping, idle_s))
            for each in Channel:
                visiting = partial(self._more, each, clock)
                rounds.create_task(_rounds(visiting, stop, self._wanted[each], idle_s))
            await stop.wait()
            self._stopping.set()
            self.wake()

    def wake(self) -> None:
        """Something was planned: no round waits for its time."""
        for wanted in self._wanted.values():
            wanted.set()

    def _from(self, now: datetime) -> Clock:
        timer, started = self._parts.timer, self._parts.timer()
        return lambda: now + timedelta(seconds=timer() - started)

    async def _recover(self, clock: Clock) -> None:
        """What lost workers held, and what may have gone out."""
        parts = self._parts
        for lost in await parts.store.lapse(parts.tenant, clock()):
            _log.warning("delivery.lease_lost", delivery=lost.id, state=lost.state.value)
        doubtful = await parts.store.doubtful(parts.tenant, clock(), DOUBTS)
        await asyncio.gather(*(self._ask(each, clock) for each in doubtful))

    async def _ask(self, delivery: Delivery, clock: Clock) -> None:
        parts = self._parts
        adapter, answer = parts.channels.get(delivery.message.channel), None
        if adapter is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(parts.policy.send_s):
                    answer = await adapter.found(delivery)
        after = await parts.store.resolve(delivery, answer, clock(), parts.rng)
        if after is None:
            return
        if after.state is not State.UNKNOWN:
            self._tell(after)
        elif after.reason is Reason.NEEDS_PERSON:
            _log.warning("delivery.needs_person", delivery=delivery.id)

    async def _more(self, channel: Channel, clock: Clock) -> bool:
        return (await self._visit(channel, self._from(clock()))).more

    async def _visit(self, channel: Channel, clock: Clock) -> _Visited:
        parts = self._parts
        due = await parts.store.due(parts.tenant, clock(), parts.policy.most, channel)
        if not due:
            return _Visited(Counter())
        quick = [each for each in due if self._is_quick(each)]
        slow = await self._unless_away(channel, [e for e in due if not self._is_quick(e)], clock())
        found = await asyncio.gather(
            *(self._hand_over(quick[i : i + BLOCK], clock) for i in range(0, len(quick), BLOCK)),
            *(self._handle(group, clock) for group in _groups(slow)),
        )
        states = Counter(state for states in found for state in states)
        return _Visited(states, more=bool(states) and len(due) == parts.policy.most)

    def _is_quick(self, delivery: Delivery) -> bool:
        """What is handed over by being written is decided on in blocks."""
        message = delivery.message
        adapter = self._parts.channels.get(message.channel)
        inbox = adapter is not None and adapter.effect is Effect.INBOX
        return inbox and message.on_cap is not OnCap.DIGEST

    async def _unless_away(
        self, channel: Channel, due: Sequence[Delivery], now: datetime
    ) -> Sequence[Delivery]:
        """While a provider is left alone what is for it is held, but for what is too late."""
        rest = rest_of(self._parts.channels.get(channel))
        if not rest:
            return due
        held = [each.id for each in due if each.deadline > now]
        if held:
            postponed = await self._parts.store.postpone(self._parts.tenant, held, now + rest, now)
            _log.warning("delivery.provider_away", channel=channel.value, held=postponed)
        return [each for each in due if each.deadline <= now]

    async def _hand_over(self, block: Sequence[Delivery], clock: Clock) -> list[str]:
        parts = self._parts
        looks = await self._looking.all(block, clock())
        written = [self._written(Claim(look.delivery), look.contact) for look in looks]
        given = [
            Given(look.delivery, look.standing, Sent(each.id) if isinstance(each, Parcel) else each)
            for look, each in zip(looks, written, strict=True)
        ]
        after = await parts.store.hand_over(parts.tenant, given, clock(), parts.rng)
        for parcel, each in zip(written, after, strict=True):
            if each is not None:
                self._tell(each)
            if isinstance(parcel, Parcel) and each is not None and each.state is State.SENT:
                await self._handed_over(parts.channels[each.message.channel], parcel)
        return [each.state.value for each in after if each is not None]

    async def _handle(self, group: Sequence[Delivery], clock: Clock) -> list[str]:
        """Those of one digest follow one another; others are alone."""
        channel = group[0].message.channel
        async with self._slots[channel]:
            late = all(each.deadline <= clock() for each in group)
            if rest_of(self._parts.channels.get(channel)) and not late:
                return []  # since this visit began: the next one holds it
            looks = await self._looking.all(group, clock())
            joining = {look.delivery.id: look.standing for look in looks}
            states = [await self._one(look, joining, clock) for look in looks]
        return [state for state in states if state]

    async def _one(self, look: Look, joining: Mapping[str, Standing], clock: Clock) -> str:
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

    async def _refuse(self, look: Look, result: Result, now: datetime) -> None:
        """Before the delivery is settled, so that it cannot be forgotten."""
        address, message = look.standing.address, look.delivery.message
        if isinstance(result, Refused) and result.address and address is not None:
            await self._parts.store.refuse(
                message.person.tenant, message.channel, address, result.reason, now
            )

    async def _sent(self, look: Look, claim: Claim, clock: Clock) -> Result | None:
        """None when the lease was lost before anything went out."""
        adapter = self._parts.channels.get(claim.delivery.message.channel)
        if adapter is None:
            return Refused(Reason.NO_CHANNEL)
        parcel = self._written(claim, look.contact)
        if not isinstance(parcel, Parcel):
            return parcel
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

    def _written(self, claim: Claim, contact: Contact | None) -> Parcel | Refused:
        delivery, parts = claim.delivery, self._parts
        if contact is None:
            if delivery.message.channel in WITH_ADDRESS:
                return Refused(Reason.NO_ADDRESS)
            contact = Contact("")
        unsubscribe = parts.links.unsubscribe(delivery.message)
        looks = Looks(
            parts.policy.base_url, parts.policy.sender, contact.locale, contact.zone, unsubscribe
        )
        try:
            text = _text(claim, parts.templates, looks)
        except TemplateError as mistake:
            _log.error("delivery.bad_template", delivery=delivery.id, reason=str(mistake))
            return Refused(Reason.BAD_TEMPLATE)
        return Parcel(delivery, contact, text, unsubscribe)


async def _rounds(
    visit: Callable[[], Awaitable[bool]], stop: asyncio.Event, wanted: asyncio.Event, idle_s: float
) -> None:
    """Until `stop` is set; without a pause while there is more, or something is wanted."""
    while not stop.is_set():
        wanted.clear()
        more = False
        try:
            more = await visit()
        except StoreUnavailableError:
            _log.warning("delivery.store_away")
        if not more:
            with suppress(TimeoutError):
                await asyncio.wait_for(wanted.wait(), idle_s)


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
