"""`embark demo`: from a folder of docs to an open chat page in one command."""

from __future__ import annotations

import asyncio
import socket
from secrets import token_urlsafe
from typing import Annotated

import typer
from pydantic import SecretStr

from embark.cli import index
from embark.cli.host import host_product
from embark.cli.output import ExitCode, note, settings_of
from embark.cli.serve import bound, run_server, shown
from embark.parts import encoder_is_converted
from embark.settings import Settings


def demo(
    ctx: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(help="Port; a free one where the configured one is taken.")
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the chat page in a browser.")
    ] = True,
) -> None:
    """Index the docs where they changed, serve them and open the chat page."""
    settings = settings_of(ctx, {"server.port": port})
    if not encoder_is_converted(settings):
        note("the first time prepares the encoder: about half a minute")
    _bring_index_up(ctx)
    settings = with_write_key(settings)
    listener = _listen(settings)
    with host_product(settings, f"http://{shown(listener)}") as token:
        asyncio.run(run_server(settings, listener, open_page=open_page, token=token))


def with_write_key(settings: Settings) -> Settings:
    """One for as long as the demo runs, where none is set."""
    onboarding = settings.onboarding
    if onboarding.events.key():
        return settings
    events = onboarding.events.model_copy(update={"api_key": SecretStr(token_urlsafe(24))})
    onboarding = onboarding.model_copy(update={"events": events})
    return settings.model_copy(update={"onboarding": onboarding})


def _bring_index_up(ctx: typer.Context) -> None:
    """As `embark index run`; a broken page is reported and does not stop the demo."""
    try:
        index.run(ctx)
    except typer.Exit as ended:
        if ended.exit_code != ExitCode.FAILED:
            raise


def _listen(settings: Settings) -> socket.socket:
    host = settings.server.host
    try:
        return bound(host, settings.server.port)
    except OSError:
        return bound(host, 0)
