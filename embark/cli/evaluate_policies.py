"""`embark eval policies`: how far this tenant may be personalised, the gate of every candidate, and
which version ranks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import typer

from embark.cli.output import emit, out, settings_of
from embark.settings import Settings
from onboarding.events import EventLog
from onboarding.profile import profile_of
from onboarding.profile.keeping import ProfileStore
from onboarding.profile.readiness import (
    Observed,
    ReadinessFile,
    Standing,
    Watching,
    document,
    stand,
    text_of,
)
from onboarding.ranking import ModelFileError
from onboarding.store.profile.readiness import ReadinessStore
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.store import Champions
from onboarding.types import UNKNOWN

GROUP = "readiness"
"""Reads all of the log, and acknowledges nothing."""
SLOTS = ("next_step",)
SEED = 7
"""Of the clusters: the same events give the same report."""


def _nobody(_user: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class PolicyParts:
    """What is looked at. `segment` is the fact that segments are made of; `gain` and `levelled_off`
    are what an experiment measured of segments, if one did."""

    tenant: str
    now: datetime
    log: EventLog
    profiles: ProfileStore
    readiness: ReadinessStore
    file: ReadinessFile
    core: frozenset[str]
    champions: Champions | None = None
    models: ModelFolder | None = None
    segment: str = "role"
    slots: tuple[str, ...] = SLOTS
    is_outsider: Callable[[str], bool] = field(default=_nobody)
    gain: float | None = None
    levelled_off: bool = False


Open = Callable[[Settings], AbstractAsyncContextManager[PolicyParts]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that was fitted. `card` is what was measured of it, `problem` why it has none."""

    slot: str
    version: str
    rung: str
    serves: bool
    promoted: bool
    card: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Policies:
    """All that the command shows."""

    standing: Standing
    candidates: tuple[Candidate, ...]


def command_over(opened: Open) -> Callable[..., None]:
    """The command, over parts that the composition root opens."""

    def policies(
        ctx: typer.Context,
        keep: Annotated[
            bool, typer.Option(help="Remember this evaluation: a stage falls after two.")
        ] = True,
        cards: Annotated[bool, typer.Option(help="Show the whole card of every version.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    ) -> None:
        """Print readiness, the gate of every candidate, and the off-policy figures."""
        found = asyncio.run(_evaluated(opened, settings_of(ctx), keep=keep))
        emit(told(found)) if as_json else _show(found, cards=cards)

    return policies


async def _evaluated(opened: Open, settings: Settings, *, keep: bool) -> Policies:
    async with opened(settings) as parts:
        return await evaluated(parts, keep=keep)


async def evaluated(parts: PolicyParts, *, keep: bool = True) -> Policies:
    """Reads the whole log once. Raises StoreUnavailableError."""
    candidates = await _candidates(parts)
    passed = frozenset(each.rung for each in candidates if each.promoted)
    seen = replace(
        await _observed(parts), passed=passed, gain=parts.gain, levelled_off=parts.levelled_off
    )
    before = await parts.readiness.past(parts.tenant)
    standing = stand(seen, parts.file, before, np.random.default_rng(SEED))
    if keep:
        await parts.readiness.add(parts.tenant, parts.now, document(standing))
    return Policies(standing, candidates)


async def _observed(parts: PolicyParts) -> Observed:
    segments: dict[str, str] = {}
    watching = Watching(
        parts.file.reads,
        parts.core,
        lambda user: segments.get(user, UNKNOWN),
        parts.is_outsider,
    )
    after = 0
    while page := await parts.log.read(parts.tenant, GROUP, after):
        for number, event in page:
            if event.user is not None and event.user not in segments:
                facts = await parts.profiles.facts(parts.tenant, event.user)
                segments[event.user] = profile_of(facts, parts.now).value(parts.segment)
            watching.see(event)
            after = number
    return watching.observed(parts.now)


async def _candidates(parts: PolicyParts) -> tuple[Candidate, ...]:
    found: list[Candidate] = []
    if parts.models is None:
        return ()
    for slot in parts.slots:
        promoted: set[str | None] = set()
        serving = None
        if parts.champions is not None:
            promoted = {move.version for move in await parts.champions.moves(parts.tenant, slot)}
            serving = await parts.champions.champion(parts.tenant, slot)
        for version in parts.models.versions(slot):
            made = _candidate(parts.models, slot, version)
            found.append(replace(made, serves=version == serving, promoted=version in promoted))
    return tuple(found)


def _candidate(models: ModelFolder, slot: str, version: str) -> Candidate:
    """A version that is broken is shown as such: it never serves."""
    blank = Candidate(slot, version, "", serves=False, promoted=False, card="")
    try:
        files = models.load(slot, version)
        about = models.about(slot, version)
    except ModelFileError as failure:
        return replace(blank, problem=str(failure))
    card = files.get("card.md", b"").decode()
    return replace(blank, rung=str(about.get("rung", "")), card=card)


def gate_of(card: str) -> list[str]:
    """The lines of a card's gate: the refusal and every check."""
    _, _, rest = card.partition("## Gate")
    lines = rest.partition("\n## ")[0].splitlines()
    return [line.strip("| ") for line in lines if line.strip() and set(line) - set("|- ")]


def told(found: Policies) -> dict[str, Any]:
    """As one JSON object."""
    return {
        "readiness": document(found.standing),
        "candidates": [
            {
                "slot": each.slot,
                "version": each.version,
                "rung": each.rung,
                "serves": each.serves,
                "promoted": each.promoted,
                "gate": gate_of(each.card),
                "problem": each.problem,
            }
            for each in found.candidates
        ],
    }


def _show(found: Policies, *, cards: bool) -> None:
    out.print(text_of(found.standing), markup=False)
    if not found.candidates:
        out.print("no model was fitted: curated journeys rank")
    for each in found.candidates:
        state = "serves" if each.serves else "served before" if each.promoted else "candidate"
        out.print(f"\n{each.slot} {each.version} ({each.rung or 'broken'}): {state}", markup=False)
        if each.problem:
            out.print(f"  {each.problem}", markup=False)
        elif cards:
            out.print(each.card, markup=False)
        for line in () if cards else gate_of(each.card):
            out.print(f"  {line}", markup=False)
