"""`embark search`: what a question finds, and why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.text import Text

from embark.cli.batch import FILTERABLE, LineError, Question, Record, opened, run_batch
from embark.cli.output import emit, note, out, settings_of
from embark.cli.viewing import narrowed, pairs, passage_line, place, require_index, scope_of
from embark.parts import Finder, open_finder
from retrieval.index import RetrievalError
from retrieval.types import Evidence, Passage, Scope

AT_ONCE = 4  # questions under way in a batch: enough to fill the encoder's micro-batches
SNIPPET = 100  # characters of a passage on one line


def search(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The question.")] = None,
    *,
    batch: Annotated[
        Path | None, typer.Option(help='JSONL of {"id","text"[,"filter"]}; "-" is stdin.')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    explain: Annotated[bool, typer.Option(help="Show the scores and the confidence.")] = False,
    holds: Annotated[
        list[str] | None,
        typer.Option(
            "--as", metavar="FIELD=VALUE", help="See as a user with this label, or as staff."
        ),
    ] = None,
    narrow: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="FIELD=VALUE", help="Only pages with this value."),
    ] = None,
) -> None:
    """Show the passages that a question finds, best first."""
    if (text is None) == (batch is None):
        raise typer.BadParameter("give a question, or --batch FILE")
    settings = settings_of(ctx)
    scope = scope_of(settings, holds, pairs(narrow or (), "--filter", FILTERABLE))
    if batch is not None:
        with opened(batch) as file, open_finder(settings) as finder:
            require_index(finder.library)
            raise typer.Exit(asyncio.run(run_batch(file, _answering(finder, scope), AT_ONCE)))
    with open_finder(settings) as finder:
        started = time.perf_counter()
        evidence = finder.find(text or "", scope)
        took_ms = (time.perf_counter() - started) * 1000
    if as_json:
        emit(_document(evidence, took_ms, explain=explain))
    else:
        _show(evidence, text or "", explain=explain)


def _answering(finder: Finder, scope: Scope) -> Callable[[Question], Awaitable[Record]]:
    """One line of a batch, found in a worker thread so that queries share a micro-batch."""

    async def answer(question: Question) -> Record:
        started = time.perf_counter()
        try:
            evidence = await asyncio.to_thread(
                finder.find, question.text, narrowed(scope, question.narrow)
            )
        except RetrievalError as failure:
            raise LineError(question.id, str(failure)) from failure
        took_ms = (time.perf_counter() - started) * 1000
        return {
            "id": question.id,
            "retrieved": [passage_line(passage) for passage in evidence.retrieved],
            "timings_ms": {"retrieve": round(took_ms, 3), "total": round(took_ms, 3)},
        }

    return answer


def _document(evidence: Evidence, took_ms: float, *, explain: bool) -> dict[str, object]:
    found = [passage_line(passage) for passage in evidence.retrieved]
    document: dict[str, object] = {"retrieved": found, "timings_ms": {"total": round(took_ms, 3)}}
    if explain:
        for line, passage in zip(found, evidence.retrieved, strict=True):
            line |= {
                "title": passage.chunk.title,
                "anchor": passage.chunk.anchor,
                "dense": round(passage.dense, 6),
                "sparse": round(passage.sparse, 6),
            }
        document |= {
            "confidence": round(evidence.confidence, 6),
            "features": dict(evidence.features),
            "index_version": evidence.version,
        }
    return document


def _show(evidence: Evidence, text: str, *, explain: bool) -> None:
    if not evidence.retrieved:
        note("nothing found; `embark index status` shows what is indexed")
        return
    for rank, passage in enumerate(evidence.retrieved, start=1):
        _show_passage(rank, passage, explain=explain)
    if explain:
        out.print(f"\nconfidence {evidence.confidence:.3f}, index {evidence.version}", markup=False)
        for name, value in evidence.features.items():
            out.print(f"  {name} {value:.4g}", markup=False, style="dim")
    else:
        note(f"\nwhy: embark search --explain {quote(text)}\nanswer: embark ask {quote(text)}")


def _show_passage(rank: int, passage: Passage, *, explain: bool) -> None:
    chunk = passage.chunk
    where = place(chunk.path, chunk.anchor)
    heading = " > ".join((chunk.title, *chunk.heading_path))
    out.print(Text.assemble(f"{rank:>2}  ", (where, "cyan"), "  ", (heading, "bold")))
    if explain:
        scores = f"score {passage.score:.3f}, cosine {passage.dense:.3f}, BM25 {passage.sparse:.1f}"
        out.print(f"    {scores}", markup=False)
    snippet = " ".join(chunk.text.split())
    if len(snippet) > SNIPPET:
        snippet = snippet[:SNIPPET].rsplit(" ", 1)[0] + " …"
    out.print(Text(f"    {snippet}", style="dim"))
