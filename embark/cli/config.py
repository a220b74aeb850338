"""`embark config show`: every setting, its value and where it comes from."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from embark.cli.output import emit, load, note

config_app = typer.Typer(no_args_is_help=True, help="Show every setting and where it comes from.")


@config_app.callback()
def config() -> None:
    """Show every setting and where it comes from."""


@config_app.command()
def show(
    ctx: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help="Add where each value is set.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Print the settings in force; secrets are masked."""
    loaded = load(ctx)
    values = list(loaded.values())
    if as_json:
        emit(
            {
                "file": str(loaded.file) if loaded.file else None,
                "settings": [
                    {"key": v.key, "value": v.value, **({"origin": v.origin} if origin else {})}
                    for v in values
                ],
            }
        )
        return
    for v in values:
        sys.stdout.write(f"{v.key} = {_shown(v.value)}{f'  # {v.origin}' if origin else ''}\n")
    if loaded.file is None:
        note("no embark.toml found; `embark init` writes one")


def _shown(value: object) -> str:
    return "(not set)" if value is None else json.dumps(value, ensure_ascii=False)
