"""`embark eval redaction`: what is masked, how surely, how fast, beside Presidio's own patterns."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.layers import ConfigurationError
from embark.redaction_parts import open_names
from embark.settings import Settings
from evals.answers import SEED
from evals.gates import ThresholdsError, check
from evals.redaction import Contender
from evals.redaction_attacks import COUNT
from evals.redaction_run import Options, measured
from guardrails.names.corpus import CorpusError
from guardrails.names.redactor import NameRedactor
from guardrails.patterns import PatternRedactor
from guardrails.types import Redactor
from retrieval.encoding.errors import EncoderError
from retrieval.name_tagger import shipped, told_of


def redaction(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Option(help="Folder of the public sets.", exists=True, file_okay=False)
    ],
    *,
    model: Annotated[
        Path | None, typer.Option(help="File of another model than the shipped one.", exists=True)
    ] = None,
    docs: Annotated[
        list[Path] | None, typer.Option(help="More pages without names.", exists=True)
    ] = None,
    texts: Annotated[int, typer.Option("--attacks", min=8, help="Adversarial texts.")] = COUNT,
    seed: Annotated[int, typer.Option(help="Of drawing and of intervals.")] = SEED,
    to: Annotated[Path | None, typer.Option("--out", help="File for the figures, JSON.")] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="Exit 5 when one is missed.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Mask labelled sentences and adversarial texts: with names, without, and as Presidio does."""
    try:
        document = _measured(settings_of(ctx), model, data, tuple(docs or ()), texts, seed)
        missed = check(document, thresholds) if thresholds else []
    except (CorpusError, EncoderError, ThresholdsError) as error:
        raise ConfigurationError([str(error)]) from error
    if to is not None:
        to.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        note(f"figures: {to}")
    emit(document) if as_json else _show(document)
    for one in missed:
        fail(f"gate: {one}")
    if missed:
        raise typer.Exit(ExitCode.GATE)


def _measured(  # the options of a command
    settings: Settings,
    model: Path | None,
    data: Path,
    docs: tuple[Path, ...],
    texts: int,
    seed: int,
) -> dict[str, Any]:
    told = told_of(model) if model else shipped()
    options = Options(docs, texts, told["plan"]["addresses"], seed)
    stock = import_module("guardrails.names.stock").StockPatterns()  # four seconds, 400 MB
    with ExitStack() as closing:
        pool = open_names(settings, closing, model)
        pool.wait(30)
        contenders = (
            _ours("with names", NameRedactor(pool)),
            _ours("patterns", PatternRedactor()),
            Contender("presidio patterns", stock.find, stock.mask),
        )
        document = measured(contenders, data, options, datetime.now(UTC), note)
    return {"model": {"data": told["data"], "seed": told["seed"]}, **document}


def _ours(name: str, redactor: Redactor) -> Contender:
    return Contender(
        name, lambda text: redactor.redact(text).spans, lambda text: redactor.redact(text).text
    )


def _show(document: dict[str, Any]) -> None:
    for name, contenders in document["accuracy"].items():
        columns = ("n", "precision", "recall", "F1", "strict F1", "masked")
        table = Table("", "", *columns, title=name, title_justify="left", box=None)
        for contender, entities in contenders.items():
            for entity, of in entities.items():
                loose = of["overlap"]
                told = (loose["precision"], loose["recall"], loose["f1"], of["strict"]["f1"])
                table.add_row(
                    contender, entity, str(of["n"]), *map(_value, told), _value(of["masked"])
                )
        out.print(table)
    out.print(_speed(document))


def _speed(document: dict[str, Any]) -> Table:
    table = Table(
        "", "p50 / p99 ms: 50", "500", "5000 tokens", "attacks: p99", "worst", "leaks",
        "prose whole",
        title="speed, attacks, prose", title_justify="left", box=None,
    )  # fmt: skip
    for name, lengths in document["latency_ms"].items():
        under = document["attacks"][name]
        leaks = ", ".join(f"{kind} {count}" for kind, count in under["leaks"].items())
        table.add_row(
            name,
            *(f"{of['p50']:.1f} / {of['p99']:.1f}" for of in lengths.values()),
            f"{under['p99']:.0f}",
            f"{under['worst']:.0f}",
            leaks,
            _value(document["prose_left_whole"][name]),
        )
    return table


def _value(of: dict[str, Any] | float | None) -> str:
    value = of["value"] if isinstance(of, dict) else of
    return "-" if value is None else f"{value:.3f}"
