"""settings -> whom we tell what happened, and with which secrets."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import SystemRandom
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Engine

from embark.layers import ConfigurationError
from embark.records import Tell
from embark.region_parts import pin_of
from embark.sections import WithSecrets
from embark.settings import Settings
from embark.settings_people import WebhookSettings
from tools.http import Outbound, Reach
from tools.journal import Journal, OutboxRow, UnknownActionError
from tools.webhooks import (
    Deliveries,
    Endpoint,
    SecretError,
    Secrets,
    Sender,
    SenderParts,
    is_told,
    of_action,
    prepare,
    read_secrets,
)

_log = structlog.get_logger(__name__)


async def open_sender(settings: Settings, engine: Engine, closing: AsyncExitStack) -> Sender:
    """Over the journal's database; it reaches the endpoints and nothing else. Raises
    ConfigurationError."""
    endpoints = [_endpoint(each, at) for at, each in enumerate(settings.webhooks)]
    prepare(engine)
    outbound = await closing.enter_async_context(Outbound(reach_of(settings)))
    return Sender(endpoints, SenderParts(Deliveries(engine), outbound.send, _now, SystemRandom()))


def reach_of(settings: Settings) -> Reach:
    """Inside only where `actions.private_hosts` allows it."""
    parts = [urlsplit(each.url) for each in settings.webhooks]
    return Reach(
        frozenset(part.hostname or "" for part in parts),
        frozenset(settings.actions.private_hosts),
        pin_of(settings).check,
    )


def telling(sender: Sender, journal: Journal, tell: Tell) -> Tell:
    """`tell`, after what the row says was put down for those who want to hear of it."""

    async def told(row: OutboxRow) -> float | None:
        if is_told(row):
            try:
                await sender.tell(of_action(row, await journal.action(row.tenant, row.action_id)))
            except UnknownActionError:
                _log.info("webhook.action_gone", action=row.action_id)
        return await tell(row)

    return told


def _endpoint(each: WebhookSettings, at: int) -> Endpoint:
    return Endpoint(each.url, secrets_of(each, f"webhooks[{at}]"), frozenset(each.events))


def secrets_of(section: WithSecrets, where: str) -> Secrets:
    """Raises ConfigurationError that does not repeat them."""
    try:
        return read_secrets(section.secrets())
    except SecretError as failure:
        raise ConfigurationError([f"{where}: {failure}"]) from failure
    except (OSError, UnicodeDecodeError) as failure:
        raise ConfigurationError([f"{where}.secrets_file: cannot be read as text"]) from failure


def _now() -> datetime:
    return datetime.now(UTC)
