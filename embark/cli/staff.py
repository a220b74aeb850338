"""`embark staff`: a token for one's own machine, where no identity provider is set."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from api.staff.desk import SUBJECT
from api.staff.local import LIFE, is_loopback
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.staff_parts import NotSharedError, local_staff, sessions_ended

staff_app = typer.Typer(
    no_args_is_help=True, help="End sessions of staff; sign in as staff on your own machine."
)


@staff_app.command("end")
def end(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(help="Id of the person at the identity provider.")],
) -> None:
    """End every session of a member of staff, such as one who left."""
    settings = settings_of(ctx)
    try:
        ended = asyncio.run(sessions_ended(settings, subject.removeprefix(SUBJECT)))
    except NotSharedError as failure:
        fail(str(failure), "restart the server: its sessions end with it")
        raise typer.Exit(ExitCode.CONFIGURATION) from failure
    out.print(f"{ended} sessions are over", markup=False)


@staff_app.command("token")
def token(
    ctx: typer.Context,
    role: Annotated[str, typer.Option(help="A role of `staff.roles`; else there is `admin`.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Print a token for `authorization: Bearer`, good for an hour at a server on loopback."""
    settings = settings_of(ctx)
    if settings.staff.oidc is not None:
        fail("staff sign in at the identity provider", "open /v1/staff/sign-in in a browser")
        raise typer.Exit(ExitCode.CONFIGURATION)
    try:
        made = local_staff(settings).token(role)
    except ValueError as unknown:
        fail(str(unknown), "staff.roles in embark.toml names roles and their rights")
        raise typer.Exit(ExitCode.USAGE) from unknown
    if as_json:
        emit({"token": made, "expires_in_s": int(LIFE.total_seconds())})
        return
    typer.echo(made)
    if not is_loopback(settings.server.host):
        note(f"server.host is {settings.server.host}: it believes no such token")
