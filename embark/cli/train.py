"""`embark train`: fit the models that are fitted here, on the development data."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from embark.cli.output import emit, note, out
from embark.layers import ConfigurationError
from guardrails.names.corpus import CorpusError
from guardrails.names.prose import read_corpus

train_app = typer.Typer(no_args_is_help=True, help="Fit models on the development data.")


@train_app.callback()
def _group() -> None:
    """Fit models on the development data."""


@train_app.command()
def ner(
    data: Annotated[
        Path, typer.Option(help="Folder of the public sets.", exists=True, file_okay=False)
    ],
    *,
    to: Annotated[Path, typer.Option("--out", help="Folder to write the model to.")] = Path(
        "names"
    ),
    docs: Annotated[
        list[Path] | None,
        typer.Option(help="More pages whose product terms are no names.", exists=True),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and drawn names.")] = 7,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Fit the network that finds people, places and companies; score it on the test part."""
    fitting = import_module("evals.fit_names")  # torch: seconds
    plan = fitting.Plan(epochs=epochs)
    try:
        corpus = read_corpus(data, docs or (), addresses=plan.addresses)
    except CorpusError as error:
        raise ConfigurationError([str(error)]) from error
    fitted = fitting.train(corpus, plan, seed, _progress)
    file = fitting.write(fitted, to)
    note(f"model: {file}, {file.stat().st_size / 2**20:.1f} MB")
    emit({"out": str(file), **fitted.meta}) if as_json else _show(fitted.meta["test"])


def _progress(epoch: int, loss: float, figures: Mapping[str, float]) -> None:
    told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    note(f"epoch {epoch}: loss {loss:.3f}; selection: {told}")


def _show(test: dict[str, Any]) -> None:
    table = Table("test part", "n", "precision", "recall", "F1", box=None)
    for source, ways in test.items():
        if source == "prose":
            table.add_row("prose left whole", "", "", f"{ways:.3f}", "")
            continue
        for way, scores in ways.items():
            for type, of in scores.items():
                figures = (f"{of[name]:.3f}" for name in ("precision", "recall", "f1"))
                table.add_row(f"{source} {type} {way}", str(of["n"]), *figures)
    out.print(table)
