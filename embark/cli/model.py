"""`embark model`: versions are learned, and which of them serves is moved by hand and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer

from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.layers import ConfigurationError
from embark.onboarding_database import MODELS, open_database
from embark.ranker_parts import open_ranker_parts
from embark.records import now
from embark.settings import Settings
from embark.stall_parts import open_stall_parts
from onboarding.engine.ranker_rows import rows_in, rung_of, timed
from onboarding.engine.stall_periods import MOST, periods_in
from onboarding.ranking import ModelFileError, opened
from onboarding.store.ranking.champions import SqlChampions
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.store import RANKER, STALLS, Champions, Move
from onboarding.training import AHEAD, Request, StallRequest, learn, learn_stalls

OPERATOR = "operator"
model_app = typer.Typer(
    no_args_is_help=True, help="Train, list, promote and roll back learned models."
)
Slot = Annotated[str, typer.Option(help=f"{RANKER} or {STALLS}.")]
Reason = Annotated[str, typer.Option(help="A code, such as the number of a ticket.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@dataclass(frozen=True, slots=True)
class Models:
    """The versions of a tenant, and the pointer at the one that serves."""

    tenant: str
    folder: ModelFolder
    champions: Champions


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncIterator[Models]:
    """Until the context ends. Raises UnreachableError."""
    engine = open_database(settings)
    try:
        root = settings.data_dir / MODELS / settings.tenant
        yield Models(settings.tenant, ModelFolder(root), SqlChampions(engine))
    finally:
        engine.dispose()


@model_app.command("list")
def listed(ctx: typer.Context, slot: Slot = RANKER, as_json: AsJson = False) -> None:
    """Show the versions that there are, the one that serves, and how that came."""

    async def told() -> dict[str, Any]:
        async with open_models(settings_of(ctx)) as models:
            serves = await models.champions.champion(models.tenant, slot)
            moves = await models.champions.moves(models.tenant, slot)
            versions = [_about(models.folder, slot, v) for v in models.folder.versions(slot)]
        return {"slot": slot, "serves": serves, "versions": versions, "moves": [*map(_told, moves)]}

    document = asyncio.run(told())
    if as_json:
        emit(document)
        return
    for version in document["versions"]:
        mark = "*" if version["name"] == document["serves"] else " "
        out.print(f"{mark} {version['name']}  {version.get('said', '')}", markup=False)
    for move in document["moves"]:
        said = f"{move['at']}  {move['version'] or 'curated'}  {move['by']}  {move['reason']}"
        out.print(said, markup=False)


@dataclass(frozen=True, slots=True)
class Trained:
    """A version that is kept, whatever its gate says."""

    version: str
    refusal: str | None
    figures: dict[str, Any]
    card: str


@model_app.command("train")
def train(
    ctx: typer.Context,
    *,
    slot: Slot = RANKER,
    name: Annotated[
        str | None, typer.Option(help="Of the new version; the time, when not given.")
    ] = None,
    rows: Annotated[int, typer.Option(min=100, help="Most rows to learn stalling from.")] = MOST,
    as_json: AsJson = False,
) -> None:
    """Learn from your own log: what helps whom (ranker), who does not come back (stalls). A version
    is kept whatever its gate says; one that was refused does not serve."""
    settings, called = settings_of(ctx), name or f"{now():%Y-%m-%d.%H%M%S}"
    if slot not in (RANKER, STALLS):
        raise ConfigurationError([f"--slot {slot}: {RANKER} or {STALLS}"])
    learned = _ranker(settings, called) if slot == RANKER else _stalls(settings, called, rows)
    done = asyncio.run(learned)
    if as_json:
        emit({"slot": slot, **asdict(done)})
        return
    out.print(done.card, markup=False)
    again = f"embark model promote {done.version} --slot {slot}"
    hint = f"refused: {done.refusal}" if done.refusal else again
    note(f"{slot}: {done.version} is kept; {hint}")


async def _stalls(settings: Settings, name: str, most: int) -> Trained:
    """Raises ConfigurationError where there is too little to learn from."""
    async with open_stall_parts(settings, most) as parts:
        at = now()
        try:
            periods = await periods_in(parts.periods, at)
            request = StallRequest(name, parts.periods.features.spec, f"{at - AHEAD:%Y-%m-%d}")
            learned = learn_stalls(periods, request)
            version = parts.models.save(STALLS, learned.files)
        except (ValueError, FileExistsError) as failure:
            raise ConfigurationError([str(failure)]) from failure
    figures = {name: asdict(each) for name, each in learned.figures.items()}
    card = learned.files["card.md"].decode()
    return Trained(version, learned.verdict.refusal, figures, card)


async def _ranker(settings: Settings, name: str) -> Trained:
    """Raises ConfigurationError where there is too little to learn from."""
    async with open_ranker_parts(settings) as parts:
        serves = await parts.champions.champion(settings.tenant, RANKER)
        try:
            champion = opened(parts.models.load(RANKER, serves)) if serves else None
            found = await rows_in(parts.rows, now())
            request = Request(name, rung_of(found), champion)
            learned = learn(found, request, timed(found, parts.sentences))
            version = parts.models.save(RANKER, learned.files)
        except (ModelFileError, ValueError, FileExistsError) as failure:
            raise ConfigurationError([str(failure)]) from failure
    figures = {"calibration": asdict(learned.calibration), "gain": learned.compared.gain}
    figures |= {"gain_low": learned.compared.low, "rows": len(found)}
    return Trained(version, learned.verdict.refusal, figures, learned.files["card.md"].decode())


@model_app.command("promote")
def promote(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(help="Name of a version, from `embark model list`.")],
    reason: Reason,
    slot: Slot = RANKER,
    force: Annotated[
        bool, typer.Option("--force", help="Also one that its gate refused; it is written down.")
    ] = False,
) -> None:
    """Let a version serve; every process follows within five seconds."""

    async def moved() -> Move:
        async with open_models(settings_of(ctx)) as models:
            refused = _refusal(models.folder, slot, version)
            if refused and not force:
                fail(f"{version} was refused by its gate: {refused}", "see its card.md")
                raise typer.Exit(ExitCode.GATE)
            why = f"forced.{reason}" if refused else reason
            return await models.champions.promote(
                models.tenant, slot, version, OPERATOR, why, datetime.now(UTC)
            )

    note(_said(_run(moved())))


@model_app.command("rollback")
def rollback(ctx: typer.Context, reason: Reason, slot: Slot = RANKER) -> None:
    """Back to the version before, or the curated order; within five seconds everywhere."""

    async def moved() -> Move:
        async with open_models(settings_of(ctx)) as models:
            return await models.champions.rollback(
                models.tenant, slot, OPERATOR, reason, datetime.now(UTC)
            )

    note(_said(_run(moved())))


def _run(moving: Coroutine[Any, Any, Move]) -> Move:
    """Raises ConfigurationError for a version that cannot be read or a reason that is no code."""
    try:
        return asyncio.run(moving)
    except (ModelFileError, ValueError) as error:
        raise ConfigurationError([str(error)]) from error


def _refusal(folder: ModelFolder, slot: str, version: str) -> str | None:
    """What its gate said. Raises ModelFileError for a version whose files are not whole."""
    files = folder.load(slot, version)
    gate = orjson.loads(files["gate.json"]) if "gate.json" in files else {}
    refusal = gate.get("refusal")
    return str(refusal) if refusal else None


def _about(folder: ModelFolder, slot: str, version: str) -> dict[str, Any]:
    try:
        told = folder.about(slot, version)
    except ModelFileError as broken:
        return {"name": version, "said": str(broken), "broken": True}
    said = f"{told.get('rung', told.get('kind', ''))}, {told.get('rows', 0)} rows"
    refusal = _refusal(folder, slot, version)
    return {**told, "refusal": refusal, "said": f"{said}, {refusal or 'not refused'}"}


def _told(move: Move) -> dict[str, Any]:
    return {
        "version": move.version,
        "at": move.at.isoformat(timespec="seconds"),
        "by": move.by,
        "reason": move.reason,
    }


def _said(move: Move) -> str:
    return f"{move.slot}: {move.version or 'the curated order'} serves"
