"""`embark eval`: measure the product on questions whose answers are known."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from embark import __version__
from embark.cli.evaluate_injection import injection
from embark.cli.evaluate_onboarding import onboarding
from embark.cli.evaluate_policies import command_over
from embark.cli.evaluate_redaction import redaction
from embark.cli.evaluate_tools import tools
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.cli.progress import watching
from embark.indexing import Choice, open_workshop
from embark.layers import ConfigurationError
from embark.onboarding_policies import open_policies
from embark.parts import encoder_folder
from embark.settings import AnswerSettings, DatabaseSettings, IndexSettings, Settings
from embark.wiring import open_copilot, threshold_of
from evals.answers import SEED, Evaluation, EvaluationError, Options, ask_all
from evals.corpus import Corpus, CorpusError, load_corpus
from evals.gates import ThresholdsError, check
from evals.measure import measure, sample
from evals.product import Judge, Progress, UnderTest
from evals.ragas_metrics import RagasMissingError, ragas_figures
from evals.report import html_report
from ingest import find_rules
from ingest.sync import Outcome, RunOptions

eval_app = typer.Typer(
    no_args_is_help=True, help="Measure the product on questions whose answers are known."
)


@eval_app.callback()
def _group() -> None:
    """Measure the product on questions whose answers are known."""


eval_app.command()(tools)
eval_app.command()(redaction)
eval_app.command()(injection)
eval_app.command()(onboarding)
eval_app.command("policies")(command_over(open_policies))


@eval_app.command()
def answers(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    corpus: Annotated[
        Path, typer.Option(help="Folder with docs/ and questions.", exists=True, file_okay=False)
    ],
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many, drawn.")] = None,
    seed: Annotated[int, typer.Option(help="Of drawing and of intervals.")] = SEED,
    to: Annotated[
        Path | None, typer.Option("--out", help="Folder for figures, report and records.")
    ] = None,
    ragas: Annotated[bool, typer.Option(help="Run the metrics of ragas too.")] = True,
    leave_out: Annotated[
        bool, typer.Option(help="Ask again with the answering pages taken out.")
    ] = True,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit 5 when a threshold is missed.")
    ] = False,
    thresholds: Annotated[
        Path | None, typer.Option(help="Thresholds of --gate.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Index the corpus as the product does, ask its questions, and measure what comes back."""
    with _configuration_errors(), watching() as progress:
        loaded = load_corpus(corpus)
        options = Options(limit, seed, leave_out)
        evaluation, document = asyncio.run(
            _evaluate(settings_of(ctx), loaded, options, progress, ragas=ragas)
        )
        missed = check(document, thresholds) if gate else None
    if missed is not None:
        document["gate"] = [str(one) for one in missed]
    if to is not None:
        _write(to, document, evaluation)
    emit(document) if as_json else _show(document)
    for one in missed or ():
        fail(f"gate: {one}")
    if missed:
        raise typer.Exit(ExitCode.GATE)


async def _evaluate(
    settings: Settings, corpus: Corpus, options: Options, progress: Progress, *, ragas: bool
) -> tuple[Evaluation, dict[str, Any]]:
    async with _opened(settings, corpus, progress) as under:
        evaluation = await ask_all(corpus, under, options, progress)
        judged = (
            await ragas_figures(evaluation, under.encoder, under.judge, progress) if ragas else None
        )
        progress("measuring", 0, None)
        return evaluation, measure(evaluation, under, judged, datetime.now(UTC))


@asynccontextmanager
async def _opened(
    settings: Settings, corpus: Corpus, progress: Progress
) -> AsyncIterator[UnderTest]:
    """The product over a copy of the corpus in a data folder that is gone afterwards."""
    with TemporaryDirectory(prefix="embark-eval-") as folder:
        docs = _copied(corpus, Path(folder) / "corpus")
        mine = _apart(settings, Path(folder) / "data")
        build = partial(_build, mine, docs, progress)
        await asyncio.to_thread(build)
        async with open_copilot(mine, keep=False) as product:
            yield UnderTest(
                copilot=product.copilot,
                retriever=product.finder.retriever,
                library=product.finder.library,
                encoder=product.finder.encoder,
                redactor=product.finder.redactor,
                tenant=mine.tenant,
                threshold=threshold_of(settings),
                docs=docs,
                reindex=build,
                facts=_facts(settings),
                judge=_judge(settings),
            )


def _copied(corpus: Corpus, folder: Path) -> Path:
    """A copy of the pages and of their label rules. Golden questions stay behind: the pages that
    answer them are about to be taken out."""
    docs = folder / "docs"
    shutil.copytree(corpus.docs, docs, ignore=shutil.ignore_patterns("golden.jsonl"))
    rules = find_rules(corpus.docs)
    if rules is not None and rules.parent == corpus.docs.parent:
        shutil.copy(rules, folder / rules.name)
    return docs


def _apart(settings: Settings, data: Path) -> Settings:
    """The same product on data of its own. Its encoder is the converted one that is there already,
    and it answers at any confidence: see `UnderTest`."""
    data.mkdir(mode=0o700)
    converted = encoder_folder(settings).resolve()
    converted.mkdir(mode=0o700, parents=True, exist_ok=True)
    encoder_folder(settings.model_copy(update={"data_dir": data})).symlink_to(converted)
    answer = settings.answer.model_copy(update={"threshold": 0.0})
    return settings.model_copy(
        update={
            "data_dir": data,
            "sources": (),
            "index": IndexSettings(),
            "database": DatabaseSettings(),
            "answer": AnswerSettings.model_validate(answer.model_dump()),
        }
    )


def _build(settings: Settings, docs: Path, progress: Progress) -> None:
    with open_workshop(settings, Choice(docs), progress) as workshop:
        report = workshop.sync.run(workshop.feeds, RunOptions(everything=True, prune=True))
    if report.outcome is Outcome.REFUSED:
        failed = (
            [check.detail for check in report.gate.checks if not check.passed]
            if report.gate
            else []
        )
        raise EvaluationError(f"the index of the corpus was not published: {'; '.join(failed)}")


def _facts(settings: Settings) -> dict[str, object]:
    return {
        "embark": __version__,
        "qdrant-edge-py": version("qdrant-edge-py"),
        "redaction": settings.redaction.engine,
        "model": settings.model.name if settings.model else None,
        "passages": settings.answer.passages,
    }


def _judge(settings: Settings) -> Judge | None:
    model = settings.model
    return None if model is None else Judge(model.base_url, model.name, model.key() or "none")


@contextmanager
def _configuration_errors() -> Iterator[None]:
    """A corpus or threshold file that cannot be used is a fault of configuration."""
    try:
        yield
    except (CorpusError, ThresholdsError, RagasMissingError) as error:
        raise ConfigurationError([str(error)]) from error
    except EvaluationError as error:
        fail(str(error))
        raise typer.Exit(ExitCode.FAILED) from error


def _write(folder: Path, document: dict[str, Any], evaluation: Evaluation) -> None:
    """answers.json, answers.html, and records.jsonl with every question."""
    records = [orjson.dumps(sample(one)) for one in (*evaluation.asked, *evaluation.left_out)]
    contents = {
        "answers.json": orjson.dumps(document, option=orjson.OPT_INDENT_2),
        "answers.html": html_report(document).encode(),
        "records.jsonl": b"\n".join(records) + b"\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror}")
        raise typer.Exit(ExitCode.USAGE) from error
    note(f"report: {folder / 'answers.html'}")


def _show(document: dict[str, Any]) -> None:
    corpus = document["corpus"]
    sys.stdout.write(
        f"{corpus['name']}: {corpus['asked']} questions asked, {corpus['answered']} answered\n"
    )
    for title, rows in _tables(document).items():
        table = Table(title=title, title_justify="left", box=None)
        for column in next(iter(rows), ()):
            table.add_column(column)
        for row in rows[1:]:
            table.add_row(*row)
        out.print(table)


def _tables(document: dict[str, Any]) -> dict[str, list[list[str]]]:
    everything = document["retrieval"].get("all", {})
    auroc = document["refusal"]["auroc"]
    measures = list(next(iter(everything.values()), ()))
    retrieval = [["", *measures]]
    retrieval += [[name, *(_value(of[m]) for m in measures)] for name, of in everything.items()]
    refusal = [["AUROC against", *next(iter(auroc.values()), ())]]
    refusal += [[kind, *(_value(f) for f in of.values())] for kind, of in auroc.items()]
    shares = [["", "value", "of"]]
    for part in ("citations", "wording"):
        shares += [[name, _value(of), str(of["n"])] for name, of in document[part].items()]
    return {"retrieval": retrieval, "refusal": refusal, "answers": shares}


def _value(of: dict[str, Any]) -> str:
    return "-" if of["value"] is None else f"{of['value']:.3f}"
