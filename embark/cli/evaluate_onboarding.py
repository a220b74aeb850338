"""`embark eval onboarding`: what the onboarding models do, each beside the plain baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from embark.cli.output import emit, note, out
from embark.layers import ConfigurationError
from evals.onboarding.run import MissingDataError, UnknownSuiteError, names, run
from evals.onboarding.simulator import SEED, Sizes


def onboarding(  # noqa: PLR0913  # the options of a command
    *,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the public sets; only the simulator does without.",
                     exists=True, file_okay=False),
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option(help=f"Only this one: {', '.join(names())}.")
    ] = None,
    users: Annotated[int, typer.Option(min=300, help="People of a simulated log.")] = 5000,
    worlds: Annotated[int, typer.Option(min=1, help="Simulated worlds.")] = 2,
    nulls: Annotated[int, typer.Option(min=1, help="Worlds in which nothing helps.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the simulated worlds.")] = SEED,
    to: Annotated[Path | None, typer.Option("--out", help="File for the figures, JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:  # fmt: skip
    """Fit and score every model on disjoint parts of the public sets, and in simulated worlds."""
    sizes = Sizes(users=(users,), worlds=worlds, nulls=nulls)
    try:
        told = run(data, tuple(suite or ()), sizes, seed, note)
    except (UnknownSuiteError, MissingDataError) as error:
        raise ConfigurationError([str(error)]) from error
    document = {"suites": told}
    if to is not None:
        to.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        note(f"figures: {to}")
    emit(document) if as_json else _show(told)


def _show(told: dict[str, Any]) -> None:
    for name, suite in told.items():
        for part in suite["parts"]:
            title = f"{name}: {part['name']}"
            out.print(f"\n{title}", style="bold", markup=False)
            out.print(part["split"], markup=False)
            if part["seeds"]:
                out.print(f"seeds {', '.join(map(str, part['seeds']))}", markup=False)
            out.print(_table(part))
            _say(part)


def _table(part: dict[str, Any]) -> Table:
    columns = list(dict.fromkeys(key for c in part["contenders"] for key in c["figures"]))
    table = Table("", *columns, box=None)
    for contender in part["contenders"]:
        mark = "* " if contender["ours"] else "  "
        figures = (contender["figures"].get(column) for column in columns)
        table.add_row(mark + contender["name"], *(_value(each) for each in figures))
    return table


def _say(part: dict[str, Any]) -> None:
    for line in part["notes"]:
        out.print(line, markup=False)
    for name, value in part["facts"].items():
        out.print(f"{name}: {_value(value) if isinstance(value, float) else value}", markup=False)
    for contender in part["contenders"]:
        if contender["ours"] and contender["reliability"]:
            bars = (f"{b['chance']:.2f}>{b['share']:.2f}" for b in contender["reliability"])
            out.print(f"reliability of {contender['name']}, said>held: {' '.join(bars)}")


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
