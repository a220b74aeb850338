"""`embark audit`: list and export who did what to whose data."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from embark.cli.books import AsJson, To, reading, sink, written
from embark.cli.output import emit, note, out, settings_of
from embark.settings import Settings
from guardrails.audit import Entry, Wanted, What, exported, line

audit_app = typer.Typer(
    no_args_is_help=True, help="List and export who read, erased, approved or changed what."
)
Who = Annotated[str | None, typer.Option(help="Only by this member of staff.")]
Did = Annotated[What | None, typer.Option("--what", help="Only of this kind.")]
Whom = Annotated[str | None, typer.Option(help="Only about this person.")]
Since = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")
]


@audit_app.command("list")
def list_audit(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    *,
    who: Who = None,
    what: Did = None,
    whom: Whom = None,
    since: Since = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only numbers below this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List rows of the audit log, newest first; looking is a row too."""
    wanted = Wanted(who, what, whom, None if since is None else since.replace(tzinfo=UTC))
    found = _listed(settings_of(ctx), wanted, before, limit)
    if as_json:
        emit({"entries": [line(entry) for entry in found]})
        return
    for entry in found:
        said = entry.note
        when = entry.at.isoformat(timespec="seconds")
        done = f"{said.who}  {said.what.value}  {said.whom or '-'}  {said.route}"
        out.print(f"{entry.seq:>6}  {when}  {done}", markup=False)
    if len(found) == limit:
        note(f"more: embark audit list --before {found[-1].seq}")


@audit_app.command("export")
def export_audit(
    ctx: typer.Context,
    *,
    who: Who = None,
    what: Did = None,
    whom: Whom = None,
    since: Since = None,
    to: To = None,
) -> None:
    """Write rows of the audit log as JSON lines, newest first."""
    settings = settings_of(ctx)
    wanted = Wanted(who, what, whom, None if since is None else since.replace(tzinfo=UTC))

    async def copied() -> int:
        await reader.note(What.EXPORT_AUDIT, whom)
        return await written(exported(reader.books.audit, settings.tenant, wanted), stream)

    with sink(to) as stream, reading(settings, "audit export") as reader:
        lines = asyncio.run(copied())
    note(f"{lines} lines")


def _listed(
    settings: Settings, wanted: Wanted, before: int | None, limit: int
) -> tuple[Entry, ...]:
    async def read() -> tuple[Entry, ...]:
        await reader.note(What.READ_AUDIT, wanted.whom)
        log = reader.books.audit
        return await log.page(settings.tenant, wanted, before=before, limit=limit)

    with reading(settings, "audit list") as reader:
        return asyncio.run(read())
