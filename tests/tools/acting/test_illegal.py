"""Everything that must not run: 0 illegal executions, counted by the target.

`EMBARK_TEST_FLIPS` and `EMBARK_TEST_RACES` set the counts; 100,000 and 1,000 in a soak.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from pydantic import JsonValue

from tests.tools.acting.floor import ANA, BO, START, Floor, of_class, person, yes
from tests.tools.twins import manifest
from tools.journal import Action, ApprovalError, Claim, IllegalMoveError, JournalError, State
from tools.journal_memory import MemoryJournal
from tools.tool import ToolError
from tools.types import EffectClass, Principal, Tier

FLIPS = int(os.environ.get("EMBARK_TEST_FLIPS", "2000"))
RACES = int(os.environ.get("EMBARK_TEST_RACES", "50"))
SEED = int(os.environ.get("EMBARK_TEST_SEED", "20260504"))
WAYS = 64
ARGUMENTS: dict[str, JsonValue] = {
    "name": "Sales",
    "value": "ana@acme.io",
    "members": ["a@b.co", "c@d.co"],
    "count": 3,
    "options": {"deep": {"flag": True}},
}


def flipped(text: str, rng: Random) -> str:
    """One bit of one character, or a character more or less."""
    at = rng.randrange(len(text)) if text else 0
    match rng.randrange(3):
        case 0 if text:
            return text[:at] + chr(ord(text[at]) ^ (1 << rng.randrange(7))) + text[at + 1 :]
        case 1 if text:
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + chr(rng.randrange(32, 127)) + text[at:]


def changed(value: JsonValue, rng: Random) -> JsonValue:
    match value:
        case bool():
            return not value
        case int():
            return value ^ (1 << rng.randrange(20))
        case str():
            return flipped(value, rng)
        case list():
            at = rng.randrange(len(value))
            return [changed(v, rng) if n == at else v for n, v in enumerate(value)]
        case dict():
            name = rng.choice(sorted(value))
            return {**value, name: changed(value[name], rng)}
        case _:
            return "not null any more"


def mutated(action: Action, rng: Random) -> tuple[str, Action]:
    """The action with one field of the digest changed, and which."""
    call, who = action.call, action.who
    kinds: dict[str, Callable[[], Action]] = {
        "arguments": lambda: replace(
            action,
            call=replace(call, arguments=changed(dict(call.arguments), rng)),  # type: ignore[arg-type]
        ),
        "dropped": lambda: replace(
            action,
            call=replace(
                call,
                arguments={
                    name: value
                    for name, value in call.arguments.items()
                    if name != rng.choice(sorted(call.arguments))
                }
                | {"extra": 1},
            ),
        ),
        "tool": lambda: replace(action, call=replace(call, tool=flipped(call.tool, rng))),
        "tool_version": lambda: replace(
            action, call=replace(call, version=flipped(call.version, rng))
        ),
        "tenant": lambda: replace(action, who=who._replace(tenant=flipped(who.tenant, rng))),
        "actor": lambda: replace(action, who=who._replace(subject=flipped(who.subject, rng))),
        "account": lambda: replace(action, who=who._replace(account=flipped(who.account, rng))),
        "etag": lambda: replace(action, etag=flipped(action.etag or "", rng)),
        "policy": lambda: replace(action, policy_version=flipped(action.policy_version, rng)),
        "tier": lambda: replace(
            action, tier=rng.choice([tier for tier in Tier if tier != action.tier])
        ),
        "nonce": lambda: replace(action, nonce=flipped(action.nonce, rng)),
        "expires": lambda: replace(
            action, expires=action.expires + timedelta(microseconds=rng.randint(1, 10**12))
        ),
    }
    kind = rng.choice(sorted(kinds))
    return kind, kinds[kind]()


async def test_flips_of_an_approved_action_never_run() -> None:
    """In what is stored, and in what a worker was handed: whichever is changed, nothing happens."""
    rng, floor, kinds = Random(SEED), Floor(), Counter[str]()
    assert isinstance(floor.books, MemoryJournal)
    entries = floor.books.shelves.entries
    for number in range(FLIPS // 2):
        floor.shop.write("", "Sales", str(number))
        action = await floor.approved({**ARGUMENTS, "count": number}, key=f"k{number}")
        kind, forged = mutated(action, rng)
        kinds[kind] += 1
        key = ("t", action.id)
        sound = entries[key]
        entries[key] = replace(sound, action=forged)
        assert await claimed(floor, action) is None, kind
        entries[key] = sound
        claim = await floor.claimed(action)
        kind, forged = mutated(claim.action, rng)
        kinds[kind] += 1
        await handed(floor, replace(claim, action=forged))
        assert not floor.shop.ledger, f"seed {SEED}, case {number}: {kind} ran"
        floor.tool.attempts.clear()
    assert not floor.shop.ledger
    assert len(kinds) == 12


async def claimed(floor: Floor, action: Action) -> Claim | None:
    try:
        return await floor.books.claim("w", 15.0, action.id)
    except IllegalMoveError:
        return None  # a row under another tenant's key: not even refused


async def handed(floor: Floor, claim: Claim) -> None:
    """What a worker does with a claim that somebody tampered with on its way."""
    try:
        ended = await floor.executor.run(claim)
    except JournalError:
        return  # it names another tenant's action: there is none
    assert ended.state is not State.SUCCEEDED


async def test_flips_of_the_digest_that_was_seen_never_approve() -> None:
    rng, floor = Random(SEED), Floor()
    action = await floor.pending()
    for _ in range(FLIPS // 2):
        digest = flipped(action.digest, rng)
        if digest == action.digest:
            continue
        with pytest.raises(ApprovalError) as refused:
            await floor.desk.decide("t", yes(action, digest=digest))
        assert refused.value.code == "digest_mismatch"
    assert (await floor.state(action)).state is State.PENDING


async def test_one_of_sixty_four_decisions_wins() -> None:
    floor = Floor(manifest(tier=Tier.R2))
    people = [person(f"p{n}") for n in range(WAYS)]
    for race in range(RACES):
        action = await floor.pending({"name": f"n{race}", "value": "v"}, key=f"k{race}")
        words = [yes(action, who) for who in people]
        results = await asyncio.gather(
            *(floor.desk.decide("t", word) for word in words), return_exceptions=True
        )
        won = [r for r in results if isinstance(r, Action)]
        lost = [r for r in results if isinstance(r, ApprovalError)]
        assert (len(won), len(lost)) == (1, WAYS - 1)
        assert {each.code for each in lost} == {"not_pending"}
        await asyncio.gather(*(floor.perform(action) for _ in range(8)))
    assert len(floor.shop.ledger) == RACES
    assert set(floor.shop.effects.values()) == {1}


async def test_approve_against_cancel_has_one_winner() -> None:
    floor, rng = Floor(), Random(SEED)
    outcomes: Counter[State] = Counter()
    for race in range(RACES):
        action = await floor.pending({"name": f"n{race}", "value": "v"}, key=f"k{race}")
        moves = [floor.desk.decide("t", yes(action)), floor.desk.cancel("t", action.id, ANA)]
        rng.shuffle(moves)
        await asyncio.gather(*moves, return_exceptions=True)
        ended = await floor.perform(action)
        outcomes[ended.state] += 1
        assert floor.shop.effects[action.id] == (ended.state is State.SUCCEEDED)
    assert outcomes.keys() <= {State.SUCCEEDED, State.REFUSED}
    assert outcomes[State.REFUSED]


async def test_replays_of_every_decision_do_nothing() -> None:
    """Each word that was ever given is given again, at every later state."""
    floor = Floor(manifest(tier=Tier.R4))
    action = await floor.pending()
    words = [yes(action), yes(action, BO)]
    for word in words:
        await floor.desk.decide("t", word)
        for again in words[: words.index(word) + 1]:
            with pytest.raises(ApprovalError):
                await floor.desk.decide("t", again)
    done = await floor.perform(action)
    undo = await floor.desk.undo("t", done.id, ANA)
    for word in [*words, *(replace(each, action_id=undo.id) for each in words)]:
        with pytest.raises(ApprovalError):
            await floor.desk.decide("t", word)
    assert floor.shop.effects == {action.id: 1}
    assert (await floor.state(undo)).state is State.PENDING


LOGINS: tuple[datetime | None, ...] = (
    None,
    START,
    START - timedelta(seconds=300),
    START - timedelta(seconds=301),
)
LOGINS += (START + timedelta(hours=1), START - timedelta(days=1))
ROLES = {
    "owner": ANA,
    "colleague": BO,
    "no right": replace(BO, rights=frozenset()),
    "staff": person("sam", "", staff=True),
    "stranger": person("eve", "globex"),
    "other tenant": replace(BO, principal=Principal("u", "bo", "acme")),
}


@pytest.mark.parametrize("tier", list(Tier)[1:], ids=str)
@pytest.mark.parametrize("role", ROLES)
async def test_role_tier_and_login_age_through_to_the_effect(role: str, tier: Tier) -> None:
    """The matrix again, this time to the target: what ran had leave, and what had leave ran."""
    for login in LOGINS:
        floor = Floor(manifest(tier=tier))
        action = await floor.pending()
        approver = replace(ROLES[role], auth_time=login)
        with suppress(ApprovalError):
            await floor.desk.decide("t", yes(action, approver))
        await floor.perform(action, 0.0)
        await floor.desk.aclose()
        assert len(floor.shop.ledger) == has_leave(role, tier, login)


def has_leave(role: str, tier: Tier, login: datetime | None) -> bool:
    fresh = login is not None and 0 <= (START - login).total_seconds() <= 300
    match tier:
        case Tier.R1:
            return role == "owner"
        case Tier.R2:
            return role in {"owner", "colleague", "staff"}
        case Tier.R3:
            return role in {"owner", "colleague", "staff"} and fresh
        case _:
            return False  # one person is not two


@pytest.mark.parametrize("tier", [Tier.R1, Tier.R3], ids=str)
async def test_clock_jumps_neither_approve_nor_start_late(tier: Tier) -> None:
    """The journal's clock jumps by up to an hour between any two steps."""
    rng = Random(SEED)
    life_s = 900 if tier is Tier.R1 else 300
    for number in range(RACES):
        floor = Floor(manifest(tier=tier))
        action = await floor.pending(key=f"k{number}")
        floor.clock.pass_s(rng.uniform(-3600, 3600))
        approver = replace(ANA, auth_time=floor.clock())
        late = floor.clock() >= action.expires
        try:
            await floor.desk.decide("t", yes(action, approver))
        except ApprovalError as refused:
            assert late
            assert refused.code == "expired"
        floor.clock.pass_s(rng.uniform(-3600, 3600))
        late = late or floor.clock() >= action.expires
        await floor.perform(action, 0.0)
        await floor.desk.aclose()
        assert len(floor.shop.ledger) == (not late), f"{life_s} s, seed {SEED}, case {number}"


async def test_undo_runs_restore_or_stop_with_a_diff() -> None:
    """Row 14: somebody else edits at any moment of an undo."""
    rng, outcomes = Random(SEED), Counter[State]()
    for number in range(RACES):
        floor = Floor(of_class(EffectClass.KEYED))
        floor.shop.write("", "n", "old")
        done = await floor.done()
        edit_at = rng.randrange(4)
        undo = await edited(floor, edit_at == 0, floor.desk.undo("t", done.id, ANA))
        agreed = await edited(floor, edit_at == 1, floor.desk.decide("t", yes(undo)))
        await edited(floor, edit_at == 2, floor.perform(agreed))
        original = await floor.state(done)
        outcomes[original.state] += 1
        if original.state is State.COMPENSATED:
            assert floor.shop.items["n"] == "old", number
        else:
            assert original.state is State.STUCK
            assert '"now": {"value": "theirs"}' in original.detail
            assert floor.shop.items["n"] == "theirs"
    assert outcomes[State.COMPENSATED]
    assert outcomes[State.STUCK]


async def edited(floor: Floor, now: bool, work: Coroutine[None, None, Action]) -> Action:
    """The work, after somebody else's edit when it is time for that."""
    if now:
        floor.shop.write("", "n", "theirs")
    return await work


async def test_a_tool_error_on_the_way_leaves_the_card_as_it_was() -> None:
    floor = Floor()
    action = await floor.pending()

    async def look(*_: object) -> object:
        raise ToolError("odd")

    floor.tool.look = look  # type: ignore[method-assign,assignment]
    with pytest.raises(ToolError):
        await floor.desk.decide("t", yes(action))
    assert (await floor.state(action)).state is State.PENDING
