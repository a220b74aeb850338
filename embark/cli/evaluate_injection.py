"""`embark eval injection`: hostile and harmless prompts, said by users and planted in pages."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from agent.acting.typed import TypedPlanner
from agent.answerers.extractive import ExtractiveAnswerer
from embark.cli.evaluate_tools import configured
from embark.cli.output import emit, note, out, settings_of
from embark.layers import ConfigurationError
from embark.parts import open_encoder
from embark.redaction_parts import allow_terms_of, open_redactor
from embark.settings import Settings
from evals.answers import SEED
from evals.injection import InjectionDataError, direct, indirect, load_contexts, load_prompts
from evals.measure import plain
from evals.suites.tools_catalogue import load_catalogue
from evals.suites.tools_running import Bench
from tools.held_memory import MemoryHeldValues
from tools.vault_memory import MemoryVault


def injection(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Option(help="Folder of the public sets.", exists=True, file_okay=False)
    ],
    *,
    catalogue: Annotated[
        Path | None, typer.Option(help="Tools as a file; else those configured.", exists=True)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the intervals.")] = SEED,
    to: Annotated[Path | None, typer.Option("--out", help="File for the figures, JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """How many prompts start a tool of yours, and how many planted requests are shown."""
    try:
        document = asyncio.run(_measured(settings_of(ctx), data, catalogue, seed))
    except InjectionDataError as error:
        raise ConfigurationError([str(error)]) from error
    if to is not None:
        to.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        note(f"figures: {to}")
    emit(document) if as_json else _show(document)


async def _measured(
    settings: Settings, data: Path, catalogue: Path | None, seed: int
) -> dict[str, Any]:
    prompts, contexts = load_prompts(data), load_contexts(data)
    tools = load_catalogue(catalogue) if catalogue else await configured(settings)
    encoder = open_encoder(settings)
    with ExitStack() as closing:
        redactor = open_redactor(settings, None, closing)
        allow_terms_of(redactor, tools)
        bench = Bench(TypedPlanner(encoder), MemoryHeldValues(MemoryVault()), redactor)
        return {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "tools": len(tools),
            "direct": plain(await direct(prompts, tools, bench, seed)),
            "indirect": plain(
                await indirect(contexts, ExtractiveAnswerer(encoder), redactor, seed)
            ),
        }


def _show(document: dict[str, Any]) -> None:
    table = Table("said by a user", "n", "start a tool", "turned away", box=None)
    for kind, of in document["direct"].items():
        table.add_row(kind, str(of["n"]), *(_value(of[key]) for key in ("starts", "turned_away")))
    out.print(table)
    table = Table("as a page", "n", "show the request", "hold the answer", box=None)
    for kind, of in document["indirect"].items():
        keys = ("shows_the_attack", "holds_the_answer")
        table.add_row(kind, str(of["n"]), *(_value(of[key]) for key in keys))
    out.print(table)


def _value(of: dict[str, Any]) -> str:
    return "-" if of["value"] is None else f"{of['value']:.3f} ({of['low']:.3f}-{of['high']:.3f})"
