"""`embark decisions`: list, show and export what was decided."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer

from embark.cli.books import AsJson, To, reading, sink, written
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.settings import Settings
from guardrails.audit import What
from guardrails.decisions import Kind, Page, Recorded, Wanted, exported
from guardrails.decisions.export import line

decisions_app = typer.Typer(
    no_args_is_help=True, help="List, show and export answers, refusals, suggestions and actions."
)
OfKind = Annotated[Kind | None, typer.Option(help="Only of this kind.")]
Subject = Annotated[str | None, typer.Option(help="Only of this person, as the host names them.")]
Since = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")
]


@decisions_app.command("list")
def list_decisions(  # the options of a command
    ctx: typer.Context,
    *,
    kind: OfKind = None,
    subject: Subject = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List decisions, newest first."""
    wanted = _wanted(kind, subject, since)
    page = _page(settings_of(ctx), wanted, limit)
    if as_json:
        emit({"decisions": [_document(row) for row in page.rows]})
        return
    for row in page.rows:
        made = row.decision
        what = f"{made.kind.value:<10} {row.outcome.value:<10} {made.reason or ''}"
        when = made.at.isoformat(timespec="seconds")
        out.print(f"{made.id}  {when}  {what}".rstrip(), markup=False)
    if page.next is not None:
        note("there are more: raise --limit, or `embark decisions export`")
    elif not page.rows:
        note("no decisions that fit")


@decisions_app.command("show")
def show_decision(
    ctx: typer.Context,
    decision_id: Annotated[str, typer.Argument(metavar="ID", help="22 characters.")],
    as_json: AsJson = False,
) -> None:
    """Show one decision: what decided it, on what evidence, and what became of it."""
    found = _one(settings_of(ctx), decision_id)
    if found is None:
        fail(f"there is no decision {decision_id}", "`embark decisions list` shows which there are")
        raise typer.Exit(ExitCode.USAGE)
    document = _document(found)
    if as_json:
        emit({"decision": document})
        return
    for name, value in document.items():
        if value not in (None, [], {}, ""):
            shown = value if isinstance(value, str) else orjson.dumps(value).decode()
            out.print(f"  {name:<15} {shown}", markup=False)


@decisions_app.command("export")
def export_decisions(
    ctx: typer.Context,
    *,
    kind: OfKind = None,
    subject: Subject = None,
    since: Since = None,
    to: To = None,
) -> None:
    """Write decisions as JSON lines, newest first."""
    settings, wanted = settings_of(ctx), _wanted(kind, subject, since)

    async def copied() -> int:
        await reader.note(What.EXPORT_DECISIONS, wanted.subject)
        return await written(exported(reader.books.decisions, settings.tenant, wanted), stream)

    with sink(to) as stream, reading(settings, "decisions export") as reader:
        lines = asyncio.run(copied())
    note(f"{lines} lines")


def _wanted(kind: Kind | None, subject: str | None, since: datetime | None) -> Wanted:
    zoned = None if since is None else since.replace(tzinfo=UTC)
    return Wanted(kind=kind, subject=subject, since=zoned)


def _page(settings: Settings, wanted: Wanted, limit: int) -> Page:
    async def read() -> Page:
        await reader.note(What.READ_DECISIONS, wanted.subject)
        return await reader.books.decisions.query(settings.tenant, wanted, limit=limit)

    with reading(settings, "decisions list") as reader:
        return asyncio.run(read())


def _one(settings: Settings, decision_id: str) -> Recorded | None:
    async def read() -> Recorded | None:
        found = await reader.books.decisions.get(settings.tenant, decision_id)
        if found is not None:
            await reader.note(What.READ_DECISIONS, found.decision.subject)
        return found

    with reading(settings, "decisions show") as reader:
        return asyncio.run(read())


def _document(row: Recorded) -> dict[str, Any]:
    """As the export writes it."""
    document: dict[str, Any] = orjson.loads(line(row))
    return document
