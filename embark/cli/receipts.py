"""`embark receipts`: list and show what was done, verify an export offline, export, rotate keys."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple, TextIO

import typer

from embark.cli.books import reading
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.layers import ConfigurationError, UnreachableError
from embark.receipts_parts import open_receipts, open_ring
from embark.settings import Settings
from guardrails.audit import What
from tools.journal import JournalUnavailableError, Receipt
from tools.receipts.export import dump, export
from tools.receipts.keys import KeyRingError
from tools.receipts.verify import Depth, InputError, verify_file
from tools.receipts.verify.__main__ import document, read_outside, summary
from tools.receipts.view import Shown, UnknownReceiptError, payload_of, show

PRIVATE = 0o600
receipts_app = typer.Typer(
    no_args_is_help=True, help="List, show, verify and export signed receipts."
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
OVERLAP_H = 24
"""Hours between a key's announcement and its first signature: longer than anybody keeps a JWKS."""


@receipts_app.command("list")
def list_receipts(
    ctx: typer.Context,
    after: Annotated[int, typer.Option(min=0, help="Only those behind this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List receipts in the order of the chain."""
    settings = settings_of(ctx)
    with _reported():
        found = asyncio.run(_listed(settings, after, limit))
    if as_json:
        emit({"receipts": [_line(receipt) for receipt in found]})
        return
    for receipt in found:
        line = _line(receipt)
        out.print(
            f"{line['id']:>10}  {line['at']}  {line['outcome']:<12} {line['tool']}", markup=False
        )
    if len(found) == limit:
        note(f"more: embark receipts list --after {found[-1].seq}")
    elif not found:
        note("no receipts yet; each action that ends writes one")


@receipts_app.command("show")
def show_receipt(
    ctx: typer.Context,
    receipt_id: Annotated[str, typer.Argument(metavar="ID", help="Such as rcpt_12.")],
    as_json: AsJson = False,
) -> None:
    """Show what was done, when, by whom approved, and whether it can be undone."""
    settings = settings_of(ctx)
    with _reported():
        shown = asyncio.run(_one(settings, receipt_id))
    if as_json:
        emit({"receipt": _document(shown)})
    else:
        _print(shown)


@receipts_app.command("verify")
def verify(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Export, as `embark receipts export` writes it.")],
    *,
    keys: Annotated[
        Path | None, typer.Option(help="JWKS file; the keys of this installation if not given.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint kept elsewhere; may be repeated.")
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="Dump of the journal, with salts.")] = None,
    every_signature: Annotated[
        bool, typer.Option("--every-signature", help="Also those below a checkpoint.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify an export offline: exit 1 when anything does not hold."""
    depth = Depth.EVERY_SIGNATURE if every_signature else Depth.MERKLE
    try:
        outside = read_outside(checkpoint or [], journal)
        report = verify_file(file, _jwks(ctx, keys), outside, depth)
    except InputError as failure:
        fail(str(failure))
        raise typer.Exit(ExitCode.USAGE) from failure
    sys.stdout.write(json.dumps(document(report), indent=2) + "\n" if as_json else summary(report))
    if report.ok and not outside.checkpoints and not as_json:
        note(
            "without a --checkpoint kept elsewhere nobody can see that newest receipts are missing"
        )
    raise typer.Exit(ExitCode.OK if report.ok else ExitCode.FAILED)


@receipts_app.command("export")
def export_receipts(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where the receipts go; must not exist.")],
    keys: Annotated[Path | None, typer.Option(help="Write the JWKS here too.")] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Dump the journal here: arguments in the clear.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write receipts and checkpoints for an auditor."""
    settings = settings_of(ctx)
    for path in (file, keys, journal):
        if path is not None and path.exists():  # before any is made
            raise typer.BadParameter(f"{path} exists; name a new file")
    with ExitStack() as opened, _reported():
        files = _Files(
            opened.enter_context(_new(file)),
            opened.enter_context(_new(keys)) if keys is not None else None,
            opened.enter_context(_new(journal, PRIVATE)) if journal is not None else None,
        )
        written = asyncio.run(_exported(settings, files))
    if as_json:
        emit({"written": dict(written)})
        return
    for name, lines in written.items():
        note(f"{name}: {lines} lines")
    note(f"next: embark receipts verify {file}")


@receipts_app.command("rotate")
def rotate(
    ctx: typer.Context,
    overlap_hours: Annotated[
        int, typer.Option(min=0, help="Hours until the new key signs.")
    ] = OVERLAP_H,
    as_json: AsJson = False,
) -> None:
    """Announce a new signing key; old receipts stay verifiable."""
    settings = settings_of(ctx)
    ring = open_ring(settings)
    with _reported(), reading(settings, "receipts rotate") as reader:
        asyncio.run(reader.note(What.KEY_CHANGE))
        key = ring.rotate(datetime.now(UTC), timedelta(hours=overlap_hours))
    signs_from = key.signs_from.isoformat(timespec="seconds")
    if as_json:
        emit({"kid": key.kid, "signs_from": signs_from, "keys": len(ring.keys())})
    else:
        out.print(f"{key.kid} signs from {signs_from}", markup=False)


@contextmanager
def _reported() -> Iterator[None]:
    """Errors of journal and keys as those that every command reports."""
    try:
        yield
    except JournalUnavailableError as failure:
        raise UnreachableError(str(failure)) from failure
    except KeyRingError as failure:
        raise ConfigurationError([str(failure)]) from failure
    except UnknownReceiptError as failure:
        fail(str(failure), "`embark receipts list` shows which there are")
        raise typer.Exit(ExitCode.USAGE) from failure


async def _listed(settings: Settings, after: int, limit: int) -> tuple[Receipt, ...]:
    with reading(settings, "receipts list") as reader:
        await reader.note(What.READ_RECEIPTS_OF_OTHER)
    async with open_receipts(settings) as receipts:
        return await receipts.journal.receipts(settings.tenant, after=after, limit=limit)


async def _one(settings: Settings, receipt_id: str) -> Shown:
    async with open_receipts(settings) as receipts:
        shown = await show(receipts.journal, settings.tenant, receipt_id)
    with reading(settings, "receipts show") as reader:
        await reader.note(What.READ_RECEIPTS_OF_OTHER, shown.action.who.subject)
    return shown


class _Files(NamedTuple):
    receipts: TextIO
    keys: TextIO | None
    journal: TextIO | None


def _new(path: Path, mode: int = 0o644) -> TextIO:
    try:
        path.touch(mode, exist_ok=False)
        return path.open("w", encoding="utf-8")
    except OSError as failure:
        raise typer.BadParameter(f"{path}: {failure.strerror}") from failure


async def _exported(settings: Settings, files: _Files) -> Mapping[str, int]:
    """Lines by file."""
    tenant = settings.tenant
    with reading(settings, "receipts export") as reader:
        await reader.note(What.EXPORT_RECEIPTS)
    async with open_receipts(settings) as receipts:
        written = [(files.receipts, export(receipts.journal, receipts.checkpoints, tenant))]
        if files.journal is not None:
            written.append((files.journal, dump(receipts.journal, tenant)))
        if files.keys is not None:
            written.append((files.keys, _once(json.dumps(receipts.ring.jwks()) + "\n")))
        return {file.name: await _write(file, lines) for file, lines in written}


async def _once(text: str) -> AsyncIterator[str]:
    yield text


async def _write(stream: TextIO, lines: AsyncIterator[str]) -> int:
    count = 0
    async for line in lines:
        stream.write(line)
        count += 1
    return count


def _jwks(ctx: typer.Context, keys: Path | None) -> str:
    """Raises InputError."""
    if keys is None:
        return json.dumps(open_ring(settings_of(ctx)).jwks())
    try:
        return keys.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise InputError(f"{keys}: {failure}") from failure


def _line(receipt: Receipt) -> dict[str, object]:
    payload = payload_of(receipt)
    return {
        "id": receipt.id,
        "seq": receipt.seq,
        "at": payload["ts"],
        "tool": payload["tool"],
        "outcome": payload["outcome"],
        "action_id": receipt.action_id,
    }


def _document(shown: Shown) -> dict[str, object]:
    return {
        **_line(shown.receipt),
        "title": shown.title,
        "actor": shown.payload["actor_ref"],
        "approved_by": list(shown.approvers),
        "fields": _fields(shown),
        "effect_ref": shown.payload["effect_ref"],
        "can_undo": shown.can_undo,
        "undo": shown.undo,
        "payload": shown.payload,
        "jws": shown.receipt.jws,
    }


def _fields(shown: Shown) -> Sequence[Mapping[str, str]]:
    card = shown.action.card
    return [
        {"label": field.label, "value": "(secret)" if field.secret else field.value}
        for field in (card.fields if card is not None else ())
    ]


def _print(shown: Shown) -> None:
    payload = shown.payload
    erased = {"erased": "(the person was erased)", "tampered": "(what was stored was changed)"}
    rows = [
        *((field["label"], field["value"]) for field in _fields(shown)),
        ("outcome", payload["outcome"]),
        ("when", payload["ts"]),
        ("for", payload["actor_ref"]),
        ("approved by", ", ".join(shown.approvers) or "nobody: it needed no approval"),
        ("effect", payload["effect_ref"]),
        ("undo", shown.undo),
        ("content", erased.get(shown.action.sealed, "")),
        ("receipt", f"{shown.receipt.id}, of action {shown.receipt.action_id}"),
    ]
    out.print(shown.title, style="bold", markup=False)
    for label, value in rows:
        if value:
            out.print(f"  {label:<12} {value}", markup=False)
