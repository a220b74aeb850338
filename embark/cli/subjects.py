"""`embark subjects`: a person's copy of what is kept of them, and its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer
from sqlalchemy.exc import DBAPIError

from embark.cli.books import OPERATOR, PRIVATE, AsJson, reading
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.layers import ConfigurationError, UnreachableError
from embark.rights import open_rights
from embark.settings import Settings
from guardrails.audit import What
from guardrails.retention import UnderHoldError
from guardrails.rights import Erasure, ErasureUnfinishedError
from guardrails.store import StoreUnavailableError
from tools.erasures import vouched
from tools.journal import JournalUnavailableError
from tools.receipts.keys import KeyRingError

subjects_app = typer.Typer(
    no_args_is_help=True, help="Export or erase everything that is kept of a person."
)
By = Annotated[str, typer.Option(help="Opaque reference of who asks, for the receipt.")]


@subjects_app.command("export")
def export(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(help="Id of the person, as the host names them.")],
    to: Annotated[Path | None, typer.Option(help="New file, for you alone to read.")] = None,
    by: By = OPERATOR,
) -> None:
    """Write a copy of everything that is kept of a person, as JSON lines; leaves a receipt."""
    settings = settings_of(ctx)
    with ExitStack() as opened, _reported():
        stream = sys.stdout if to is None else opened.enter_context(_new(to))
        lines = asyncio.run(_copied(settings, subject, by, stream))
    note(f"{lines} lines")


@subjects_app.command("erase")
def erase(
    ctx: typer.Context,
    subjects: Annotated[list[str], typer.Argument(help="Ids of people, as the host names them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. It cannot be undone.")] = False,
    by: By = OPERATOR,
    as_json: AsJson = False,
) -> None:
    """Erase everything that is kept of people; finishes what was begun before."""
    settings = settings_of(ctx)
    if not yes and not _agreed(ctx, subjects):
        raise typer.Exit(ExitCode.USAGE)
    with _reported():
        erased = asyncio.run(_erased(settings, subjects, by))
    if as_json:
        emit({"erasures": [_document(each) for each in erased]})
        return
    for each in erased:
        _print(each)


@subjects_app.command("show-erasure")
def show_erasure(
    ctx: typer.Context,
    erasure_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="All of them if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show manifests of erasures, and whether their receipts vouch for them."""
    settings = settings_of(ctx)
    with _reported():
        found = asyncio.run(_found(settings, erasure_id))
    if erasure_id is not None and not found:
        fail(f"there is no erasure {erasure_id}", "`embark subjects show-erasure` lists them")
        raise typer.Exit(ExitCode.USAGE)
    if as_json:
        emit({"erasures": [_document(each) for each in found]})
    else:
        for each in found:
            _print(each)
    if not all(vouched(each) for each in found if each.finished is not None):
        fail("a manifest is not the one that its receipt was written for")
        raise typer.Exit(ExitCode.FAILED)


def _agreed(ctx: typer.Context, subjects: list[str]) -> bool:
    if ctx.obj is not None and ctx.obj.no_input:
        fail("erasing cannot be undone", "say --yes to do it without being asked")
        return False
    return typer.confirm(
        f"Erase everything of {', '.join(subjects)}? It cannot be undone.", err=True
    )


@contextmanager
def _reported() -> Iterator[None]:
    """Errors of stores and keys as those that every command reports."""
    try:
        yield
    except UnderHoldError as failure:
        fail(str(failure))
        raise typer.Exit(ExitCode.FAILED) from failure
    except ErasureUnfinishedError as failure:
        fail(str(failure), "run the same command again")
        raise typer.Exit(ExitCode.FAILED) from failure
    except (JournalUnavailableError, StoreUnavailableError, DBAPIError) as failure:
        raise UnreachableError(f"a database does not answer: {type(failure).__name__}") from failure
    except KeyRingError as failure:
        raise ConfigurationError([str(failure)]) from failure


def _new(path: Path) -> TextIO:
    try:
        path.touch(PRIVATE, exist_ok=False)
        return path.open("w", encoding="utf-8")
    except OSError as failure:
        raise typer.BadParameter(f"{path}: {failure.strerror}") from failure


async def _copied(settings: Settings, subject: str, by: str, stream: TextIO) -> int:
    lines = 0
    with reading(settings, "subjects export", by) as reader:
        await reader.note(What.EXPORT_SUBJECT, subject)
    async with open_rights(settings) as rights:
        async for line in rights.export(settings.tenant, subject, by):
            stream.write(f"{line}\n")
            lines += 1
    return lines


async def _erased(settings: Settings, subjects: list[str], by: str) -> tuple[Erasure, ...]:
    with reading(settings, "subjects erase", by) as reader:
        await reader.note(What.ERASE_SUBJECT, *subjects)
    async with open_rights(settings) as rights:
        return await rights.erase_all(settings.tenant, subjects, by)


async def _found(settings: Settings, erasure_id: str | None) -> tuple[Erasure, ...]:
    async with open_rights(settings) as rights:
        if erasure_id is None:
            found = await rights.erasures(settings.tenant)
        else:
            one = await rights.erasure(settings.tenant, erasure_id)
            found = () if one is None else (one,)
    with reading(settings, "subjects show-erasure") as reader:
        await reader.note(What.READ_ERASURE)  # names nobody who is erased anew
    return found


def _document(erasure: Erasure) -> dict[str, object]:
    return {
        "manifest": erasure.manifest,
        "receipt": erasure.receipt,
        "jws": erasure.jws,
        "vouched": vouched(erasure),
    }


def _print(erasure: Erasure) -> None:
    finished = erasure.finished
    state = f"finished {finished.isoformat(timespec='seconds')}" if finished else "UNFINISHED"
    out.print(f"{erasure.id}  {erasure.subject}  {state}", markup=False)
    for store, items in erasure.counts.items():
        out.print(f"  {store:<14} {items}", markup=False)
    if erasure.receipt:
        note(f"receipt {erasure.receipt}; its signature: embark receipts export, then verify")
