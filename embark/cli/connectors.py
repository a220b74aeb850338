"""`embark connectors`: stop what the copilot reaches, at once, and let it go on again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar

import typer

from embark.cli.books import OPERATOR, reading
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.connector_parts import drilled, open_connectors
from embark.layers import UnreachableError
from embark.settings import Settings
from guardrails.audit import What
from tools.connectors import ALL, ConnectorDesk, Standing, UnknownConnectorError
from tools.journal import JournalUnavailableError
from tools.tool import NotSentError

T = TypeVar("T")
DRILLED = 1000
ALLOWED_S = 60.0
"""For that many (safety reference, section 8)."""
connectors_app = typer.Typer(
    no_args_is_help=True, help="Stop what the copilot reaches, and let it go on again."
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
By = Annotated[str, typer.Option(help="Opaque reference of who asks, for the audit log.")]
Which = Annotated[str, typer.Argument(metavar="ID", help=f"A connector; {ALL} is all of them.")]


@connectors_app.command("list")
def list_connectors(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List connectors, whether they are stopped, and how many people's credentials they keep."""
    settings = settings_of(ctx)
    found = _run(settings, lambda desk: desk.standings(settings.tenant))
    if as_json:
        emit({"connectors": [_line(each) for each in found]})
        return
    for each in found:
        state = "works" if each.switch.killed is None else f"STOPPED since {each.switch.killed}"
        kept = f"{each.credentials} credentials"
        out.print(f"{each.connector.id:<20} {state:<48} {kept}", markup=False)


@connectors_app.command("kill")
def kill(ctx: typer.Context, connector: Which, by: By = OPERATOR) -> None:
    """Stop a connector in every process, and revoke the credentials kept for it."""
    settings = settings_of(ctx)
    revoked = _run(settings, lambda desk: desk.kill(settings.tenant, connector, by))
    _noted(settings, "connectors kill", by)  # afterwards: nothing may hold it up
    out.print(f"{connector} is stopped; {revoked} credentials are revoked", markup=False)
    note(f"to let it go on: embark connectors restore '{connector}'")


@connectors_app.command("restore")
def restore(ctx: typer.Context, connector: Which, by: By = OPERATOR) -> None:
    """Let a connector go on; people sign in anew."""
    settings = settings_of(ctx)
    _noted(settings, "connectors restore", by)
    _run(settings, lambda desk: desk.restore(settings.tenant, connector, by))
    out.print(f"{connector} goes on", markup=False)


@connectors_app.command("drill")
def drill(
    ctx: typer.Context,
    connectors: Annotated[int, typer.Option(min=1, max=10_000)] = DRILLED,
    as_json: AsJson = False,
) -> None:
    """Plant credentials in a tenant of their own, revoke them all, and look for what is left."""
    settings = settings_of(ctx)
    with _reported():
        found = asyncio.run(drilled(settings, connectors))
    allowed_s = ALLOWED_S * connectors / DRILLED
    good = found.readable == 0 and found.revoked == connectors and found.revoke_s <= allowed_s
    if as_json:
        emit({**found._asdict(), "allowed_s": allowed_s, "ok": good})
    else:
        told = f"{found.revoked} of {connectors} revoked in {found.revoke_s:.2f} s"
        out.print(f"{told} (allowed: {allowed_s:g} s); {found.readable} readable", markup=False)
    raise typer.Exit(ExitCode.OK if good else ExitCode.FAILED)


def _noted(settings: Settings, command: str, by: str) -> None:
    with reading(settings, command, by) as log:
        asyncio.run(log.note(What.KEY_CHANGE))


def _run(settings: Settings, work: Callable[[ConnectorDesk], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with open_connectors(settings) as desk:
            return await work(desk)

    with _reported():
        return asyncio.run(opened())


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except UnknownConnectorError as unknown:
        fail(str(unknown), "`embark connectors list` shows them")
        raise typer.Exit(ExitCode.USAGE) from unknown
    except (JournalUnavailableError, NotSentError) as failure:
        raise UnreachableError(str(failure)) from failure


def _line(each: Standing) -> dict[str, object]:
    killed = each.switch.killed
    return {
        "id": each.connector.id,
        "title": each.connector.title,
        "killed": None if killed is None else killed.isoformat(),
        "by": each.switch.by,
        "credentials": each.credentials,
    }
