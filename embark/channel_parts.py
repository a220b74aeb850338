"""settings -> the channels, the delivery log, the worker and the desk that finds frictions.

Messages go to the host's people by the host's own mail server and providers; where none is set
only the inbox of the app is used.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import SystemRandom
from urllib.parse import urlsplit

from sqlalchemy import Engine

from api.interventions import Heard
from embark.keys import master_key
from embark.layers import ConfigurationError
from embark.onboarding_database import open_database
from embark.region_parts import pin_of
from embark.settings import Settings
from embark.settings_onboarding import ContactSettings, MailSettings, SmsSettings
from embark.webhook_parts import secrets_of
from onboarding.interventions import (
    Channel,
    ChannelAdapter,
    Contacts,
    Delivery,
    Detectors,
    House,
    Links,
    Looks,
    Signals,
    Standings,
    Templates,
)
from onboarding.interventions.channel import Effect
from onboarding.interventions.detecting import FILE as DETECTORS
from onboarding.interventions.templating import FOLDER
from onboarding.rules import DataFileError, read_data
from onboarding.store.interventions import (
    AgingDeliveries,
    AgingWatches,
    DeliveryStore,
    DoorParts,
    FrictionDesk,
    MessageDoor,
    PersonalDeliveries,
    Rules,
    Worker,
    WorkerParts,
    WorkerPolicy,
)
from onboarding.store.interventions.contacts import Directory, HostContacts, MemoryContacts
from onboarding.store.interventions.helping import nothing_known
from onboarding.store.interventions.in_app import InApp, Push, nowhere
from onboarding.store.interventions.mail import Mail, MailPolicy, Security
from onboarding.store.interventions.posting import Ask, Reply, Request, RequestError
from onboarding.store.interventions.shielding import Shielded
from onboarding.store.interventions.sms import Sms, SmsPolicy
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.store.interventions.watches import SqlWatches
from onboarding.store.interventions.webhook import Webhook
from onboarding.store.interventions.worker import ignored
from onboarding.types import Person
from tools.breaker import Breaker, BreakerPolicy
from tools.http import Outbound, OutboundError, Outgoing, Pin, Reach, anywhere
from tools.webhooks import Secrets, SeenMessages, prepare, signed

SIGNALS = DETECTORS.parent / "signals.yaml"
_KEY = b"embark: links and addresses of messages"


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """Where messages of the channel `webhook` go."""

    url: str
    secrets: Secrets


@dataclass(frozen=True, slots=True)
class MessageSettings:
    """What an installation says about messages; values, no secrets' places. `api_url` is the public
    address of `/v1`, which links to unsubscribe lead to; `base_url` that of the product."""

    base_url: str = "http://localhost"
    api_url: str = "http://localhost/v1"
    sender: str = "Embark"
    house: House = field(default_factory=House)
    mail: MailPolicy | None = None
    sms: SmsPolicy | None = None
    webhook: WebhookPolicy | None = None
    contacts: Directory | None = None
    templates: tuple[Path, ...] = ()  # folders; theirs take the place of ours of the same name
    detectors: Path = DETECTORS
    signals: tuple[Path, ...] = ()  # beside our own
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)  # of each provider
    private_hosts: frozenset[str] = frozenset()
    pin: Pin = anywhere


@dataclass(frozen=True, slots=True)
class Interventions:
    """All over one engine."""

    store: SqlDeliveries
    watches: SqlWatches
    door: MessageDoor
    desk: FrictionDesk
    worker: Worker
    templates: Templates
    links: Links

    @property
    def personal(self) -> PersonalDeliveries:
        return PersonalDeliveries(self.store)

    @property
    def agings(self) -> tuple[AgingDeliveries, AgingWatches]:
        return AgingDeliveries(self.store), AgingWatches(self.watches)


@dataclass(frozen=True, slots=True)
class Texts:
    """What is said, and how things stand when it is about to be."""

    templates: Templates
    standings: Standings
    told: Callable[[Delivery], object] = ignored


@dataclass(frozen=True, slots=True)
class Around:
    """What the rest of the product lends: how things stand with messages, what models say of
    people, and the streams to pages that are open."""

    standings: Standings
    looks: Callable[[Person], Looks] = nothing_known
    push: Push = nowhere


@dataclass(frozen=True, slots=True)
class Channels:
    """How people are reached in this process. `rules` are what the store decides by."""

    adapters: Mapping[Channel, ChannelAdapter]
    contacts: Contacts
    rules: Rules


async def open_channels(chosen: MessageSettings, push: Push, closing: AsyncExitStack) -> Channels:
    """Until `closing` closes."""
    outbound = await closing.enter_async_context(Outbound(reach_of(chosen)))
    ask = partial(asked, outbound)
    adapters = channels_of(chosen, ask, push)
    rules = Rules(house=chosen.house, effects=effects_of(adapters))
    return Channels(adapters, contacts_of(chosen, ask), rules)


def make_worker(
    settings: Settings,
    chosen: MessageSettings,
    channels: Channels,
    store: DeliveryStore,
    texts: Texts,
) -> Worker:
    """What sends, beside a server."""
    return Worker(
        WorkerParts(
            tenant=settings.tenant,
            store=store,
            channels=channels.adapters,
            contacts=channels.contacts,
            standings=texts.standings,
            templates=texts.templates,
            links=links_of(settings, chosen),
            key=key_of(settings),
            rng=SystemRandom(),
            policy=WorkerPolicy(base_url=chosen.base_url, sender=chosen.sender),
            told=texts.told,
        )
    )


def make_door(
    settings: Settings,
    chosen: MessageSettings,
    channels: Channels,
    store: DeliveryStore,
    templates: Templates,
) -> MessageDoor:
    """Inbox, wishes and news."""
    links, key = links_of(settings, chosen), key_of(settings)
    return MessageDoor(
        DoorParts(
            settings.tenant, store, templates, links, channels.contacts, key, now, chosen.base_url
        )
    )


def heard_by(settings: Settings, database: Engine) -> Heard | None:
    """From the section `onboarding.news`; its table is made. Raises ConfigurationError."""
    given = settings.onboarding.news
    if given is None:
        return None
    prepare(database)
    return Heard(secrets_of(given, "onboarding.news"), SeenMessages(database))


async def open_interventions(
    settings: Settings, chosen: MessageSettings, around: Around, closing: AsyncExitStack
) -> Interventions:
    """Messages without the rest of onboarding. Raises ConfigurationError for what files get wrong,
    UnreachableError."""
    database = open_database(settings)
    closing.callback(database.dispose)
    channels = await open_channels(chosen, around.push, closing)
    store, watches = SqlDeliveries(database, channels.rules), SqlWatches(database)
    templates, detectors, signals = _files(chosen)
    texts = Texts(templates, around.standings)
    return Interventions(
        store,
        watches,
        make_door(settings, chosen, channels, store, templates),
        FrictionDesk(detectors, signals, watches, around.looks),
        make_worker(settings, chosen, channels, store, texts),
        templates,
        links_of(settings, chosen),
    )


def key_of(settings: Settings) -> bytes:
    """Of links, and of the hashes of addresses."""
    return hmac.digest(master_key(settings), _KEY, "sha256")


def links_of(settings: Settings, chosen: MessageSettings) -> Links:
    return Links(chosen.api_url, key_of(settings))


def channels_of(
    chosen: MessageSettings, ask: Ask, push: Push = nowhere
) -> Mapping[Channel, ChannelAdapter]:
    """Those that are set up; the app always is."""
    outside: list[ChannelAdapter] = []
    if chosen.mail is not None:
        outside.append(Mail(chosen.mail, now))
    if chosen.sms is not None:
        outside.append(Sms(chosen.sms, ask))
    if chosen.webhook is not None:
        sign = partial(signed, chosen.webhook.secrets)
        outside.append(Webhook(chosen.webhook.url, ask, sign, now))
    shielded = (Shielded(each, Breaker(chosen.breaker, SystemRandom())) for each in outside)
    return {Channel.IN_APP: InApp(push), **{each.channel: each for each in shielded}}


def effects_of(channels: Mapping[Channel, ChannelAdapter]) -> Mapping[Channel, Effect]:
    return {channel: adapter.effect for channel, adapter in channels.items()}


def contacts_of(chosen: MessageSettings, ask: Ask) -> Contacts:
    """Nobody has an address where no directory is set."""
    return MemoryContacts() if chosen.contacts is None else HostContacts(chosen.contacts, ask)


def reach_of(chosen: MessageSettings) -> Reach:
    """What is named in the settings, and nothing else; inside only where that is said."""
    urls = [each.url for each in (chosen.sms, chosen.webhook, chosen.contacts) if each is not None]
    hosts = frozenset(urlsplit(url).hostname or "" for url in urls)
    return Reach(hosts, chosen.private_hosts, chosen.pin)


async def asked(outbound: Outbound, request: Request) -> Reply:
    """The product's one outbound client as channels ask it. Raises RequestError."""
    out = Outgoing(request.method, request.url, request.headers, request.body, request.timeout_s)
    try:
        answer = await outbound.send(out)
    except OutboundError as failure:
        raise RequestError(failure.code, sent=failure.sent) from failure
    return Reply(answer.status, answer.headers, answer.body)


def now() -> datetime:
    return datetime.now(UTC)


def chosen_by(settings: Settings) -> MessageSettings:
    """From the section `onboarding`. Raises ConfigurationError."""
    given = settings.onboarding
    try:
        mail, sms, contacts = _mail(given.mail), _sms(given.sms), _contacts(given.contacts)
    except OSError as failure:
        raise ConfigurationError([f"onboarding: a key cannot be read: {failure}"]) from failure
    hook = given.webhook
    return MessageSettings(
        base_url=given.base_url,
        api_url=given.api_url,
        sender=given.sender,
        house=House(zone=given.zone),
        mail=mail,
        sms=sms,
        webhook=None
        if hook is None
        else WebhookPolicy(hook.url, secrets_of(hook, "onboarding.webhook")),
        contacts=contacts,
        private_hosts=frozenset(given.private_hosts),
        pin=pin_of(settings).check,
    )


def _mail(given: MailSettings | None) -> MailPolicy | None:
    if given is None:
        return None
    return MailPolicy(
        given.host,
        given.port,
        given.sender,
        Security(given.security),
        given.username,
        given.key(),
        given.return_path,
        authorities=given.authorities,
    )


def _sms(given: SmsSettings | None) -> SmsPolicy | None:
    if given is None:
        return None
    return SmsPolicy(given.url, given.key() or "", given.sender, given.keyed, given.tells)


def _contacts(given: ContactSettings | None) -> Directory | None:
    if given is None:
        return None
    return Directory(given.url, given.key() or "", given.timeout_s, given.locale)


def _files(chosen: MessageSettings) -> tuple[Templates, Detectors, Signals]:
    try:
        templates = Templates.load((FOLDER, *chosen.templates))
        detectors = Detectors.read(read_data(chosen.detectors))
        signals = Signals.read(*(read_data(path) for path in (SIGNALS, *chosen.signals)))
    except DataFileError as mistakes:
        raise ConfigurationError(list(mistakes.problems)) from mistakes
    problems = [
        f"{chosen.detectors}: fixes.{name}: {problem}"
        for name, fix in detectors.fixes.items()
        for problem in templates.misfits(fix.template, frozenset(fix.values))
    ]
    if problems:
        raise ConfigurationError(problems)
    return templates, detectors, signals
