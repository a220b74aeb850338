"""`embark eval tools`: whether what people say comes to the right tool with the right arguments."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from agent.acting.typed import TypedPlanner
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.layers import ConfigurationError
from embark.parts import open_encoder
from embark.redaction_parts import allow_terms_of, open_redactor
from embark.settings import Settings
from embark.tool_parts import flows_of, kits_of, open_tools
from evals.gates import ThresholdsError, check
from evals.suites.tools import CasesError, load_cases
from evals.suites.tools_catalogue import TOOLS, dump_catalogue, load_catalogue
from evals.suites.tools_running import Bench
from evals.suites.tools_scoring import measured
from tools.flows import flow_manifests
from tools.held_memory import MemoryHeldValues
from tools.types import Manifest
from tools.vault_memory import MemoryVault

_FIGURES = ("tool", "tool_and_arguments", "asks_right", "false_action", "pass^1")


def tools(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Option(help="Folder with utterances.jsonl.", exists=True, file_okay=False)
    ],
    *,
    catalogue: Annotated[
        Path | None,
        typer.Option(help="Tools as a file; else tools.json of the folder, else those configured."),
    ] = None,
    keep_catalogue: Annotated[
        Path | None, typer.Option(help="Write the configured tools to this file and end.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="File for the figures, JSON.")] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="Exit 5 when one is missed.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Put utterances to the planner: tool and arguments, with and without tools of others."""
    settings = settings_of(ctx)
    if keep_catalogue is not None:
        keep_catalogue.write_bytes(dump_catalogue(asyncio.run(configured(settings))))
        note(f"catalogue: {keep_catalogue}")
        return
    try:
        document = asyncio.run(_measured(settings, data, catalogue))
        missed = check(document, thresholds) if thresholds else []
    except (CasesError, ThresholdsError) as error:
        raise ConfigurationError([str(error)]) from error
    if to is not None:
        to.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        note(f"figures: {to}")
    emit(document) if as_json else _show(document)
    for one in missed:
        fail(f"gate: {one}")
    if missed:
        raise typer.Exit(ExitCode.GATE)


async def _measured(settings: Settings, data: Path, catalogue: Path | None) -> dict[str, Any]:
    cases = load_cases(data)
    file = catalogue or (data / TOOLS if (data / TOOLS).exists() else None)
    there = load_catalogue(file) if file else await configured(settings)
    encoder = open_encoder(settings)
    held = MemoryHeldValues(MemoryVault())
    with ExitStack() as closing:
        redactor = open_redactor(settings, None, closing)
        allow_terms_of(redactor, there)
        bench = Bench(TypedPlanner(encoder), held, redactor)
        return await measured(cases, there, bench, encoder)


async def configured(settings: Settings) -> tuple[Manifest, ...]:
    """Tools and flows of the settings. Raises ConfigurationError, UnreachableError."""
    async with open_tools(settings) as opened:
        manifests = opened.registry.manifests()
    flows = flows_of(settings)
    return (*manifests, *flow_manifests(flows, kits_of(settings, flows)))


def _show(document: dict[str, Any]) -> None:
    note(
        f"{document['planner']}: {document['cases']} cases, {document['tools']} tools,"
        f" {document['distractors']} distractors"
    )
    table = Table(box=None)
    for column in ("", *_FIGURES, "pass^4", "BM25 tool", "encoder tool"):
        table.add_column(column)
    for name in ("catalogue", "with_distractors"):
        figures, plain = document[name], document["baselines"][name]
        own = [_value(figures.get(key)) for key in (*_FIGURES, "pass^4")]
        table.add_row(name, *own, _value(plain["bm25"]["tool"]), _value(plain["encoder"]["tool"]))
    out.print(table)
    for title in ("per_tool", "per_tag"):
        table = Table("", "n", "tool", "whole", title=title, title_justify="left", box=None)
        for name, of in document[title].items():
            table.add_row(name, str(of["n"]), f"{of['tool']:.2f}", f"{of['whole']:.2f}")
        out.print(table)


def _value(of: dict[str, Any] | None) -> str:
    return "-" if of is None or of["value"] is None else f"{of['value']:.3f}"
