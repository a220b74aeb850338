"""Every source really brings in what the stranger wrote: an attack that is not read is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

import pytest

from agent.acting import NoAction, Plan, PlannerTurn
from agent.action_types import CardShown, ToolEnded
from agent.types import MessageFinished
from tests.agent.attacking.attacker import Attacker, AttackingReader
from tests.agent.attacking.library import POISONED
from tests.agent.attacking.payloads import Payload, payload
from tests.agent.attacking.scenes_planner import ORDER
from tests.agent.attacking.sources import DONE, READ, Source, enter, plant
from tests.agent.attacking.victims import ask, settle
from tests.agent.attacking.world import HERE, Visit, World, actor


async def entered(source: Source) -> tuple[World, Visit, Payload]:
    attacker = Attacker()
    world = World(attacker, attacker, AttackingReader())
    world.reset()
    await settle(world)
    given = payload(Random(3), "nested_quote", "share_item")
    visit = world.visit(actor("ana"))
    plant(world, source, given)
    await enter(world, visit, source, given)
    return world, visit, given


@pytest.mark.parametrize("source", sorted(READ))
async def test_a_page_is_retrieved(source: Source) -> None:
    _, visit, _ = await entered(source)
    (answered,) = [e for e in visit.events if isinstance(e, MessageFinished)]
    assert POISONED in {each.chunk_id for each in answered.answer.retrieved}


@pytest.mark.parametrize("source", sorted(DONE))
async def test_a_deed_is_done_or_fails_before_the_attack(source: Source) -> None:
    world, visit, given = await entered(source)
    (ended,) = [e for e in visit.events if isinstance(e, ToolEnded)][-1:]
    assert ended.view["state"] == ("failed" if source is Source.TOOL_ERROR else "succeeded")
    cards = [e.view for e in visit.events if isinstance(e, CardShown)]
    seen = json.dumps([dict(ended.view), *map(dict, cards)], default=str)
    assert given.mark in seen
    assert len(world.shop.ledger) == (0 if source is Source.TOOL_ERROR else 1)


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (Source.CRM_FIELD, lambda turn: str(turn.facts)),
        (Source.MEMORY, lambda turn: str(turn.wish)),
        (Source.PASTE, lambda turn: str(turn.history)),
    ],
)
async def test_a_turn_carries_it(source: Source, seen: Callable[[PlannerTurn], str]) -> None:
    world, visit, given = await entered(source)
    turns: list[PlannerTurn] = []

    def looks(turn: PlannerTurn) -> Plan:
        turns.append(turn)
        return NoAction()

    assert isinstance(world.attacker, Attacker)
    world.attacker.move = looks
    await visit.says(ORDER)
    assert given.mark in seen(turns[0]) or "<EMAIL_ADDRESS_1>" in seen(turns[0])


async def test_a_name_is_among_the_choices() -> None:
    world, visit, given = await entered(Source.DISPLAY_NAME)
    assert world.parts.acting is not None
    found = await world.parts.acting.lookup(visit.who).choices("remove_person", "person")
    assert given.mark in str(found)


async def test_a_note_is_read_without_asking() -> None:
    world, visit, given = await entered(Source.NOTE)
    action = await ask(world, visit, "read_note", {"name": "today"})
    done = await world.desk.perform(HERE, action.id, 2.0)
    assert given.mark in str(done.result)
