"""`embark index`: plan, build, switch, roll back and tidy up the versioned index."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from embark.cli.index_access import PagesArgument, restore, revoke, revoked
from embark.cli.index_purge import purge as purging
from embark.cli.index_view import (
    plan_document,
    report_document,
    show_diff,
    show_plan,
    show_report,
    show_status,
    status_document,
    tell_problems,
)
from embark.cli.output import ExitCode, emit, fail, note, settings_of
from embark.cli.progress import watching
from embark.indexing import Choice, open_archive, open_workshop
from ingest.plans import Plan, TooManyDeletionsError
from ingest.sync import MAX_DELETE_RATIO, Outcome, RunOptions, SyncReport
from ingest.types import IngestError

index_app = typer.Typer(no_args_is_help=True, help="Plan, build, switch and roll back the index.")

for _verb in (revoke, restore, revoked):
    index_app.command()(_verb)

PathArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A folder of docs; all configured sources if not given.", exists=True, file_okay=False
    ),
]
SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="ID", help="Only this source; names PATH.")
]
FullOption = Annotated[
    bool,
    typer.Option("--full/--incremental", help="Read and embed everything again, or what changed."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@index_app.command()
def plan(
    ctx: typer.Context,
    path: PathArgument = None,
    source: SourceOption = None,
    *,
    full: FullOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a run would do: pages, chunks, tokens and time."""
    found = _planned(ctx, Choice(path, source), full=full)
    emit(plan_document(found)) if as_json else show_plan(found)
    if not as_json:
        note("next: embark index run" if _changes(found) else "nothing to do")
    _end(found)


@index_app.command()
def diff(
    ctx: typer.Context,
    path: PathArgument = None,
    source: SourceOption = None,
    *,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 10 on changes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the pages that differ from the current version."""
    found = _planned(ctx, Choice(path, source), full=False)
    emit(plan_document(found)) if as_json else show_diff(found)
    _end(found)
    if exit_code and _changes(found):
        raise typer.Exit(ExitCode.CHANGES)


@index_app.command()
def run(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    path: PathArgument = None,
    source: SourceOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; write nothing.")] = False,
    full: FullOption = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove pages however many.")] = False,
    max_delete_ratio: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of pages to remove unasked.")
    ] = MAX_DELETE_RATIO,
    as_json: JsonOption = False,
) -> None:
    """Bring the index up to the docs: build a version, check it, switch to it."""
    choice = Choice(path, source)
    options = RunOptions(
        full=full,
        everything=choice.everything,
        prune=prune,
        max_delete_ratio=max_delete_ratio,
        dry_run=dry_run,
    )
    with (
        _ingest_errors(),
        watching() as progress,
        open_workshop(settings_of(ctx), choice, progress) as workshop,
    ):
        try:
            report = workshop.sync.run(workshop.feeds, options)
        except TooManyDeletionsError as stopped:
            if as_json:
                emit({"outcome": "stopped", "plan": plan_document(stopped.plan)})
            raise
    emit(report_document(report)) if as_json else show_report(report)
    _finish(report)


@index_app.command()
def status(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show the versions, which is current, and who has them open."""
    with open_archive(settings_of(ctx)) as archive:
        found = archive.status()
    now = datetime.now(UTC)
    if as_json:
        emit(status_document(found, now))
        return
    show_status(found, now)
    if found.current is None:
        note("nothing is indexed yet; next: embark index run PATH")


@index_app.command()
def rollback(
    ctx: typer.Context,
    to: Annotated[str | None, typer.Option(metavar="VERSION", help="Not just one back.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Return to the version before the current one."""
    with open_archive(settings_of(ctx)) as archive, archive.writing():
        version = archive.rollback(to, datetime.now(UTC))
    if as_json:
        emit({"current": version})
    else:
        sys.stdout.write(f"{version}\n")
        note("running servers follow with their next question; next: embark index status")


@index_app.command()
def gc(
    ctx: typer.Context,
    keep: Annotated[int | None, typer.Option(min=1, help="Versions to leave.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Delete old versions; never the current one, its predecessor, or one that is in use."""
    settings = settings_of(ctx)
    with open_archive(settings) as archive, archive.writing():
        done = archive.gc(keep or settings.index.keep, datetime.now(UTC))
    if as_json:
        emit({"removed": done.removed, "in_use": done.in_use})
        return
    sys.stdout.write("".join(f"removed {name}\n" for name in done.removed))
    for name in done.in_use:
        note(f"{name} is in use and stays")
    if not done.removed:
        note("nothing to remove")


@index_app.command()
def purge(
    ctx: typer.Context,
    pages: PagesArgument = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Build everything afresh, delete every older version at once, and look at the bytes."""
    with _ingest_errors():
        purging(ctx, pages, as_json=as_json)


def _planned(ctx: typer.Context, choice: Choice, *, full: bool) -> Plan:
    options = RunOptions(full=full, everything=choice.everything)
    with (
        _ingest_errors(),
        watching() as progress,
        open_workshop(settings_of(ctx), choice, progress) as workshop,
    ):
        return workshop.sync.plan(workshop.feeds, options)


def _changes(found: Plan) -> bool:
    return bool(found.put or found.drop)


def _end(found: Plan) -> None:
    tell_problems(found.problems)
    if found.failed:
        raise typer.Exit(ExitCode.FAILED)


def _finish(report: SyncReport) -> None:
    tell_problems(report.plan.problems)
    if report.gate is not None and not report.gate.passed:
        for check in report.gate.checks:
            if not check.passed:
                fail(f"gate: {check.name}: {check.detail}")
        fail(
            "the new version was not published; the one before stays current",
            "`embark index status --json` keeps the report",
        )
        raise typer.Exit(ExitCode.GATE)
    if report.plan.failed:
        raise typer.Exit(ExitCode.FAILED)
    if report.outcome is Outcome.PUBLISHED:
        note('next: embark ask "a question that your docs answer"')


@contextmanager
def _ingest_errors() -> Iterator[None]:
    """Faults of sources, rules and golden questions are faults of configuration."""
    try:
        yield
    except TooManyDeletionsError as error:
        fail(str(error))
        raise typer.Exit(ExitCode.GATE) from error
    except IngestError as error:
        fail(str(error))
        raise typer.Exit(ExitCode.CONFIGURATION) from error
    except OSError as error:
        fail(f"the index cannot be written: {error}", "the version before stays current")
        raise typer.Exit(ExitCode.FAILED) from error
