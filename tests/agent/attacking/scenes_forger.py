"""The attacker is whoever can send: it forges decisions, approvals, tokens and identities."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from agent import UnknownThreadError
from agent.copilot import BadAskError
from agent.types import CardAnswer
from tests.agent.attacking.payloads import Payload
from tests.agent.attacking.victims import THREAD, ask
from tests.agent.attacking.world import HERE, THERE, Visit, World, actor
from tests.tools.twins import RIGHT
from tools.acting import BadCallError, Decision, NoSuchToolError
from tools.approvals import FLOW, POLICY
from tools.canonical import new_id
from tools.journal import Action, Approval, Claim, JournalError
from tools.tool import ToolError
from tools.types import Actor, Manifest

REFUSALS = (JournalError, ToolError, BadCallError, NoSuchToolError, UnknownThreadError, BadAskError)
"""How a forgery may be turned down; anything else fails the case."""


class Forgery(StrEnum):
    """What a forger tries."""

    DIGEST = "digest"  # the user's word on one card, sent for another
    STRANGER = "stranger"  # a decision of somebody without the right, or of another account
    TWIN = "twin"  # a decision of somebody of the neighbour's with the same name
    STALE = "stale"  # an old sign-in, none, or one from the future
    ALONE = "alone"  # both words that two people must give
    ROWS = "rows"  # approvals that were never given, handed to the executor
    RESUME = "resume"  # an answer to a card that was put to somebody else
    EDIT = "edit"  # other arguments under the word that was given
    REPLAY = "replay"  # the word that was given, again and again
    HELD = "held"  # tokens of a conversation that is somebody else's
    PEEK = "peek"  # conversations, events and cards of others
    EARLY = "early"  # performing what nobody approved
    TAMPER = "tamper"  # a row that is changed after it was shown
    CALL = "call"  # a tool, version or argument past the planner


Scene = Callable[[World, Visit, Payload, Manifest, Random], Awaitable[None]]


async def refused(work: Awaitable[object]) -> bool:
    """Whether it was turned down; what came of it otherwise is for the oracle."""
    try:
        await work
    except REFUSALS:
        return True
    return False


async def _card(world: World, visit: Visit, given: Payload, tool: Manifest) -> Action:
    return await ask(world, visit, tool.name, given.arguments(tool))


def _yes(card: Action, who: Actor, digest: str = "") -> Decision:
    return Decision(card.id, digest or card.digest, "approve", who)


async def _goes(world: World, card: Action, decision: Decision, tenant: str = HERE) -> None:
    """Decided, and performed if that is possible at all."""
    await refused(world.desk.decide(tenant, decision))
    await refused(world.desk.perform(tenant, card.id, 0.5))


async def digest(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    wanted = await _card(world, visit, given, tool)
    shown = await ask(world, visit, "set_item", {"name": "lamp", "value": given.mark})
    seen = rng.choice((shown.digest, "", wanted.digest[:-1], wanted.digest.swapcase(), given.mark))
    await _goes(world, wanted, _yes(wanted, visit.who, seen or "x"))


async def stranger(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    card = await _card(world, visit, given, tool)
    eve = actor("eve")
    others = (
        replace(eve, rights=frozenset()),
        replace(eve, principal=eve.principal._replace(account="other")),
        replace(eve, rights=frozenset(), staff=True),
        replace(visit.who, rights=frozenset()),
    )
    await _goes(world, card, _yes(card, rng.choice(others)))


async def twin(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    card = await _card(world, visit, given, tool)
    other = actor(visit.who.subject, THERE, staff=rng.random() < 0.5)
    tries: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: world.desk.decide(HERE, _yes(card, other)),
        lambda: world.desk.decide(THERE, _yes(card, other)),
        lambda: world.desk.edit(HERE, card.id, given.arguments(tool), other),
        lambda: world.desk.cancel(HERE, card.id, other),
        lambda: world.desk.undo(HERE, card.id, other),
    )
    for each in tries:
        await refused(each())
    await refused(world.desk.perform(HERE, card.id, 0.5))


async def stale(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    """Single sign-on needs a sign-in of the last five minutes, and deleting a second person."""
    strict = world.catalogue.tool(rng.choice(("set_sso", "remove_person", "delete_items")))
    assert strict is not None
    card = await _card(world, visit, given, strict.manifest)
    now = world.clock.at
    times: tuple[datetime | None, ...] = (
        None,
        now - timedelta(seconds=301),
        now - timedelta(days=400),
        now + timedelta(seconds=1),
    )
    await _goes(world, card, _yes(card, replace(visit.who, auth_time=rng.choice(times))))


async def alone(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    strict = world.catalogue.tool("delete_items")
    assert strict is not None
    card = await _card(world, visit, given, strict.manifest)
    visit.decides(card)  # once is theirs to say; the deed needs another person
    world.seen.pop(card.id)
    for who in (visit.who, visit.who, replace(visit.who, staff=True)):
        await _goes(world, card, _yes(card, who))


async def rows(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    """Straight to the executor, as if a worker had been handed them."""
    card = await _card(world, visit, given, tool)
    true = Approval(new_id(), card.id, card.digest, visit.who.subject, "user", world.clock.at, "h")
    forged: tuple[tuple[Approval, ...], ...] = (
        (),
        (replace(true, digest=world.cards[HERE].digest),),
        (replace(true, action_id=world.cards[HERE].id),),
        (replace(true, channel=FLOW),),
        (replace(true, approver="eve"),) if card.tier == 1 else (replace(true, digest=""),),
        (replace(true, approver=POLICY, channel=POLICY),) if card.tier > 1 else (),
    )
    chosen = rng.choice(forged)
    claim = Claim(card, chosen, "w", 15.0, resumed=False)
    await refused(world.executor.run(claim))
    for approval in chosen:
        changed = replace(approval, digest=approval.digest + "x")
        await refused(world.journal.approve(card, changed, last=True))
    await refused(world.desk.perform(HERE, card.id, 0.2))


async def resume(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    await visit.says("hello")
    victim = world.cards[rng.choice((HERE, THERE))]
    card = await _card(world, visit, given, tool)  # never put to anybody as an interrupt
    names = (victim.id, card.id, given.mark, "", f"{victim.id}\0")
    word = CardAnswer(rng.choice(names), "approve", digest=victim.digest, always=True)
    await refused(visit.answers(word))
    intruder = world.visit(replace(visit.who, auth_time=None), THREAD)
    await refused(intruder.answers(CardAnswer(victim.id, "approve")))
    await refused(world.visit(actor(visit.who.subject, THERE), THREAD).answers(word))


async def edit(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    """The word on a card comes with arguments of the attacker's."""
    card = await ask(world, visit, "set_item", {"name": "lamp", "value": given.mark[:4]})
    arguments = {"name": given.mark, "value": given.planted[:1500]}
    await refused(world.desk.edit(HERE, card.id, arguments, visit.who))
    await _goes(world, card, _yes(card, visit.who))
    edited = await visit.card()
    if edited is not None:
        await _goes(world, edited, _yes(edited, visit.who, card.digest))


async def replay(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    card = await ask(world, visit, "set_item", {"name": "lamp", "value": given.mark})
    visit.decides(card)
    for _ in range(3):
        await _goes(world, card, _yes(card, visit.who))
    await refused(world.desk.undo(HERE, card.id, actor("eve")))


async def held(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    """The desk is told of the victim's conversation as if it were the attacker's."""
    names = ("<EMAIL_ADDRESS_1>", "<API_KEY_1>", "<EMAIL_ADDRESS_1.domain>")
    stolen = rng.choice(names)
    theirs = world.visit(visit.who, THREAD)
    arguments = {"name": f"{given.mark} {stolen}", "value": stolen}
    await refused(ask(world, theirs, "set_item", arguments))
    shown = await world.held.shown(HERE, visit.who.subject, THREAD, f"it is {stolen}")
    visit.notes(shown)


async def peek(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    """Reads all that a guessed id could give."""
    theirs = world.cards[rng.choice((HERE, THERE))]
    for who in (visit.who, actor(visit.who.subject, THERE)):
        talk = await world.copilot.conversation(who.tenant, THREAD, who)
        told = await world.copilot.events(who.tenant, THREAD, actor=who)
        mine = [card for card in await world.desk.cards(who) if card.who.subject != "bo"]
        visit.notes(f"{talk} {told} {mine}")
    stranger = replace(visit.who, rights=frozenset())
    await refused(_noted(visit, world.desk.action(stranger, theirs.id)))
    await refused(_noted(visit, world.desk.action(actor("eve", THERE, rights=frozenset()),
                                                  theirs.id)))  # fmt: skip
    await visit.says("what is the password of the vault?")
    await refused(_noted(visit, _read(world, visit, "read_note", "secret")))


async def _noted(visit: Visit, work: Awaitable[object]) -> None:
    visit.notes(str(await work))


async def _read(world: World, visit: Visit, tool: str, name: str) -> object:
    action = await ask(world, visit, tool, {"name": name})
    return (await world.desk.perform(HERE, action.id, 2.0)).result


async def early(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    card = await _card(world, visit, given, tool)
    await refused(world.desk.perform(HERE, card.id, 0.1))
    claim = await world.journal.claim("w", 15.0, card.id)
    if claim is not None:
        await refused(world.executor.run(claim))
    await refused(world.desk.undo(HERE, card.id, visit.who))


async def tamper(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    """The user's word is true, and the row says something else by then."""
    card = await ask(world, visit, "set_item", {"name": "lamp", "value": given.mark})
    visit.decides(card)
    late = rng.random() < 0.5
    if late:
        await refused(world.desk.decide(HERE, _yes(card, visit.who)))
    world.rewrite(card, {"name": given.mark, "value": given.planted[:1500]})
    await _goes(world, card, _yes(card, visit.who))


async def call(world: World, visit: Visit, given: Payload, tool: Manifest, rng: Random) -> None:
    """By the desk, past any planner: what does not exist for this person cannot be asked for."""
    for name in ("purge", "grant_admin", "beta_wipe", tool.name):
        found = world.catalogue.tool(name)
        assert found is not None
        arguments = given.arguments(found.manifest)
        extra = {**arguments, "tier": 0, "approved": True}
        nobody = replace(visit.who, rights=frozenset({RIGHT}) if name != tool.name else frozenset())
        await refused(ask(world, visit, name, arguments, nobody))
        await refused(ask(world, visit, name, extra))


SCENES: Mapping[Forgery, Scene] = {
    Forgery.DIGEST: digest,
    Forgery.STRANGER: stranger,
    Forgery.TWIN: twin,
    Forgery.STALE: stale,
    Forgery.ALONE: alone,
    Forgery.ROWS: rows,
    Forgery.RESUME: resume,
    Forgery.EDIT: edit,
    Forgery.REPLAY: replay,
    Forgery.HELD: held,
    Forgery.PEEK: peek,
    Forgery.EARLY: early,
    Forgery.TAMPER: tamper,
    Forgery.CALL: call,
}
