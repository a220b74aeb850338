"""`embark openapi`: the document that describes the server's HTTP surface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api import create_app
from embark.cli.output import ExitCode, fail, settings_of
from embark.cli.serve import limits, site
from embark.wiring import open_blank


def openapi(
    ctx: typer.Context,
    to: Annotated[Path | None, typer.Option(help="File to write; stdout if not given.")] = None,
) -> None:
    """Print the OpenAPI 3.1 document, keys sorted, so that two versions can be compared."""
    settings = settings_of(ctx)
    with open_blank(settings) as blank:
        parts = (blank.copilot, blank.finder.library, site(settings, blank), limits(settings))
        described = create_app(*parts).openapi()
    text = json.dumps(described, indent=2, sort_keys=True, ensure_ascii=False)
    if to is None:
        typer.echo(text)
        return
    try:
        to.write_text(text + "\n", encoding="utf-8")
    except OSError as failure:
        fail(f"{to} cannot be written: {failure.strerror}")
        raise typer.Exit(ExitCode.USAGE) from failure
