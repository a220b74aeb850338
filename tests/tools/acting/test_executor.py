"""One effect, whatever happens to the process, the target, the lease or the rules."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from typing_extensions import override

from tests.tools.acting.floor import ANA, SWIFT, Floor, HashSealer, of_class, yes
from tests.tools.twins import ShopTool, manifest
from tools.approvals import FLOW
from tools.breaker import BreakerPolicy
from tools.canonical import new_id
from tools.journal import (
    Action,
    Approval,
    Claim,
    Ending,
    FencedOutError,
    JournalUnavailableError,
    NewAction,
    State,
)
from tools.journal_memory import MemoryJournal
from tools.types import EffectClass, Tier, ToolCall

K, N, R, O = EffectClass.KEYED, EffectClass.NATURAL, EffectClass.READ_BACK, EffectClass.ONCE  # noqa: E741


async def test_done_once_with_a_receipt_and_its_undo() -> None:
    floor = Floor()
    action = await floor.done()
    assert action.state is State.SUCCEEDED
    assert floor.shop.effects == {action.id: 1}
    assert action.undo == ToolCall("set_item", "1", {"name": "n", "value": None})
    assert action.undo_etag == "v1"
    assert [r.action_id for r in await floor.books.receipts("t")] == [action.id]
    assert floor.tool.attempts[0].etag is None
    assert [p.state for p in floor.progress] == ["started", "succeeded"]


@pytest.mark.parametrize(
    ("effect", "fault", "state", "effects", "runs"),
    [
        (K, "not_sent", State.SUCCEEDED, 1, 2),
        (N, "not_sent", State.SUCCEEDED, 1, 2),
        (R, "not_sent", State.SUCCEEDED, 1, 2),
        (O, "not_sent", State.SUCCEEDED, 1, 2),
        (K, "busy", State.SUCCEEDED, 1, 2),
        (K, "lost", State.SUCCEEDED, 1, 2),
        (N, "lost", State.SUCCEEDED, 1, 2),
        (R, "lost", State.SUCCEEDED, 1, 1),  # read back, not sent again
        (O, "lost", State.UNKNOWN, 1, 1),
        (K, "hang", State.SUCCEEDED, 1, 2),
        (R, "hang", State.SUCCEEDED, 1, 2),  # read back: nothing; sent again
        (O, "hang", State.UNKNOWN, 0, 1),
        (K, "crash", State.SUCCEEDED, 1, 2),
        (O, "crash", State.UNKNOWN, 0, 1),
        (K, "rejected", State.FAILED, 0, 1),
        (O, "rejected", State.FAILED, 0, 1),
        (K, "drift", State.FAILED, 0, 1),
        (K, "partial", State.FAILED, 0, 1),
    ],
)
async def test_each_fault_by_class(
    effect: EffectClass, fault: str, state: State, effects: int, runs: int
) -> None:
    floor = Floor(of_class(effect, timeout_s=0.05), [fault])
    action = await floor.done()
    assert (action.state, len(floor.tool.attempts)) == (state, runs)
    assert floor.shop.effects[action.id] == effects
    if state is State.FAILED:
        assert action.reason
    assert all(attempt.action_id == action.id for attempt in floor.tool.attempts)


async def test_a_partial_effect_can_be_taken_back() -> None:
    action = await Floor(faults=["partial"]).done()
    assert (action.state, action.reason, action.result) == (
        State.FAILED,
        "half_done",
        {"done": 1},
    )


@pytest.mark.parametrize("effect", [K, N, R, O])
@pytest.mark.parametrize("happened", [True, False])
async def test_after_a_crash(effect: EffectClass, happened: bool) -> None:
    floor = Floor(of_class(effect))
    crashed = await floor.crashed(effect=happened)
    claim = await floor.claimed(crashed)
    assert claim.resumed
    action = await floor.executor.run(claim)
    if effect is O:
        assert (action.state, action.reason, floor.tool.attempts) == (
            State.UNKNOWN,
            "interrupted",
            [],
        )
        assert floor.shop.effects[action.id] == int(happened)
        return
    assert action.state is State.SUCCEEDED
    assert floor.shop.effects[action.id] == 1
    assert len(floor.tool.attempts) == (0 if effect is R and happened else 1)


async def test_a_request_still_under_way_when_its_process_died_is_not_sent_twice() -> None:
    """Class R: the first look finds nothing, the effect lands, the second look finds it."""
    floor = Floor(of_class(R), patience=replace(SWIFT, quiet_s=0.1))
    crashed = await floor.crashed(effect=False)
    run = asyncio.create_task(floor.executor.run(await floor.claimed(crashed)))
    await asyncio.sleep(0.03)
    floor.shop.write(crashed.id, "n", "new")
    assert (await run).state is State.SUCCEEDED
    assert floor.shop.effects[crashed.id] == 1
    assert floor.tool.attempts == []


async def test_tries_end_and_a_scheduled_retry_goes_on_while_its_limit_lasts() -> None:
    floor = Floor(of_class(K, retry_for_s=60.0), ["not_sent"] * 5)
    action = await floor.done()
    assert (action.state, action.reason) == (State.STARTED, "unreachable")
    assert floor.progress[-1].next_try is not None
    floor.clock.pass_s(1)
    claim = await floor.claimed(action)
    assert not claim.resumed, "nothing was sent, so nothing is in doubt"
    action = await floor.executor.run(claim)
    assert action.state is State.SUCCEEDED
    assert floor.shop.effects[action.id] == 1


async def test_after_the_limit_on_the_card_it_fails() -> None:
    floor = Floor(of_class(K, retry_for_s=60.0), ["not_sent"] * 9)
    action = await floor.done()
    floor.clock.pass_s(61)
    action = await floor.executor.run(await floor.claimed(action))
    assert (action.state, action.reason) == (State.FAILED, "unreachable")


async def test_without_a_limit_it_fails_at_once_and_an_uncertain_one_is_read_back() -> None:
    failed = await Floor(faults=["not_sent"] * 3).done()
    assert (failed.state, failed.reason) == (State.FAILED, "unreachable")
    floor = Floor(of_class(K), ["lost", "not_sent", "not_sent"])
    done = await floor.done()
    assert (done.state, floor.shop.effects[done.id]) == (State.SUCCEEDED, 1)


async def test_a_long_retry_after_is_scheduled_not_waited_for() -> None:
    floor = Floor(of_class(O, retry_for_s=3600.0), ["busy_long"])
    action = await floor.done()
    assert action.state is State.STARTED
    assert action.lease_until is not None
    assert timedelta(seconds=60) <= action.lease_until - floor.clock() < timedelta(seconds=61)
    floor.clock.pass_s(61)
    action = await floor.executor.run(await floor.claimed(action))
    assert (action.state, floor.shop.effects[action.id]) == (State.SUCCEEDED, 1)


async def test_a_scheduled_retry_stops_when_the_target_changed() -> None:
    floor = Floor(of_class(K, retry_for_s=60.0), ["not_sent"] * 3)
    action = await floor.done()
    floor.shop.write("", "n", "other")
    floor.clock.pass_s(5)
    action = await floor.executor.run(await floor.claimed(action))
    assert (action.state, action.reason) == (State.FAILED, "target_changed")
    assert floor.shop.effects[action.id] == 0


async def test_what_the_user_did_already_is_a_success() -> None:
    floor = Floor(of_class(N))
    action = await floor.approved()
    floor.shop.write("", "n", "new")
    action = await floor.perform(action)
    assert (action.state, floor.shop.effects[action.id]) == (State.SUCCEEDED, 0)
    assert floor.tool.attempts == []


async def test_the_breaker_spares_a_target_that_does_not_answer() -> None:
    floor = Floor(
        faults=["not_sent"] * 50, breaker=BreakerPolicy(failures=4, open_s=100), patience=SWIFT
    )
    for number in range(6):
        await floor.done({"name": f"n{number}", "value": "v"}, key=f"k{number}")
    assert len(floor.tool.attempts) == 4
    assert floor.executor.breakers.degraded() == ("shop",)


# --- leave ------------------------------------------------------------------------------------


async def changed(floor: Floor, how: str) -> None:
    match how:
        case "tool":
            floor.shelf.put(ShopTool(floor.shop, manifest(version="2")))
        case "tier":
            floor.shelf.put(ShopTool(floor.shop, manifest(tier=Tier.R2)))
        case "policy":
            floor.executor = floor.another_executor("p2")


@pytest.mark.parametrize(
    ("how", "reason"),
    [("tool", "tool_changed"), ("tier", "policy_changed"), ("policy", "policy_changed")],
)
@pytest.mark.parametrize("resumed", [False, True])
async def test_a_bump_voids(how: str, reason: str, resumed: bool) -> None:
    floor = Floor()
    action = await (floor.crashed(effect=False) if resumed else floor.approved())
    await changed(floor, how)
    action = await floor.executor.run(await floor.claimed(action))
    assert (action.state, action.reason) == (State.FAILED, reason)
    assert not floor.shop.ledger


async def test_a_bump_after_the_effect_is_read_back_not_forgotten() -> None:
    floor = Floor()
    action = await floor.crashed(effect=True)
    await changed(floor, "policy")
    action = await floor.executor.run(await floor.claimed(action))
    assert (action.state, floor.shop.effects[action.id]) == (State.SUCCEEDED, 1)


@pytest.mark.parametrize(
    "forged",
    [
        lambda c: replace(c, approvals=()),
        lambda c: replace(c, approvals=tuple(replace(a, digest="x" * 43) for a in c.approvals)),
        lambda c: replace(c, approvals=tuple(replace(a, approver="bo") for a in c.approvals)),
        lambda c: replace(c, approvals=tuple(replace(a, action_id="x") for a in c.approvals)),
        lambda c: replace(c, approvals=tuple(replace(a, channel=FLOW) for a in c.approvals)),
        lambda c: replace(
            c, action=replace(c.action, call=replace(c.action.call, arguments={"name": "x"}))
        ),
        lambda c: replace(c, action=replace(c.action, etag="v9")),
        lambda c: replace(c, action=replace(c.action, who=c.action.who._replace(subject="eve"))),
    ],
)
async def test_nothing_but_the_approved_call_is_run(forged: object) -> None:
    floor = Floor()
    claim = await floor.claimed(await floor.approved())
    assert callable(forged)
    action = await floor.executor.run(forged(claim))
    assert action.state is State.FAILED
    assert action.reason in {"digest_mismatch", "not_approved"}
    assert not floor.tool.attempts


async def step_of(floor: Floor, flow: Action, tier: Tier = Tier.R1) -> Action:
    new = NewAction(
        id=new_id(),
        idem_key=new_id(),
        who=flow.who,
        call=ToolCall("set_item", "1", {"name": "step", "value": "x"}),
        tier=tier,
        policy_version="p1",
        etag=None,
        expires_s=60,
        parent=flow.id,
        step="one",
    )
    step = await floor.books.propose(new)
    given = Approval(new_id(), step.id, step.digest, "ana", FLOW, None, "h")
    return await floor.books.approve(step, given, last=True)


async def test_a_step_runs_under_its_flow_and_not_beyond_it() -> None:
    floor = Floor()
    flow = (await floor.claimed(await floor.approved())).action
    step = await floor.executor.run(await floor.claimed(await step_of(floor, flow)))
    assert step.state is State.SUCCEEDED
    beyond = await step_of(floor, flow, Tier.R3)
    refused = await floor.executor.run(await floor.claimed(beyond))
    assert (refused.state, refused.reason) == (State.FAILED, "not_approved")


# --- leases -----------------------------------------------------------------------------------


async def test_the_lease_is_renewed_while_the_call_lasts() -> None:
    floor = Floor(of_class(K, timeout_s=0.25), ["hang"])
    claim = await floor.claimed(await floor.approved(), lease_s=0.06)
    action = await floor.executor.run(claim)
    assert action.state is State.SUCCEEDED
    assert floor.shop.effects[action.id] == 1


async def test_a_holder_that_was_taken_over_stops_and_its_result_is_dropped() -> None:
    floor = Floor(of_class(K, timeout_s=5.0), ["hang"])
    slow = await floor.claimed(await floor.approved(), lease_s=0.06)
    run = asyncio.create_task(floor.executor.run(slow))
    await asyncio.sleep(0.005)
    floor.clock.pass_s(1)  # the lease ran out by the journal's clock
    action = await floor.executor.run(await floor.claimed(slow.action, "other"))
    with pytest.raises(FencedOutError):
        await run
    assert action.state is State.SUCCEEDED
    assert floor.shop.effects[action.id] == 1
    assert len(await floor.books.receipts("t")) == 1


class Unreachable(MemoryJournal):
    """A journal that can be cut off."""

    down = False
    refused = 0

    def _maybe(self) -> None:
        if self.down:
            self.refused += 1
            raise JournalUnavailableError("no answer")

    @override
    async def renew(self, claim: Claim) -> None:
        self._maybe()
        await super().renew(claim)

    @override
    async def settle(self, claim: Claim, ending: Ending) -> Action:
        self._maybe()
        return await super().settle(claim, ending)


def cut_off(**parts: object) -> tuple[Floor, Unreachable]:
    floor = Floor(**parts)  # type: ignore[arg-type]
    journal = Unreachable(HashSealer(), floor.clock)
    floor.books = journal
    floor.executor = floor.another_executor()
    floor.desk = floor.another_desk()
    return floor, journal


async def test_without_a_journal_it_stops_before_the_lease_ends() -> None:
    floor, journal = cut_off(told=of_class(K, timeout_s=5.0), faults=["hang"])
    claim = await floor.claimed(await floor.approved(), lease_s=0.1)
    loop = asyncio.get_running_loop()
    journal.down, since = True, loop.time()
    with pytest.raises(FencedOutError):
        await floor.executor.run(claim, since)
    assert 0.09 <= loop.time() - since < 0.3
    assert journal.refused > 1, "it tries to renew more than once"


async def test_an_outcome_is_written_as_soon_as_the_journal_is_back() -> None:
    floor, journal = cut_off()
    claim = await floor.claimed(await floor.approved(), lease_s=2.0)
    journal.down = True
    run = asyncio.create_task(floor.executor.run(claim))
    await asyncio.sleep(0.1)
    journal.down = False
    assert (await run).state is State.SUCCEEDED
    assert floor.shop.effects[claim.action.id] == 1


# --- undo -------------------------------------------------------------------------------------


async def test_undo_restores_and_writes_its_receipt() -> None:
    floor = Floor()
    floor.shop.write("", "n", "old")
    done = await floor.done()
    undo = await floor.desk.undo("t", done.id, ANA)
    undone = await floor.perform(await floor.desk.decide("t", yes(undo)))
    assert undone.state is State.SUCCEEDED
    assert floor.shop.items == {"n": "old"}
    assert (await floor.state(done)).state is State.COMPENSATED
    outcomes = [receipt.action_id for receipt in await floor.books.receipts("t")]
    assert sorted(outcomes) == sorted([done.id, done.id, undone.id])


async def test_undo_of_a_drifted_target_stops_with_three_ways() -> None:
    floor = Floor()
    floor.shop.write("", "n", "old")
    done = await floor.done()
    floor.shop.write("", "n", "somebody else's")
    undo = await floor.desk.undo("t", done.id, ANA)
    assert undo.card is not None
    assert any("changed since" in note for note in undo.card.notes)
    stopped = await floor.perform(await floor.desk.decide("t", yes(undo)))
    assert (stopped.state, stopped.reason) == (State.FAILED, "target_changed")
    assert floor.shop.items == {"n": "somebody else's"}
    stuck = await floor.state(done)
    assert stuck.state is State.STUCK
    diff = json.loads(stuck.detail)
    assert diff["before"]["value"] == '"old"'
    assert diff["approved"]["value"] == '"new"'
    assert diff["now"] == {"value": "somebody else's"}


async def test_an_unknown_one_is_read_back() -> None:
    floor = Floor(of_class(K), ["lost", "lost", "lost"])
    floor.tool.faults.extend(["lost"] * 3)
    action = await floor.approved()
    claim = await floor.claimed(action)
    ending = await floor.executor.read_back(claim.action)
    assert ending is not None
    assert ending.state is State.FAILED
    floor.shop.write(action.id, "n", "new")
    ending = await floor.executor.read_back(claim.action)
    assert ending is not None
    assert ending.state is State.SUCCEEDED
    mail = Floor(of_class(O))
    assert await mail.executor.read_back(await mail.approved()) is None
