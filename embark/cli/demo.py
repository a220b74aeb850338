"""`embark demo`: from a folder of docs to an open chat page in one command."""

from __future__ import annotations

import asyncio
import socket
from typing import Annotated

import typer

from embark.cli import index
from embark.cli.host import host_product
from embark.cli.output import ExitCode, note, settings_of
from embark.cli.serve import bound, run_server
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
    with host_product(settings) as token:
        serving = run_server(settings, _listen(settings), open_page=open_page, token=token)
        asyncio.run(serving)


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
