"""The `embark` command: one verb (or verb group) a file, imported only when it is run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

from embark import __version__


class Invocation(NamedTuple):
    """The options that stand before the verb; every command finds them as `ctx.obj`."""

    config: Path | None
    assignments: tuple[str, ...]
    no_input: bool


class Verb(NamedTuple):
    """Where a command lives and the line that `embark --help` shows for it."""

    target: str  # module:attribute, a Typer app or a function
    help: str


VERBS = {
    "init": Verb("embark.cli.init:init", "Write an embark.toml that points at your docs."),
    "doctor": Verb("embark.cli.doctor:doctor", "Check this installation and say how to mend it."),
    "index": Verb("embark.cli.index:index_app", "Plan, build, switch and roll back the index."),
    "ask": Verb("embark.cli.ask:ask", "Answer a question from the docs, with proof."),
    "search": Verb("embark.cli.search:search", "Show the passages that a question finds."),
    "redact": Verb("embark.cli.redact:redact", "Mask personal data and secrets in text."),
    "serve": Verb("embark.cli.serve:serve", "Serve the chat page and the API."),
    "demo": Verb("embark.cli.demo:demo", "Index the docs, serve them, open the chat page."),
    "config": Verb("embark.cli.config:config_app", "Show every setting and where it comes from."),
    "train": Verb("embark.cli.train:train_app", "Fit models on the development data."),
    "eval": Verb("embark.cli.evaluate:eval_app", "Measure answers on questions with known ones."),
    "receipts": Verb("embark.cli.receipts:receipts_app", "List, show and verify signed receipts."),
    "connectors": Verb(
        "embark.cli.connectors:connectors_app", "Stop what the copilot reaches, at once."
    ),
    "staff": Verb("embark.cli.staff:staff_app", "End sessions of staff; sign in locally."),
    "subjects": Verb(
        "embark.cli.subjects:subjects_app", "Export or erase what is kept of a person."
    ),
    "decisions": Verb("embark.cli.decisions:decisions_app", "List and export what was decided."),
    "audit": Verb("embark.cli.audit:audit_app", "List and export who did what to whose data."),
    "retention": Verb(
        "embark.cli.retention:retention_app", "For how long things are kept; legal holds."
    ),
    "events": Verb("embark.cli.events:events_app", "Check contracts; show and replay quarantine."),
    "journeys": Verb(
        "embark.cli.journeys:journeys_app", "Check, preview, publish and take back journeys."
    ),
    "deliveries": Verb(
        "embark.cli.deliveries:deliveries_app", "What was sent, and why something waits."
    ),
    "model": Verb("embark.cli.model:model_app", "List, promote and roll back learned models."),
    "tools": Verb("embark.cli.tools:tools_app", "List, check and try what the copilot may do."),
    "openapi": Verb("embark.cli.openapi:openapi", "Print the OpenAPI document of the server."),
}


class LazyGroup(TyperGroup):
    """Lists verbs from `VERBS` and imports one only when it is about to run.

    Typer does not export the types of contexts and commands, hence `Any`.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # handed through to Typer
        self.commands = {name: TyperCommand(name, help=verb.help) for name, verb in VERBS.items()}

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args and args[0] in VERBS:
            self.commands[args[0]] = _load(args[0], VERBS[args[0]])
        return super().resolve_command(ctx, args)

    @override
    def invoke(self, ctx: Any) -> object:
        """Run the verb; known errors become one message and the exit code of `output.py`."""
        with importlib.import_module("embark.cli.output").reporting():
            return super().invoke(ctx)


def _load(name: str, verb: Verb) -> Any:
    module, _, attribute = verb.target.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        alone = typer.Typer(add_completion=False)
        alone.command(name)(target)
        target = alone
    return typer.main.get_command(target)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"embark {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    name="embark",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold user text
    rich_markup_mode=None if not sys.stdout.isatty() else "rich",
)


@app.callback()
def main(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Configuration file; the nearest embark.toml if not given.")
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one setting (model.name=tiny)."),
    ] = None,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask anything.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    """Answers with proof from your documentation."""
    ctx.obj = Invocation(config, tuple(assign or ()), no_input)
