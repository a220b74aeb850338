"""`embark redact`: mask personal data and secrets, as every turn and page is masked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from embark.cli.batch import Question, Record, opened, run_batch
from embark.cli.output import emit, out, settings_of
from embark.parts import make_redactor, open_library
from embark.redaction_parts import open_redactor
from embark.settings import Settings
from guardrails import Redaction

Redact = Callable[[str], Redaction]

AT_ONCE = 1  # redaction is computation alone: nothing to wait for


def redact(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The text to mask.")] = None,
    *,
    batch: Annotated[
        Path | None, typer.Option(help='JSONL of {"id","text"}; "-" is stdin.')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    document: Annotated[
        bool, typer.Option(help="As published docs: examples and role mailboxes stay.")
    ] = False,
) -> None:
    """Mask personal data and secrets as <TYPE>; offsets count Unicode code points."""
    if (text is None) == (batch is None):
        raise typer.BadParameter("give a text, or --batch FILE")
    with ExitStack() as closing:
        mask = _mask(settings_of(ctx), document=document, closing=closing)
        if batch is not None:
            with opened(batch) as file:
                raise typer.Exit(asyncio.run(run_batch(file, _masking(mask), AT_ONCE)))
        redaction = mask(text or "")
    if as_json:
        emit(_document(redaction))
    else:
        out.print(redaction.text, markup=False)


def _mask(settings: Settings, *, document: bool, closing: ExitStack) -> Redact:
    if document:
        return make_redactor(settings).redact_document
    return open_redactor(settings, open_library(settings, closing), closing).redact


def _masking(mask: Redact) -> Callable[[Question], Awaitable[Record]]:
    async def answer(question: Question) -> Record:
        return {"id": question.id, **_document(mask(question.text))}

    return answer


def _document(redaction: Redaction) -> Record:
    return {
        "text": redaction.text,
        "spans": [
            {"start": span.start, "end": span.end, "type": span.type, "score": span.score}
            for span in redaction.spans
        ],
    }
