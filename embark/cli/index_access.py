"""`embark index revoke|restore|revoked`: take pages and labels away without a build."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from embark.access_parts import open_revocations
from embark.cli.output import ExitCode, emit, fail, note, settings_of
from embark.indexing import open_archive
from embark.settings import Settings
from retrieval.access import PAGE, RECHECK_S, Revocation, Revocations
from retrieval.types import LABEL_FIELDS

PagesArgument = Annotated[list[str] | None, typer.Argument(help="Paths below their source.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="FIELD=VALUE", help="A label, such as plan=beta; repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def revoke(
    ctx: typer.Context,
    pages: PagesArgument = None,
    label: LabelOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Hide pages, or what a label grants, at once and everywhere; the index stays as it is."""
    settings = settings_of(ctx)
    given = _given(pages, label)
    _check_known(settings, [value for field, value in given if field == PAGE])
    now = datetime.now(UTC)
    with _open(settings) as stored:
        new = [
            stored.revoke(Revocation(settings.tenant, field, value, now)) for field, value in given
        ]
    _tell("revoked", given, new, as_json=as_json)
    note(f"running servers obey within {RECHECK_S:g} s; back with: embark index restore")
    note("to remove a page for good, take it out of its source: embark index purge")


def restore(
    ctx: typer.Context,
    pages: PagesArgument = None,
    label: LabelOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Undo `revoke`."""
    settings = settings_of(ctx)
    given = _given(pages, label)
    with _open(settings) as stored:
        done = [stored.restore(settings.tenant, field, value) for field, value in given]
    _tell("restored", given, done, as_json=as_json)
    if not all(done):
        fail("not everything was revoked: `embark index revoked` lists what is")
        raise typer.Exit(ExitCode.FAILED)


def revoked(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """List what is revoked."""
    settings = settings_of(ctx)
    with _open(settings) as stored:
        rows = stored.all(settings.tenant)
    if as_json:
        listed = [
            {"field": row.field, "value": row.value, "since": row.since.isoformat()} for row in rows
        ]
        emit({"revoked": listed})
        return
    for row in rows:
        sys.stdout.write(f"{_named(row.field, row.value)}  {row.since:%Y-%m-%d %H:%M:%S} UTC\n")
    if not rows:
        note("nothing is revoked")


@contextmanager
def _open(settings: Settings) -> Iterator[Revocations]:
    with ExitStack() as closing:
        yield open_revocations(settings, closing)


def _given(pages: list[str] | None, labels: list[str] | None) -> list[tuple[str, str]]:
    found = [(PAGE, page) for page in pages or ()]
    for text in labels or ():
        field, sign, value = text.partition("=")
        if not sign or not value or field not in LABEL_FIELDS:
            fail(f"--label {text}: write FIELD=VALUE with one of {', '.join(LABEL_FIELDS)}")
            raise typer.Exit(ExitCode.USAGE)
        found.append((field, value))
    if not found:
        fail("name a page, or a label with --label FIELD=VALUE")
        raise typer.Exit(ExitCode.USAGE)
    return found


def _check_known(settings: Settings, pages: Sequence[str]) -> None:
    """A path with a slip would hide nothing, and nobody would notice."""
    with open_archive(settings) as archive:
        current = archive.current()
        manifest = None if current is None else archive.manifest(current)
    there = {page.path for page in manifest.pages} if manifest is not None else set()
    if unknown := [page for page in pages if page not in there]:
        fail(
            f"the current version has no page {', '.join(unknown)}; nothing was revoked",
            "paths are those of `embark search --json`, such as guides/invite.md",
        )
        raise typer.Exit(ExitCode.USAGE)


def _tell(
    verb: str, given: Sequence[tuple[str, str]], changed: Sequence[bool], *, as_json: bool
) -> None:
    named = [_named(field, value) for field, value in given]
    if as_json:
        emit({verb: [name for name, new in zip(named, changed, strict=True) if new]})
        return
    for name, new in zip(named, changed, strict=True):
        sys.stdout.write(f"{verb} {name}\n" if new else f"unchanged {name}\n")


def _named(field: str, value: str) -> str:
    return value if field == PAGE else f"{field}={value}"
