"""`embark events`: contracts of product events, and messages that broke them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer

from embark.cli.books import OPERATOR, AsJson, reported
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.event_parts import EventParts, contracts_of, open_events
from embark.records import Books, now
from embark.settings import Settings
from guardrails.audit import Note, What, named, new_request_id
from onboarding.events import SHIPPED, DataFileError, EventCatalogue, load_catalogue
from onboarding.events.quarantine import KEPT_DAYS, Fix, Held
from onboarding.events.replaying import Replayed, read_fixes
from onboarding.events.schemas import schema_of, unversioned
from onboarding.events.verdicts import Quarantined, Status

events_app = typer.Typer(
    no_args_is_help=True, help="Contracts of product events, and messages that broke them."
)
Since = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Received since then, UTC."),
]
OfEvent = Annotated[str | None, typer.Option("--event", help="Only of this event, as it was sent.")]
Folder = Annotated[
    Path | None, typer.Option(help="Contracts; `events` in onboarding.folder when not given.")
]


@events_app.command("quarantine")
def quarantine(
    ctx: typer.Context,
    *,
    event: OfEvent = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List messages in quarantine with what is wrong with them; never what they say."""
    settings = settings_of(ctx)
    counts, rows = _held(settings, since, event, limit)
    if as_json:
        emit({"counts": [_count(each) for each in counts], "messages": [_row(r) for r in rows]})
        return
    for each in counts:
        out.print(f"{each.count:>7}  {each.name}  {each.reason}", markup=False)
    for row in rows:
        kept = "whole" if row.sealed is not None else "shape"
        when = row.received_at.isoformat(timespec="seconds")
        told = " ".join(map(str, row.reasons))
        out.print(f"{row.message_id}  {when}  {kept}  {row.name}  {told}", markup=False)
    if not counts:
        note("nothing is in quarantine")


@events_app.command("replay")
def replay(
    ctx: typer.Context,
    *,
    since: Since = None,
    fix: Annotated[Path | None, typer.Option(help="How events are mended (YAML).")] = None,
    event: OfEvent = None,
    as_json: AsJson = False,
) -> None:
    """Run messages in quarantine again, under today's contracts and consents. Doing it twice
    changes nothing."""
    settings = settings_of(ctx)
    try:
        fixes = {} if fix is None else read_fixes(fix)
    except DataFileError as failure:
        _failed(failure.problems)
    done = _replayed(settings, _zoned(since) or now() - timedelta(days=KEPT_DAYS), fixes, event)
    counts = {status.value: done.counts[status] for status in Status if done.counts[status]}
    if as_json:
        emit({"counts": counts, "closed": done.closed, "reasons": dict(done.reasons)})
        return
    for name, number in counts.items():
        out.print(f"{number:>7}  {name}", markup=False)
    for reason, number in done.reasons.most_common():
        out.print(f"{number:>7}  still: {reason}", markup=False)
    if done.closed:
        note(f"{done.closed} cannot be run again: their shape alone was kept")


@events_app.command("lint")
def lint(
    ctx: typer.Context,
    *,
    contracts: Folder = None,
    against: Annotated[
        Path | None, typer.Option(help="Contracts as they were: an edit that breaks is told.")
    ] = None,
) -> None:
    """Check contracts: every mistake with its line."""
    try:
        catalogue = _catalogue(ctx, contracts)
        before = EventCatalogue() if against is None else load_catalogue(against)
    except DataFileError as failure:
        _failed(failure.problems)
    problems = [*_without_purpose(catalogue), *unversioned(before, catalogue)]
    if problems:
        _failed(problems)
    note(f"{len(catalogue.names)} events, nothing is wrong")


@events_app.command("contract")
def contract(
    ctx: typer.Context,
    event: Annotated[
        str | None, typer.Argument(help="One event; all of them when left out.")
    ] = None,
    *,
    contracts: Folder = None,
) -> None:
    """Print the JSON Schema of an event, for those who send it."""
    try:
        catalogue = _catalogue(ctx, contracts)
    except DataFileError as failure:
        _failed(failure.problems)
    if event is None:
        emit({"events": {name: schema_of(each) for name, each in catalogue.contracts.items()}})
        return
    found = catalogue.contract(event)
    if found is None:
        fail(f"there is no event {event!r}{catalogue.mend_event(event)}")
        raise typer.Exit(ExitCode.USAGE)
    typer.echo(orjson.dumps(schema_of(found), option=orjson.OPT_INDENT_2).decode())


def _catalogue(ctx: typer.Context, folder: Path | None) -> EventCatalogue:
    """Raises DataFileError."""
    return contracts_of(settings_of(ctx)) if folder is None else load_catalogue(SHIPPED, folder)


def _without_purpose(catalogue: EventCatalogue) -> list[str]:
    return [
        f"{each.place}: {each.event}.{spec.name}: without a purpose it is never kept"
        for each in catalogue.all_versions()
        for spec in each.fields.values()
        if not spec.purposes
    ]


def _held(
    settings: Settings, since: datetime | None, event: str | None, limit: int
) -> tuple[tuple[Held, ...], list[Quarantined]]:
    async def read() -> tuple[tuple[Held, ...], list[Quarantined]]:
        counts = await parts.quarantine.reasons(settings.tenant)
        rows = await parts.quarantine.held(settings.tenant, _zoned(since), limit=limit)
        wanted = [row for row in rows if event is None or row.name == event]
        return tuple(each for each in counts if event is None or each.name == event), wanted

    with reported(), open_events(settings) as (parts, _):
        return asyncio.run(read())


def _replayed(
    settings: Settings, since: datetime, fixes: dict[str, Fix], event: str | None
) -> Replayed:
    async def run(parts: EventParts, books: Books) -> Replayed:
        route, who = "embark events replay", named(OPERATOR)
        await books.audit.write(
            Note(settings.tenant, who, What.READ_SUBJECT, None, route, new_request_id())
        )
        return await parts.replay.run(since, fixes, now(), event)

    with reported(), open_events(settings) as (parts, books):
        return asyncio.run(run(parts, books))


def _zoned(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


def _count(each: Held) -> dict[str, object]:
    return {
        "event": each.name,
        "reason": each.reason,
        "count": each.count,
        "newest": each.newest.isoformat(),
    }


def _row(row: Quarantined) -> dict[str, object]:
    return {
        "message_id": row.message_id,
        "event": row.name,
        "received_at": row.received_at.isoformat(),
        "reasons": [str(each) for each in row.reasons],
        "shape": row.shape,
        "whole": row.sealed is not None,
    }


def _failed(problems: Sequence[str]) -> NoReturn:
    for problem in problems:
        fail(problem)
    raise typer.Exit(ExitCode.FAILED)
