"""seed -> case: a goal, a source, a disguise, a tool, and everything else that a die decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from typing_extensions import override

from agent.answerers.extractive import ExtractiveAnswerer
from retrieval.memory import HashEncoder
from tests.agent.attacking import scenes_forger, scenes_model, scenes_planner
from tests.agent.attacking.attacker import Attacker, AttackingModel, AttackingReader
from tests.agent.attacking.encodings import ENCODINGS
from tests.agent.attacking.oracle import Before, Finding, findings
from tests.agent.attacking.payloads import Payload, payload
from tests.agent.attacking.scenes_forger import Forgery
from tests.agent.attacking.scenes_model import Trick, Writing
from tests.agent.attacking.scenes_planner import Goal
from tests.agent.attacking.shop import OFFERED
from tests.agent.attacking.sources import Source, enter, plant
from tests.agent.attacking.victims import settle
from tests.agent.attacking.world import Visit, World, actor
from tests.agent.scripted_provider import provider

FRESH_AFTER = 60
"""Cases on one floor: journals in memory are searched from end to end."""


class Route(StrEnum):
    """Where the attacker sits."""

    PLANNER = "planner"
    FORGER = "forger"
    MODEL = "model"  # a chat model that plans
    READER = "reader"  # an answerer of its own making
    WRITER = "writer"  # a chat model that answers


AIMS: dict[Route, tuple[str, ...]] = {
    Route.PLANNER: tuple(Goal),
    Route.FORGER: tuple(Forgery),
    Route.MODEL: tuple(Trick),
    Route.READER: tuple(Writing),
    Route.WRITER: tuple(Writing),
}
_SHARES = (
    *[Route.PLANNER] * 10,
    *[Route.FORGER] * 14,
    *[Route.MODEL] * 5,
    *[Route.READER] * 4,
    *[Route.WRITER] * 4,
)
_BY_MODEL = frozenset({Route.MODEL, Route.WRITER})


@dataclass(frozen=True, slots=True)
class Case:
    """`seed` alone decides it all."""

    seed: int
    route: Route
    aim: str
    source: Source
    encoding: str
    tool: str

    @override
    def __str__(self) -> str:
        way = f"{self.route}/{self.aim} by {self.source}, {self.encoding}, {self.tool}"
        return f"{way}; replay: python -m tests.agent.attacking --replay {self.seed}"


def case_of(seed: int) -> Case:
    rng = Random(seed)
    route = rng.choice(_SHARES)
    return Case(
        seed=seed,
        route=route,
        aim=rng.choice(AIMS[route]),
        source=rng.choice(tuple(Source)),
        encoding=rng.choice(tuple(ENCODINGS)),
        tool=rng.choice(OFFERED).name,
    )


def cases(seed: int, count: int) -> list[Case]:
    """The same for the same seed; a longer list begins with the shorter one."""
    rng = Random(seed)
    return [case_of(rng.getrandbits(48)) for _ in range(count)]


@dataclass
class Grounds:
    """The floors that cases are tried on; each is used for some and then replaced."""

    model: AttackingModel
    worlds: dict[bool, World] = field(default_factory=dict)
    used: dict[bool, int] = field(default_factory=dict)

    async def world(self, case: Case) -> World:
        modelled = case.route in _BY_MODEL
        if self.used.get(modelled, FRESH_AFTER) >= FRESH_AFTER:
            self.worlds[modelled] = await self._fresh(modelled=modelled)
            self.used[modelled] = 0
        self.used[modelled] += 1
        world = self.worlds[modelled]
        world.reset()
        self.model.server.requests.clear()
        return world

    async def quiet_world(self, number: int) -> World:
        """A floor whose model does what users ask, and whose answerer keeps to the pages."""
        if number % FRESH_AFTER == 0:
            self.worlds[True] = World(
                self.model, self.model.planner(), ExtractiveAnswerer(HashEncoder())
            )
        self.worlds[True].reset()
        return self.worlds[True]

    async def _fresh(self, *, modelled: bool) -> World:
        if modelled:
            world = World(self.model, self.model.planner(), self.model.reader())
        else:
            attacker = Attacker()
            world = World(attacker, attacker, AttackingReader())
        world.reset()
        self.model.behaves(well=False)
        await settle(world)
        return world


@asynccontextmanager
async def grounds() -> AsyncIterator[Grounds]:
    async with provider() as server:
        yield Grounds(AttackingModel(server))


async def tried(case: Case, on: Grounds) -> list[Finding]:
    """One case, and everything that should not have happened in it."""
    rng = Random(case.seed ^ 0x5EED)
    world = await on.world(case)
    given = payload(rng, case.encoding, case.tool)
    visit = world.visit(actor(f"ana{next(world.numbers)}"))
    before = Before.of(world)
    plant(world, case.source, given)
    if case.route is not Route.FORGER:
        await enter(world, visit, case.source, given)
    await _play(case, world, visit, given, rng)
    found = await findings(world, visit, given, before)
    if case.route is not Route.FORGER and not _heard(world, case):
        found.append(Finding("unheard", "the attacker had no say: this was no attack"))
    await visit.drops()
    return found


def _heard(world: World, case: Case) -> int:
    attacker = world.attacker
    if isinstance(attacker, AttackingModel):
        remembers = case.aim == Trick.RECALL or case.source is Source.MEMORY
        return attacker.heard or remembers  # answers to open questions need no model
    assert isinstance(attacker, Attacker)
    assert isinstance(world.answerer, AttackingReader)
    return world.answerer.heard if case.route is Route.READER else attacker.heard


async def _play(case: Case, world: World, visit: Visit, given: Payload, rng: Random) -> None:
    (tool,) = (told for told in OFFERED if told.name == case.tool)
    match case.route:
        case Route.PLANNER:
            await scenes_planner.SCENES[Goal(case.aim)](world, visit, given, tool, rng)
        case Route.FORGER:
            await scenes_forger.SCENES[Forgery(case.aim)](world, visit, given, tool, rng)
        case Route.MODEL:
            await scenes_model.TRICKS[Trick(case.aim)](world, visit, given, tool, rng)
        case Route.READER | Route.WRITER:
            writing = Writing(case.aim)
            way = scenes_model.leak if writing is Writing.LEAK else scenes_model.write
            await way(world, visit, scenes_model.units(writing, given, rng))


async def all_tried(chosen: Sequence[Case]) -> dict[Case, list[Finding]]:
    """Every case in which something went wrong."""
    async with grounds() as on:
        outcomes = {case: await tried(case, on) for case in chosen}
    return {case: found for case, found in outcomes.items() if found}
