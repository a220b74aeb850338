"""`embark ask`: an answer with its sources, or a refusal in plain words."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from agent import Answer, Ask, BadAskError, Copilot, Refusal
from agent.types import MessageDelta, MessageFinished, RunFailed
from embark.cli.batch import LineError, Question, Record, opened, run_batch
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.cli.viewing import narrowed, passage_line, place, require_index, scope_of
from embark.settings import Settings
from embark.wiring import Product, open_copilot
from retrieval.index import IndexUnavailableError, RetrievalError
from retrieval.types import Scope

AT_ONCE = 4  # questions under way in a batch: enough to fill the encoder's micro-batches


def ask(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The question.")] = None,
    *,
    batch: Annotated[
        Path | None, typer.Option(help='JSONL of {"id","text"[,"filter"]}; "-" is stdin.')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    holds: Annotated[
        list[str] | None,
        typer.Option(
            "--as", metavar="FIELD=VALUE", help="See as a user with this label, or as staff."
        ),
    ] = None,
) -> None:
    """Answer a question from the docs; every sentence names the passage that proves it."""
    if (text is None) == (batch is None):
        raise typer.BadParameter("give a question, or --batch FILE")
    settings = settings_of(ctx)
    scope = scope_of(settings, holds)
    if batch is not None:
        raise typer.Exit(asyncio.run(_answer_all(settings, batch, scope)))
    asyncio.run(_answer_one(settings, text or "", scope, as_json=as_json))


async def _answer_all(settings: Settings, batch: Path, scope: Scope) -> ExitCode:
    with opened(batch) as file:
        async with open_copilot(settings, keep=False) as product:
            require_index(product.finder.library)
            return await run_batch(file, _answering(product, scope), AT_ONCE)


def _answering(product: Product, scope: Scope) -> Callable[[Question], Awaitable[Record]]:
    async def answer(question: Question) -> Record:
        seen = narrowed(scope, question.narrow)
        try:
            given = document(await product.copilot.answer(question.text, seen))
            if not given["retrieved"]:  # a turn that is no question was not looked up
                evidence = await asyncio.to_thread(product.finder.find, question.text, seen)
                given["retrieved"] = [passage_line(passage) for passage in evidence.retrieved]
        except (RetrievalError, BadAskError) as failure:
            raise LineError(question.id, str(failure)) from failure
        return {"id": question.id, **given}

    return answer


async def _answer_one(settings: Settings, text: str, scope: Scope, *, as_json: bool) -> None:
    async with open_copilot(settings, keep=False) as product:
        require_index(product.finder.library)
        if as_json:
            emit(document(await product.copilot.answer(text, scope)))
            return
        _sources(await _stream(product.copilot, text, scope), text)


async def _stream(copilot: Copilot, text: str, scope: Scope) -> Answer:
    """Print the answer as it is verified."""
    request = Ask(scope.tenant, "terminal", "run", "question", text, scope)
    async for numbered in copilot.ask(request):
        match numbered.event:
            case MessageDelta(text=delta):
                sys.stdout.write(delta)
                sys.stdout.flush()
            case MessageFinished(answer=answer):
                sys.stdout.write("\n")
                return answer
            case RunFailed(message=message):
                raise IndexUnavailableError(message)
            case _:
                continue
    raise RuntimeError("the run ended without an answer")


def _sources(answer: Answer, text: str) -> None:
    if answer.refused:
        note(f"\nlooked at: embark search --explain {quote(text)}")
        if answer.reason is Refusal.UPSTREAM:
            fail("the index or the model did not answer", "`embark doctor` shows what is wrong")
            raise typer.Exit(ExitCode.UNREACHABLE)
        return
    out.print()
    for citation in answer.citations:
        where = place(citation.path, citation.anchor)
        out.print(f"[{citation.marker}] {citation.title}  {where}", markup=False, style="dim")
    note(f"\nwhy these pages: embark search --explain {quote(text)}")


def document(answer: Answer) -> dict[str, object]:
    """The keys of `ask --batch`, `id` aside, in the order of the contract."""
    return {
        "answer": answer.text,
        "refused": answer.refused,
        "reason": answer.reason.value if answer.reason else None,
        "confidence": round(answer.confidence, 6),
        "citations": [
            {
                "marker": citation.marker,
                "chunk_id": citation.chunk_id,
                "path": citation.path,
                "title": citation.title,
                "anchor": citation.anchor,
                "quote": citation.quote,
            }
            for citation in answer.citations
        ],
        "retrieved": [
            {"chunk_id": seen.chunk_id, "path": seen.path, "score": round(seen.score, 6)}
            for seen in answer.retrieved
        ],
        "timings_ms": {name: round(ms, 3) for name, ms in answer.timings_ms.items()},
    }
