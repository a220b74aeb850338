"""`embark journeys`: check, preview, publish and take back journeys, plays, kits and guides."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from embark.cli import Invocation
from embark.cli.books import OPERATOR, AsJson, reported
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.onboarding_database import open_database
from embark.records import now
from embark.settings import Settings
from guardrails.refs import stamp
from onboarding.engine.files import Folder, read_folder
from onboarding.journeys import SCHEMAS, Catalogue, Preview, load_sources, preview, schema
from onboarding.journeys.lint import Finding, Published, lint
from onboarding.rules import DataFileError
from onboarding.store.journeys import (
    CatalogueStore,
    Draft,
    ProgressStore,
    PublishError,
    Release,
    StaleReleaseError,
    Switch,
)
from onboarding.store.journeys.catalogue_sql import SqlCatalogues
from onboarding.store.journeys.people import read_people
from onboarding.store.journeys.progress_sql import SqlProgress

journeys_app = typer.Typer(
    no_args_is_help=True, help="Check, preview, publish and take back journeys, plays and kits."
)
FolderPath = Annotated[
    Path | None,
    typer.Argument(metavar="[FOLDER]", help="Holds journeys/, plays/, ..; else onboarding.folder."),
]
People = Annotated[
    Path | None, typer.Option(help="JSON lines of people to count; docs/journeys.md says how.")
]
Flows = Annotated[
    Path | None, typer.Option(help="Folder of flows that kits may call; else actions.flows.")
]


@dataclass(frozen=True, slots=True)
class Stores:
    """Of one command."""

    files: CatalogueStore
    progress: ProgressStore
    tenant: str


@journeys_app.command("lint")
def lint_files(
    ctx: typer.Context,
    folder: FolderPath = None,
    *,
    flows: Flows = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Not against what is published.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every file; exits with 1 where something is wrong."""
    settings = settings_of(ctx)
    published = Published() if offline else _published(settings)
    found = _findings(_folder(settings, folder), flows or settings.actions.flows, published)
    if as_json:
        emit({"findings": [asdict(each) for each in found]})
    for each in () if as_json else found:
        out.print(f"{each.told} [{each.code}]", markup=False)
    if found:
        note(f"{len(found)} findings")
        raise typer.Exit(ExitCode.FAILED)
    note("no findings")


@journeys_app.command("preview")
def preview_files(
    ctx: typer.Context,
    folder: FolderPath = None,
    *,
    people: People = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="10 where it changes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a publication would change, and for how many."""
    settings = settings_of(ctx)
    new = _folder(settings, folder)
    with _reporting(), _stores(settings) as stores:
        seen = asyncio.run(_preview(stores, read_folder(new).catalogue, people)).seen
    _show(seen, as_json=as_json)
    if exit_code and seen.changed:
        raise typer.Exit(ExitCode.CHANGES)


@journeys_app.command("publish")
def publish_files(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    folder: FolderPath = None,
    *,
    people: People = None,
    flows: Flows = None,
    message: Annotated[str, typer.Option("--note", help="Why, for the history.")] = "",
    by: Annotated[str, typer.Option(help="Who publishes, as the history names them.")] = OPERATOR,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check and preview, then publish all files at once; exits with 5 where lint refuses."""
    settings = settings_of(ctx)
    files = _folder(settings, folder)
    _gate(_findings(files, flows or settings.actions.flows, _published(settings)))
    with _reporting(), _stores(settings) as stores:
        new = read_folder(files).catalogue
        looked = asyncio.run(_preview(stores, new, people))
        if not looked.seen.changed:
            note("nothing changes: not published")
            return
        _show(looked.seen, as_json=False) if not as_json else None
        _agreed(ctx, yes=yes)
        draft = Draft(new.sources, by, now(), message)
        release = asyncio.run(stores.files.publish(stores.tenant, draft, looked.number))
    if as_json:
        emit({"release": _line(release), **_document(looked.seen)})
    note(f"release {release.number} is current")


@journeys_app.command("rollback")
def rollback(
    ctx: typer.Context,
    *,
    to: Annotated[int | None, typer.Option(help="A release; the one before if not given.")] = None,
    why: Annotated[str, typer.Option(help="For the history.")],
    by: Annotated[str, typer.Option(help="Who, as the history names them.")] = OPERATOR,
    as_json: AsJson = False,
) -> None:
    """Make an earlier release current; who is under way keeps the version they started."""
    settings = settings_of(ctx)
    with _reporting(), _stores(settings) as stores:
        release = asyncio.run(_switched(stores, to, by, why))
    if as_json:
        emit({"release": _line(release)})
    note(f"release {release.number} is current")


@journeys_app.command("show")
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the releases, which is current, and who is under way."""
    settings = settings_of(ctx)
    with _reporting(), _stores(settings) as stores:
        document = asyncio.run(_standing(stores))
    if as_json:
        emit(document)
        return
    for each in document["releases"]:
        mark = "*" if each["number"] == document["current"] else " "
        text = f"{mark} {each['number']:>4}  {each['at'][:19]}  {each['by']}  {each['note']}"
        out.print(text.rstrip(), markup=False)
    for each in document["files"]:
        out.print(f"  {each['kind']:<8} {each['name']}@{each['version']}", markup=False)
    for ref, people in document["running"].items():
        out.print(f"  {people:>6} under way in {ref}", markup=False)
    if not document["releases"]:
        note("nothing is published")


@journeys_app.command("schema")
def show_schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(SCHEMAS)}.")],
) -> None:
    """Print the JSON Schema of one kind of file."""
    if kind not in SCHEMAS:
        raise typer.BadParameter(f"one of {', '.join(SCHEMAS)}")
    out.print(orjson.dumps(schema(kind), option=orjson.OPT_INDENT_2).decode(), markup=False)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A preview, and the release that it was made against."""

    seen: Preview
    number: int | None


async def _preview(stores: Stores, new: Catalogue, people: Path | None) -> _Looked:
    number = await stores.files.pointer(stores.tenant)
    old = Catalogue()
    if number is not None:
        old = load_sources((await stores.files.release(stores.tenant, number)).sources)
    counted = read_people(people, stores.tenant, now()) if people is not None else ()
    running = await stores.progress.running(stores.tenant)
    return _Looked(preview(old, new, counted, running), number)


async def _switched(stores: Stores, to: int | None, by: str, why: str) -> Release:
    """Raises UnknownReleaseError, also where there is none before."""
    number = to
    if number is None:
        current = await stores.files.pointer(stores.tenant)
        known = [each.number for each in await stores.files.releases(stores.tenant)]
        number = next((each for each in known if current is not None and each < current), 0)
    return await stores.files.switch(stores.tenant, Switch(number, by, now(), why))


async def _standing(stores: Stores) -> dict[str, Any]:
    number = await stores.files.pointer(stores.tenant)
    current = await stores.files.release(stores.tenant, number) if number is not None else None
    files = current.sources if current is not None else ()
    return {
        "current": number,
        "releases": [_line(each) for each in await stores.files.releases(stores.tenant)],
        "files": [{"kind": f.kind.value, "name": f.name, "version": f.version} for f in files],
        "switches": [
            {"number": each.number, "by": each.by, "at": stamp(each.at), "why": each.why}
            for each in await stores.files.switches(stores.tenant)
        ],
        "running": dict(await stores.progress.running(stores.tenant)),
    }


def _findings(folder: Path, flows: Path | None, published: Published) -> tuple[Finding, ...]:
    """Also of files that cannot be read at all."""
    names = frozenset(path.stem for path in flows.glob("*.yaml")) if flows is not None else None
    try:
        read: Folder = read_folder(folder, names)
    except DataFileError as wrong:
        return tuple(Finding("invalid", told) for told in wrong.problems)
    return lint(read.catalogue, read.known, published)


def _published(settings: Settings) -> Published:
    with _reporting(), _stores(settings) as stores:
        return asyncio.run(stores.files.published(stores.tenant))


def _gate(found: tuple[Finding, ...]) -> None:
    for each in found:
        fail(f"{each.told} [{each.code}]")
    if found:
        note(f"{len(found)} findings: nothing was published")
        raise typer.Exit(ExitCode.GATE)


def _agreed(ctx: typer.Context, *, yes: bool) -> None:
    """Asks, unless that was answered or cannot be asked."""
    silent = isinstance(ctx.obj, Invocation) and ctx.obj.no_input
    if not yes and silent:
        fail("publish asks first", "say --yes")
        raise typer.Exit(ExitCode.USAGE)
    if not yes and not typer.confirm("Publish this?", err=True):
        raise typer.Exit(ExitCode.FAILED)


def _show(seen: Preview, *, as_json: bool) -> None:
    if as_json:
        emit(_document(seen))
        return
    for each in seen.changed:
        before = f"@{each.before}" if each.before is not None else "new"
        after = f"@{each.after}" if each.after is not None else "gone"
        out.print(f"{each.kind:<8} {each.name:<28} {before:>5} -> {after}", markup=False)
    for flow in (*seen.flows, *seen.plays):
        if flow.before != flow.after:
            out.print(f"{flow.people:>6} would see {flow.after} instead of {flow.before}")
    for ref, count in seen.move.items():
        out.print(f"{count:>6} under way in {ref} would be taken along", markup=False)
    for ref, count in seen.stay.items():
        out.print(f"{count:>6} under way in {ref} stay on it", markup=False)
    if seen.people:
        note(f"{seen.people} people were looked at")


def _document(seen: Preview) -> dict[str, Any]:
    return asdict(seen)


def _line(release: Release) -> dict[str, Any]:
    named = {"number": release.number, "by": release.by, "at": stamp(release.at)}
    return {**named, "note": release.note, "digest": release.digest}


@contextmanager
def _reporting() -> Iterator[None]:
    """Mistakes in files and releases as one message each."""
    try:
        with reported():
            yield
    except DataFileError as wrong:
        for problem in wrong.problems:
            fail(problem)
        raise typer.Exit(ExitCode.FAILED) from wrong
    except StaleReleaseError as failure:
        fail(str(failure))
        raise typer.Exit(ExitCode.LOCKED) from failure
    except PublishError as failure:
        fail(str(failure), "`embark journeys show` lists the releases")
        raise typer.Exit(ExitCode.FAILED) from failure


@contextmanager
def _stores(settings: Settings) -> Iterator[Stores]:
    """Raises UnreachableError."""
    database = open_database(settings)
    try:
        yield Stores(SqlCatalogues(database), SqlProgress(database), settings.tenant)
    finally:
        database.dispose()


def _folder(settings: Settings, given: Path | None) -> Path:
    folder = given or settings.onboarding.folder
    if folder is None:
        raise typer.BadParameter("name a folder, or set onboarding.folder")
    return folder
