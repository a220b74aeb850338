"""`embark tools`: what the copilot may do, whether the policy file is sound, and one call tried."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydantic import JsonValue
from rich.table import Table

from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.layers import ConfigurationError
from embark.settings import Settings
from embark.tool_parts import flows_of, kits_of, open_desk, open_tools
from tools.acting import BadCallError, Decision, Desk, Request
from tools.approvals import effective_tier
from tools.canonical import new_id
from tools.flows import flow_problems
from tools.journal import Action, JournalError, State
from tools.lint import Finding, lint
from tools.preview import render
from tools.registry import Registry, may_use
from tools.tool import Tool, ToolError
from tools.types import Actor, Arguments, Attempt, Card, Manifest, Principal, ToolCall
from tools.validation import validate

TOKEN_VARIABLE = "TOOLS_TOKEN"
"""Where the acting user's token is read from: an option would stay in the shell's history. Not a
setting, hence without their prefix."""
WAIT_S = 60.0
tools_app = typer.Typer(no_args_is_help=True, help="List, check and try what the copilot may do.")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
PolicyPath = Annotated[
    Path | None, typer.Option("--file", help="Policy file; `actions.tools` if not given.")
]
OpenDesk = Callable[[Settings, Registry], AbstractAsyncContextManager[Desk]]


@tools_app.command("list")
def list_tools(
    ctx: typer.Context,
    file: PolicyPath = None,
    rights: Annotated[
        str | None,
        typer.Option(help="Only what these rights of the product allow, separated by commas."),
    ] = None,
    plan: Annotated[str, typer.Option(help="Plan of the account, with --rights.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the tools with tier, class, rights and arguments."""
    manifests = asyncio.run(_manifests(settings_of(ctx), file))
    if rights is not None:
        held = frozenset(right.strip() for right in rights.split(",") if right.strip())
        actor = Actor(Principal("", "", ""), held, plan=plan)
        manifests = tuple(m for m in manifests if may_use(m, actor))
    if as_json:
        emit({"tools": [_line(manifest) for manifest in manifests]})
        return
    table = Table("tool", "title", "tier", "class", "undo", "rights", "arguments", box=None)
    table.columns[0].no_wrap = True
    for manifest in manifests:
        table.add_row(*_row(manifest))
    out.print(table)
    note(f"{len(manifests)} tools")


async def _manifests(settings: Settings, file: Path | None) -> tuple[Manifest, ...]:
    async with open_tools(settings, file) as tools:
        for problem in tools.opened.problems:
            note(f"left out: {problem}")
        return tools.registry.manifests()


def _line(manifest: Manifest) -> dict[str, object]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "source": manifest.source,
        "tier": manifest.tier.name,
        "risk": manifest.tier.risk,
        "class": manifest.effect.value,
        "rights": sorted(manifest.rights),
        "plans": sorted(manifest.plans),
        "undo": manifest.undo,
        "hidden": manifest.hidden,
        "arguments": {name: each.label for name, each in manifest.arguments.items()},
        "schema": dict(manifest.schema),
    }


def _row(manifest: Manifest) -> tuple[str, ...]:
    listed = manifest.schema.get("required")
    required = listed if isinstance(listed, list) else []
    names = [name if name in required else f"{name}?" for name in manifest.arguments]
    return (
        manifest.name,
        manifest.title,
        manifest.tier.name,
        "" if manifest.reads_only else manifest.effect.value,
        "yes" if manifest.undo else "",
        ", ".join(sorted(manifest.rights)),
        " ".join(names),
    )


@tools_app.command("lint")
def lint_tools(
    ctx: typer.Context,
    file: PolicyPath = None,
    strict: Annotated[bool, typer.Option(help="Warnings count as errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold policy file and flows against the documents; exit 1 when something is wrong."""
    findings = asyncio.run(_findings(settings_of(ctx), file))
    bad = [f for f in findings if strict or f.level == "error"]
    if as_json:
        emit({"findings": [_finding(each) for each in findings], "passed": not bad})
    else:
        for each in findings:
            out.print(f"{each.where}: {each.level}: {each.tool}: {each.message}", markup=False)
        note(f"{len(findings)} findings" if findings else "nothing to mend")
    raise typer.Exit(ExitCode.FAILED if bad else ExitCode.OK)


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level,
        "where": finding.where,
        "tool": finding.tool,
        "message": finding.message,
    }


async def _findings(settings: Settings, file: Path | None) -> list[Finding]:
    async with open_tools(settings, file) as tools:
        unfit = [Finding("error", p.where, p.tool, p.message) for p in tools.opened.problems]
        found = [*unfit, *lint(tools.file, tools.opened.by_key)]
        return found if file is not None else [*found, *_of_flows(settings, tools.registry)]


def _of_flows(settings: Settings, registry: Registry) -> list[Finding]:
    """Mistakes of the flow files, and what they ask of tools that is not so."""
    folder = settings.actions.flows
    if folder is None:
        return []
    try:
        flows = flows_of(settings)
        kits = kits_of(settings, flows)
    except ConfigurationError as mistakes:
        return [Finding("error", str(folder), "flows", problem) for problem in mistakes.problems]
    files = {flow.flow: f"{folder / flow.flow}.yaml" for flow in flows}
    problems = (problem.partition(": ") for problem in flow_problems(flows, registry, kits))
    return [
        Finding("error", files[place.partition(".")[0]], place, message)
        for place, _, message in problems
    ]


class _Try(NamedTuple):
    """One call to be tried, and by whom."""

    tool: str
    arguments: Arguments
    who: Principal


@tools_app.command("try")
def try_tool(  # noqa: PLR0913  # the options of a command
    ctx: typer.Context,
    tool: Annotated[str, typer.Argument(help="Name of the tool.")],
    arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An argument; JSON or text.")
    ] = None,
    *,
    account: Annotated[str, typer.Option(help="Account in which it is done.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    file: PolicyPath = None,
    as_json: AsJson = False,
) -> None:
    """Show the card of one call and, once you agree, do it with your own token.

    The token is read from TOOLS_TOKEN. What is done goes through the journal and leaves a
    receipt.
    """
    settings = settings_of(ctx)
    who = Principal(settings.tenant, "cli", account)
    wanted = _Try(tool, dict(_argument(text) for text in arg or ()), who)
    agreed = (lambda: True) if yes else _asked(ctx)
    try:
        document = asyncio.run(tried(settings, wanted, agreed, open_desk, file=file))
    except (ToolError, BadCallError, JournalError) as failure:
        fail(str(failure))
        raise typer.Exit(ExitCode.FAILED) from failure
    if document is None:
        raise typer.Exit(ExitCode.FAILED)
    if as_json:
        emit(document)
    else:
        out.print_json(json.dumps(document))
    if document.get("state") not in (None, State.SUCCEEDED.value):
        raise typer.Exit(ExitCode.FAILED)


def _argument(text: str) -> tuple[str, JsonValue]:
    name, sign, raw = text.partition("=")
    if not sign or not name:
        raise typer.BadParameter(f"--arg {text}: write NAME=VALUE, such as role=viewer")
    try:
        value: JsonValue = json.loads(raw, parse_float=str)
    except json.JSONDecodeError:
        value = raw
    return name, value


def _asked(ctx: typer.Context) -> Callable[[], bool]:
    def ask() -> bool:
        if getattr(ctx.obj, "no_input", False):
            note("not done: --no-input asks nothing; give --yes to do it")
            return False
        return typer.confirm("Do it?", err=True)

    return ask


async def tried(
    settings: Settings,
    wanted: _Try,
    agreed: Callable[[], bool],
    desk: OpenDesk,
    *,
    file: Path | None = None,
) -> dict[str, JsonValue] | None:
    """Result of a reading tool, action of a writing one; None when it was not agreed to."""
    async with open_tools(settings, file, os.environ.get(TOKEN_VARIABLE, "")) as tools:
        found = tools.registry.tool(wanted.tool)
        if found is None:
            known = ", ".join(manifest.name for manifest in tools.registry.manifests())
            raise typer.BadParameter(f"there is no tool {wanted.tool}; there are: {known}")
        manifest = found.manifest
        validate(manifest, wanted.arguments)
        call = ToolCall(manifest.name, manifest.version, wanted.arguments)
        if manifest.reads_only:
            done = await found.run(call, wanted.who, Attempt(new_id(), 1, 1))
            return {"result": dict(done.result)}
        await _show_card(found, call, wanted.who)
        if not agreed():
            return None
        async with desk(settings, tools.registry) as opened:
            return _outcome(await _performed(opened, call, wanted.who, manifest))


async def _show_card(tool: Tool, call: ToolCall, who: Principal) -> None:
    target = await tool.look(call, who)
    tier = effective_tier(tool.manifest, call.arguments)
    _print_card(render(tool.manifest, call.arguments, target, who, tier, {}))


def _print_card(card: Card) -> None:
    note(f"{card.title} · {card.tier.name} ({card.tier.risk}) · {card.who}")
    for field in card.fields:
        before = f"  (now: {field.before})" if field.before is not None else ""
        note(f"  {field.label}: {field.value}{before}")
    for line in (*card.notes, *((f"Undo: {card.undo}",) if card.undo else ())):
        note(f"  {line}")


async def _performed(desk: Desk, call: ToolCall, who: Principal, manifest: Manifest) -> Action:
    """Whoever types the command holds the rights that the token has, and has just agreed."""
    actor = Actor(who, manifest.rights, auth_time=datetime.now(UTC))
    action = await desk.prepare(Request(call, actor, new_id()))
    if action.state is State.PENDING:
        decision = Decision(action.id, action.digest, "approve", actor, "api")
        action = await desk.decide(who.tenant, decision)
    if action.state is State.PENDING:
        note("approved by you; another person with the right has to approve it too")
        return action
    return await desk.perform(who.tenant, action.id, WAIT_S)


def _outcome(action: Action) -> dict[str, JsonValue]:
    return {
        "action": action.id,
        "state": action.state.value,
        "reason": action.reason,
        "detail": action.detail,
        "result": dict(action.result),
        "undo": None
        if action.undo is None
        else {"tool": action.undo.tool, "arguments": dict(action.undo.arguments)},
        "receipt": action.receipt,
    }
