"""settings -> where everything that data may go to is, and the guard before every call.

Outgoing are the chat model, the databases, the index server, the host product with its sources of
tools, and the identity providers. Documentation is only read, and carries nothing out.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import httpx2
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from embark.layers import ConfigurationError
from embark.settings import Settings
from guardrails.regions import Place, RegionPin, WrongRegionError
from tools.policy import McpSource, OpenApiSource, PolicyFile

LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
"""As the provider's own client has them: one connection a stream."""


def check_regions(settings: Settings, policy: PolicyFile | None = None) -> None:
    """Raises ConfigurationError that names each place which is not in the region."""
    if problems := pin_of(settings, policy).problems():
        raise ConfigurationError(problems)


def pin_of(settings: Settings, policy: PolicyFile | None = None) -> RegionPin:
    """The guard over every place of these settings, and of the policy file where it is read."""
    places = (*_stores(settings), *_services(settings), *_sources(settings, policy))
    return RegionPin(settings.region, places)


def model_client(pin: RegionPin) -> httpx2.AsyncClient:
    """For a chat model. It follows redirects, each of which is asked for too."""

    async def check(request: httpx2.Request) -> None:
        try:
            pin.check(str(request.url))
        except WrongRegionError as refused:
            raise httpx2.ConnectError(str(refused), request=request) from refused

    return httpx2.AsyncClient(
        follow_redirects=True, limits=LIMITS, event_hooks={"request": [check]}
    )


def pinned(client: httpx.AsyncClient, pin: RegionPin) -> httpx.AsyncClient:
    """The same client, which asks before each request. To whoever called, a place elsewhere is one
    that cannot be reached."""

    async def check(request: httpx.Request) -> None:
        try:
            pin.check(str(request.url))
        except WrongRegionError as refused:
            raise httpx.ConnectError(str(refused), request=request) from refused

    client.event_hooks = {**client.event_hooks, "request": [check]}
    return client


def _stores(settings: Settings) -> Iterator[Place]:
    index, database, journal = settings.index, settings.database, settings.actions
    if index.kind == "server":
        yield Place("the index server", index.url or "", index.region, "index.region")
    for name, url, region, setting in (
        ("the database", database.url, database.region, "database.region"),
        ("the journal's database", journal.url, journal.region, "actions.region"),
    ):
        if url is not None and (host := _database_host(url)):
            yield Place(name, host, region, setting)


def _services(settings: Settings) -> Iterator[Place]:
    model, identity, oidc = settings.model, settings.identity, settings.staff.oidc
    if model is not None:
        yield Place("the chat model", model.base_url, model.region, "model.region")
    if identity is not None and identity.url is not None:
        region = settings.actions.regions.get(identity.target)
        yield Place("the host product", identity.url, region, f"actions.regions.{identity.target}")
    for at, each in enumerate(settings.webhooks):
        yield Place("an endpoint of webhooks", each.url, each.region, f"webhooks[{at}].region")
    if oidc is not None:
        for address in (oidc.issuer, *oidc.hosts, *oidc.private_hosts):
            name = "the identity provider of staff"
            yield Place(name, address, oidc.region, "staff.oidc.region")


def _sources(settings: Settings, policy: PolicyFile | None) -> Iterator[Place]:
    for id, source in policy.policy.sources.items() if policy is not None else ():
        region, setting = settings.actions.regions.get(id), f"actions.regions.{id}"
        for address in _addresses(source, settings.actions.addresses.get(id, "")):
            yield Place(f"the source {id}", address, region, setting)


def _addresses(source: OpenApiSource | McpSource, base: str) -> list[str]:
    """Every authority that a client of the source could talk to; one of its own process has none,
    and is asked for at the start alone."""
    own = source.base_url if isinstance(source, OpenApiSource) else source.url
    found = [*source.hosts, *([base] if base else [own] if own else [])]
    return list(dict.fromkeys(found)) or [""]


def _database_host(url: SecretStr) -> str:
    """Empty for a file."""
    try:
        parsed = make_url(url.get_secret_value())
    except ArgumentError:
        return ""  # said where it is opened
    return f"{parsed.host}:{parsed.port or 5432}" if parsed.host else ""
