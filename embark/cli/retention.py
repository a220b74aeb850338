"""`embark retention`: for how long things are kept, what is due, and of whom nothing may go."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from embark.cli.books import OPERATOR, AsJson, reading
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.periods import periods_of
from embark.records import now
from embark.retention_parts import open_sweeper
from embark.settings import Settings
from guardrails.audit import What
from guardrails.retention import Hold

retention_app = typer.Typer(
    no_args_is_help=True, help="Show periods, let go what is over them, hold people's data."
)
Subject = Annotated[str, typer.Argument(help="Id of the person, as the host names them.")]


@retention_app.command("show")
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show for how many days things are kept, and the legal holds."""
    settings = settings_of(ctx)
    days, holds = periods_of(settings), _holds(settings)
    if as_json:
        emit({"days": days, "holds": [_document(hold) for hold in holds]})
        return
    for name, number in days.items():
        out.print(f"{name:<22} {number:>5} days", markup=False)
    for hold in holds:
        since = hold.since.isoformat(timespec="seconds")
        out.print(f"hold  {hold.subject}  since {since}  {hold.reason}", markup=False)


@retention_app.command("run")
def run(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what is due.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is over its period; a server does the same every hour."""
    settings = settings_of(ctx)
    counts = _swept(settings, dry_run=dry_run)
    if as_json:
        emit({"dry_run": dry_run, "items": counts})
        return
    for name, number in counts.items():
        out.print(f"{name:<22} {number:>7}", markup=False)
    note("due; nothing was deleted" if dry_run else "deleted")


@retention_app.command("hold")
def hold(
    ctx: typer.Context,
    subject: Subject,
    reason: Annotated[str, typer.Option(help="A code, such as the number of a case.")],
) -> None:
    """Keep everything of a person: neither age nor an erasure lets it go."""
    settings = settings_of(ctx)
    try:
        new = Hold(settings.tenant, subject, now(), OPERATOR, reason)
    except ValueError as failure:
        raise typer.BadParameter(str(failure)) from failure

    async def placed() -> Hold:
        await reader.note(What.HOLD, subject)
        return await reader.books.holds.place(new)

    with reading(settings, "retention hold") as reader:
        stands = asyncio.run(placed())
    note(f"{subject} is held since {stands.since.isoformat(timespec='seconds')}: {stands.reason}")


@retention_app.command("release")
def release(ctx: typer.Context, subject: Subject) -> None:
    """End a hold; what is over its period goes with the next run."""
    settings = settings_of(ctx)

    async def released() -> bool:
        await reader.note(What.RELEASE, subject)
        return await reader.books.holds.release(settings.tenant, subject)

    with reading(settings, "retention release") as reader:
        stood = asyncio.run(released())
    if not stood:
        fail(f"there is no hold on {subject}", "`embark retention show` lists them")
        raise typer.Exit(ExitCode.USAGE)
    note(f"{subject} is not held any more")


def _holds(settings: Settings) -> tuple[Hold, ...]:
    async def read() -> tuple[Hold, ...]:
        found = await reader.books.holds.all(settings.tenant)
        if found:
            await reader.note(What.READ_SUBJECT, *(each.subject for each in found))
        return found

    with reading(settings, "retention show") as reader:
        return asyncio.run(read())


def _swept(settings: Settings, *, dry_run: bool) -> dict[str, int]:
    with (
        reading(settings, "retention run") as reader,
        open_sweeper(settings, reader.books) as sweeper,
    ):
        if dry_run:
            return asyncio.run(sweeper.due())
        return asyncio.run(sweeper.run(OPERATOR, reader.route, reader.request_id))


def _document(hold: Hold) -> dict[str, str]:
    return {
        "subject": hold.subject,
        "since": hold.since.isoformat(),
        "placed_by": hold.placed_by,
        "reason": hold.reason,
    }
