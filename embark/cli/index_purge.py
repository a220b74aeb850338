"""`embark index purge`: a fresh build, and nothing left on the disk of what is not in it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from embark.cli.index_view import report_document, show_report
from embark.cli.output import ExitCode, emit, fail, note, settings_of
from embark.cli.progress import watching
from embark.indexing import Choice, open_workshop
from embark.parts import index_folder
from ingest.purging import Purge, PurgeReport
from ingest.sync import Outcome


def purge(
    ctx: typer.Context,
    pages: Annotated[
        list[str] | None, typer.Argument(help="Paths that must be gone; taken out before.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Build everything afresh, delete every older version at once, and look at the bytes."""
    settings = settings_of(ctx)
    folder = index_folder(settings) if settings.index.kind == "edge" else None
    with (
        watching() as progress,
        open_workshop(settings, Choice(), progress) as workshop,
    ):
        purging = Purge(workshop.archive, workshop.sync, lambda: datetime.now(UTC), folder)
        report = purging.run(workshop.feeds, pages or ())
    emit(_document(report)) if as_json else _show(report)
    _end(report, looked=folder is not None)


def _document(report: PurgeReport) -> dict[str, object]:
    return {
        **report_document(report.run),
        "removed": report.removed,
        "in_use": report.in_use,
        "sought": report.sought,
        "left": dict(report.left),
    }


def _show(report: PurgeReport) -> None:
    show_report(report.run)
    sys.stdout.write("".join(f"removed {name}\n" for name in report.removed))


def _end(report: PurgeReport, *, looked: bool) -> None:
    if report.run.outcome is not Outcome.PUBLISHED:
        fail("the gate refused the fresh build; nothing was deleted", "embark index run --full")
        raise typer.Exit(ExitCode.GATE)
    for name in report.in_use:
        fail(f"{name} is still open somewhere", "`embark index status` says where; purge again")
    for name, count in report.left.items():
        fail(f"{name} still holds {count} pieces of what was removed", "purge again")
    if not report.clean:
        raise typer.Exit(ExitCode.LOCKED if report.in_use else ExitCode.FAILED)
    note(
        f"{report.sought} pieces of removed chunks sought in every file, none found"
        if looked
        else "the bytes of a Qdrant server cannot be looked at from here"
    )
    note("conversations keep what was answered; `embark subjects` erases those")
