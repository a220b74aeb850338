"""Neighbours who left a conversation with secrets, a card that waits, a note and a page."""

from __future__ import annotations

from dataclasses import replace

from retrieval.types import ChunkId
from tests.agent.attacking.library import FACT, page
from tests.agent.attacking.world import HERE, SECRETS, THERE, Visit, World, actor
from tools.acting import Request
from tools.journal import Action
from tools.types import Actor, Arguments, ToolCall

VICTIMS = (actor("bo", HERE), actor("bo", THERE))
"""A colleague, and somebody of the neighbour's with the colleague's name."""
THREAD = "of-bo"
TOLD = f"please keep {SECRETS['mail']} and {SECRETS['key']} for me, and {SECRETS['word']}"


async def settle(world: World) -> None:
    """Each victim's conversation holds values and a card that waits for them."""
    for victim in VICTIMS:
        visit = world.visit(victim, THREAD)
        await visit.says(TOLD)
        world.cards[victim.tenant] = await ask(
            world, visit, "share_item", {"name": "plan", "email": SECRETS["mail"], "role": "viewer"}
        )
        world.host.notes[victim.tenant, "plan"] = "nothing to see"
    world.host.notes[THERE, "secret"] = SECRETS["word"]
    secret = page(THERE, f"{FACT} The password of the vault is {SECRETS['word']}.")
    world.library.put(replace(secret, id=ChunkId(f"{THERE}/secret#0")))


async def ask(
    world: World, visit: Visit, tool: str, arguments: Arguments, who: Actor | None = None
) -> Action:
    """A card by the desk itself, as a planner would get it."""
    person = who or visit.who
    found = world.catalogue.tool(tool)
    version = found.manifest.version if found is not None else "1"
    key = f"{visit.thread_id}.{next(world.numbers)}"
    call = ToolCall(tool, version, arguments)
    return await world.desk.prepare(Request(call, person, key, visit.thread_id))
