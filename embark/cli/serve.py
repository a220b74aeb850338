"""`embark serve`: the chat page and the API, until interrupted."""

from __future__ import annotations

import asyncio
import math
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

import typer
import uvicorn
from typing_extensions import override

from api import Acts, Limits, Site, create_app, database_probe, encoder_probe, index_probe
from embark import __version__
from embark.cli.output import ExitCode, fail, note, out, settings_of
from embark.event_parts import make_desk
from embark.guide_parts import make_guides
from embark.hook_parts import hearing
from embark.onboarding_parts import guiding, noted
from embark.periods import periods_of
from embark.records import Tell
from embark.retention_parts import letting_go
from embark.rights import acts_of
from embark.settings import Settings
from embark.token_identity import open_admission
from embark.wiring import Product, open_copilot
from retrieval.types import Scope


def serve(
    ctx: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the chat page in a browser.")
    ] = False,
) -> None:
    """Serve the chat page and the API."""
    settings = settings_of(ctx, {"server.host": host, "server.port": port})
    periods_of(settings)  # raises before anything is opened
    listener = listening_on(settings)
    asyncio.run(run_server(settings, listener, open_page=open_page))


async def run_server(
    settings: Settings, listener: socket.socket, *, open_page: bool, token: str = ""
) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM. Opens the product and closes it again.

    `token` signs whoever opens the page in: it travels in the fragment, which no server sees.
    """

    def listening() -> None:
        address = f"http://{shown(listener)}{f'/#token={token}' if token else ''}"
        out.print(address, markup=False)
        note("the chat page and the API; stop with Ctrl+C")
        if open_page:
            webbrowser.open(address)

    async with (
        open_copilot(settings, keep=True) as product,
        at_work(product),
        acts_of(settings, product) as acts,
        open_admission(settings) as admission,
        letting_go(settings, product),
        hearing(settings, product.hands, acts, admission) as heard,
        guiding(product.onboarding, settings),
    ):
        app = create_app(
            product.copilot,
            product.finder.library,
            site(settings, product),
            limits(settings),
            guided(settings, product, heard),
            admission,
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # paths hold thread ids
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.server.shutdown_grace_s),
        )
        await _Server(config, listening).serve(sockets=[listener])


@asynccontextmanager
async def at_work(product: Product) -> AsyncIterator[None]:
    """The worker of actions beside the block, where this product acts."""
    hands, records = product.hands, product.records
    if hands is None:
        yield
        return
    tell: Tell = product.copilot.notify
    if records is not None:
        tell = records.telling(hands.journal, tell)
    if product.onboarding is not None:
        tell = noted(product.onboarding, hands.journal, tell)
    async with hands.at_work(tell):
        yield


def guided(settings: Settings, product: Product, acts: Acts | None) -> Acts | None:
    """With what onboarding shows, hears and is told. Raises ConfigurationError."""
    onboarding, known = product.onboarding, acts or Acts()
    if onboarding is None:
        return acts
    return replace(
        known,
        guide=onboarding.guidance,
        guides=make_guides(onboarding, product.records, product.hands) if product.records else None,
        profiles=onboarding.engine.profiles,
        messages=onboarding.messages,
        events=make_desk(settings, onboarding.events, known.identify),
    )


def site(settings: Settings, product: Product) -> Site:
    """What the deployment says about itself. Nobody without an identity sees labelled pages,
    unless `server.viewer` grants the label."""
    holds = {name: frozenset(values) for name, values in settings.server.viewer.items()}
    finder = product.finder
    return Site(
        viewer=Scope(settings.tenant, holds),
        suggestions=settings.suggestions,
        allowed_hosts=_hosts(settings),
        allowed_origins=settings.server.allowed_origins,
        version=__version__,
        probes={
            "index": index_probe(finder.library),
            "database": database_probe(product.copilot, settings.tenant),
            "encoder": encoder_probe(finder.encoder),
        },
    )


def limits(settings: Settings) -> Limits:
    """The caps of this server."""
    server = settings.server
    return Limits(
        max_streams=server.max_streams,
        streams_per_client=server.streams_per_client,
        max_body_bytes=server.max_body_bytes,
        max_message_bytes=server.max_message_bytes,
        heartbeat_s=server.heartbeat_s,
        shutdown_grace_s=server.shutdown_grace_s,
    )


class _Server(uvicorn.Server):
    """Says when it listens, and not before."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()


def _hosts(settings: Settings) -> tuple[str, ...]:
    """The configured host names, and the address listened on when it names one."""
    host = settings.server.host
    anywhere = host in {"0.0.0.0", "::", ""}
    return settings.server.allowed_hosts if anywhere else (*settings.server.allowed_hosts, host)


def listening_on(settings: Settings) -> socket.socket:
    """The bound socket. Says so and ends with exit 3 when the address is taken."""
    host, port = settings.server.host, settings.server.port
    try:
        return bound(host, port)
    except OSError as refused:
        fail(f"cannot listen on {host}:{port}: {refused.strerror}", "`--port 0` takes a free port")
        raise typer.Exit(ExitCode.CONFIGURATION) from refused


def bound(host: str, port: int) -> socket.socket:
    """A listening TCP socket; 0 takes a free port. Raises OSError.

    Accepted connections inherit TCP_NODELAY. asyncio sets it on sockets of its own making only;
    without it the first event of a reused connection waits 40 ms for the client's delayed ACK.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listener = socket.create_server((host, port), family=family, backlog=2048)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def shown(listener: socket.socket) -> str:
    """Host and port as a browser on this machine opens them."""
    host, port = listener.getsockname()[:2]
    named = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    return f"[{named}]:{port}" if ":" in named else f"{named}:{port}"
