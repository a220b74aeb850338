"""What every journal does, whatever it is made of."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.journal_bench import LEASE_S, Bench, check_chain, payload
from tests.contracts.journal_deciding import DecidingContract
from tests.contracts.journal_doing import DoingContract
from tests.tools.journal.making import (
    BOB,
    CARD,
    DONE,
    EVE,
    FAILED,
    NOON,
    SUCCEEDED,
    UNDO,
    UNKNOWN,
    approved,
    new,
    other_call,
    pending,
    started,
    succeeded,
    undoing,
    yes,
)
from tools.journal import (
    REMINDER,
    ApprovalError,
    Ending,
    IllegalMoveError,
    State,
    UnknownActionError,
)
from tools.types import Done, Tier


class JournalContract(DecidingContract, DoingContract):
    """Inherit, and give a fixture `bench` whose journal is empty."""

    async def test_an_undo_moves_what_it_undoes(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        claim = await undoing(bench.journal, done)
        assert (await bench.journal.action("acme", done.id)).state is State.COMPENSATING
        undo = await bench.journal.settle(claim, Ending(State.SUCCEEDED, Done({})))
        undone = await bench.journal.action("acme", done.id)
        assert (undo.state, undone.state) == (State.SUCCEEDED, State.COMPENSATED)
        receipts = await bench.journal.receipts("acme")
        check_chain(receipts, bench.seal)
        outcomes = [(payload(r)["action_id"], payload(r)["outcome"]) for r in receipts]
        assert outcomes == [
            (done.id, "succeeded"),
            (undo.id, "succeeded"),
            (done.id, "compensated"),
        ]
        assert payload(receipts[-1])["undo_ref"] == undo.id
        assert await bench.journal.receipt_of("acme", done.id) == (receipts[0], receipts[2])

    async def test_an_undo_that_fails_leaves_it_stuck(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        claim = await undoing(bench.journal, done)
        await bench.journal.settle(claim, Ending(State.FAILED, reason="drift", detail="a diff"))
        stuck = await bench.journal.action("acme", done.id)
        assert (stuck.state, stuck.reason, stuck.detail) == (State.STUCK, "drift", "a diff")

    @pytest.mark.parametrize(
        ("ending", "then"),
        [(Ending(State.SUCCEEDED, Done({})), State.COMPENSATED), (FAILED, State.STUCK)],
    )
    async def test_an_unknown_undo_is_open_until_resolved(
        self, bench: Bench, ending: Ending, then: State
    ) -> None:
        done = await succeeded(bench.journal)
        undo = await bench.journal.settle(await undoing(bench.journal, done), UNKNOWN)
        assert (await bench.journal.action("acme", done.id)).state is State.COMPENSATING
        await bench.journal.resolve(undo, ending, "ada")
        assert (await bench.journal.action("acme", done.id)).state is then

    async def test_it_is_undone_once(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        first = await approved(bench.journal, new(call=UNDO, undoes=done.id))
        second = await approved(bench.journal, new(call=UNDO, undoes=done.id, who=BOB))
        claims = await asyncio.gather(
            *(bench.journal.claim("w1", LEASE_S, each.id) for each in (first, second))
        )
        (claim,) = [each for each in claims if each is not None]
        loser = second if claim.action.id == first.id else first
        assert await bench.journal.claim("w1", LEASE_S, loser.id) is None
        refused = await bench.journal.action("acme", loser.id)
        assert (refused.state, refused.reason) == (State.REFUSED, "not_undoable")

    async def test_an_undo_that_is_taken_over_goes_on(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        await undoing(bench.journal, done)
        bench.hands.pass_s(LEASE_S)
        again = await bench.journal.claim("w2", LEASE_S)
        assert again is not None
        await bench.journal.settle(again, Ending(State.SUCCEEDED, Done({})))
        assert (await bench.journal.action("acme", done.id)).state is State.COMPENSATED

    async def test_a_partial_effect_is_undone(self, bench: Bench) -> None:
        partial = Ending(State.FAILED, DONE, "half", "one of two")
        failed = await bench.journal.settle(await started(bench.journal), partial)
        assert (failed.undo, failed.result) == (UNDO, DONE.result)
        claim = await undoing(bench.journal, failed)
        await bench.journal.settle(claim, Ending(State.SUCCEEDED, Done({})))
        assert (await bench.journal.action("acme", failed.id)).state is State.COMPENSATED

    async def test_policy_may_approve_an_undo(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        undo = await bench.journal.propose(new(call=UNDO, undoes=done.id, tier=Tier.R3))
        by_policy = yes(undo, "policy", "policy")
        assert (await bench.journal.approve(undo, by_policy, last=True)).state is State.APPROVED

    async def test_a_step_is_approved_and_claimed_while_its_flow_goes_on(
        self, bench: Bench
    ) -> None:
        waiting = await approved(bench.journal)
        step = await bench.journal.propose(new(call=other_call("s"), parent=waiting.id, step="s"))
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(step, yes(step, channel="flow"), last=True)
        assert caught.value.code == "wrong_person"
        flow = await bench.journal.claim("w1", LEASE_S, waiting.id)
        assert flow is not None
        await bench.journal.approve(step, yes(step, channel="flow"), last=True)
        assert await bench.journal.claim("w2", LEASE_S) is None
        claim = await bench.journal.claim("w1", LEASE_S, step.id)
        assert claim is not None
        with pytest.raises(IllegalMoveError, match="still being done"):
            await bench.journal.settle(flow, SUCCEEDED)
        await bench.journal.settle(claim, SUCCEEDED)
        assert (await bench.journal.settle(flow, SUCCEEDED)).state is State.SUCCEEDED
        steps = await bench.journal.actions("acme", parent=flow.action.id)
        assert [(each.id, each.step) for each in steps] == [(step.id, "s")]

    async def test_a_started_step_is_taken_over_though_its_flow_goes_on(self, bench: Bench) -> None:
        flow = await started(bench.journal)
        step = await bench.journal.propose(new(call=other_call("s"), parent=flow.action.id))
        await bench.journal.approve(step, yes(step, channel="flow"), last=True)
        held = await bench.journal.claim("w1", LEASE_S, step.id)
        assert held is not None
        await bench.journal.postpone(held, 1, "busy")
        bench.hands.pass_s(1)
        taken = await bench.journal.claim("w2", LEASE_S)
        assert taken is not None
        assert taken.action.id == step.id

    async def test_a_step_is_taken_back_by_a_person_once_its_flow_ended(self, bench: Bench) -> None:
        flow = await started(bench.journal)
        step = await bench.journal.propose(new(call=other_call("s"), parent=flow.action.id))
        await bench.journal.approve(step, yes(step, channel="flow"), last=True)
        held = await bench.journal.claim("w1", LEASE_S, step.id)
        assert held is not None
        done = await bench.journal.settle(held, SUCCEEDED)
        early = await approved(bench.journal, new(call=UNDO, undoes=done.id))
        assert await bench.journal.claim("w1", LEASE_S, early.id) is None
        refused = await bench.journal.action("acme", early.id)
        assert (refused.state, refused.reason) == (State.REFUSED, "flow_under_way")
        await bench.journal.settle(flow, SUCCEEDED)
        await undoing(bench.journal, done)
        assert (await bench.journal.action("acme", done.id)).state is State.COMPENSATING

    async def test_an_undo_that_comes_too_late_keeps_its_approval(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        late = await approved(bench.journal, new(call=UNDO, undoes=done.id, who=BOB))
        await undoing(bench.journal, done)
        assert await bench.journal.claim("w1", LEASE_S, late.id) is None
        (given,) = await bench.journal.approvals("acme", late.id)
        assert given.consumed_at is None

    async def test_only_a_step_is_approved_by_a_flow(self, bench: Bench) -> None:
        action = await pending(bench.journal)
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, yes(action, channel="flow"), last=True)
        assert caught.value.code == "wrong_person"

    async def test_steps_that_did_not_start_end_with_their_flow(self, bench: Bench) -> None:
        flow = await started(bench.journal)
        step = await bench.journal.propose(new(call=other_call("s"), parent=flow.action.id))
        await bench.journal.approve(step, yes(step, channel="flow"), last=True)
        await bench.journal.settle(flow, FAILED)
        ended = await bench.journal.action("acme", step.id)
        assert (ended.state, ended.reason) == (State.REFUSED, "flow_ended")

    async def test_a_step_left_by_an_unknown_flow_is_found_by_the_scan(self, bench: Bench) -> None:
        flow = await started(bench.journal)
        step = await bench.journal.propose(new(call=other_call("s"), parent=flow.action.id))
        await bench.journal.approve(step, yes(step, channel="flow"), last=True)
        assert await bench.journal.claim("w1", LEASE_S, step.id) is not None
        await bench.journal.settle(flow, UNKNOWN)
        bench.hands.pass_s(LEASE_S)
        found = await bench.journal.claim("w2", LEASE_S)
        assert found is not None
        assert (found.action.id, found.resumed) == (step.id, True)

    async def test_actions_are_found_by_what_is_known(self, bench: Bench) -> None:
        journal = bench.journal
        one = await journal.propose(new(thread_id="t1"))
        two = await pending(journal, new(thread_id="t2", call=other_call("2")))
        three = await journal.propose(new(who=BOB, thread_id="t1"))
        await journal.propose(new(who=EVE, thread_id="t1"))
        assert await journal.actions("acme") == (one, two, three)
        assert await journal.actions("acme", subject="ada") == (one, two)
        assert await journal.actions("acme", states=[State.PENDING]) == (two,)
        assert await journal.actions("acme", thread_id="t1") == (one, three)
        assert await journal.actions("acme", limit=2) == (two, three)
        assert await journal.asked_for("acme", "ada") == (one, two)
        assert await journal.asked_for("acme", "ada", before=three.id, limit=1) == (two,)
        assert await journal.asked_for("acme", "ada", before=two.id) == (one,)
        assert await journal.asked_for("acme", "ada", before=one.id) == ()
        assert await journal.asked_for("acme", "ada", before="nobody's") == ()
        assert await journal.asked_for("acme", "bob", thread_id="t1") == (three,)
        assert await journal.actions("nobody") == ()

    async def test_flows_are_listed_without_their_steps(self, bench: Bench) -> None:
        flow = await started(bench.journal)
        step = await bench.journal.propose(new(parent=flow.action.id, step="a"))
        alone = await bench.journal.propose(new())
        every = await bench.journal.actions("acme")
        assert [action.id for action in every] == [flow.action.id, step.id, alone.id]
        whole = await bench.journal.asked_for("acme", "ada")
        assert [action.id for action in whole] == [flow.action.id, alone.id]
        newest = await bench.journal.asked_for("acme", "ada", limit=1, before=alone.id)
        assert [action.id for action in newest] == [flow.action.id]

    async def test_receipts_of_one_person_are_their_own(self, bench: Bench) -> None:
        first = await succeeded(bench.journal)
        await succeeded(bench.journal, new(who=BOB))
        third = await succeeded(bench.journal)
        await succeeded(bench.journal, new(who=EVE))
        ada = await bench.journal.receipts("acme", subject="ada")
        assert [(r.seq, r.action_id) for r in ada] == [(1, first.id), (3, third.id)]
        assert await bench.journal.receipts("acme", subject="ada", after=1, limit=1) == ada[1:]
        assert await bench.journal.receipts("acme", subject="eve") == ()

    async def test_news_stay_until_they_are_told(self, bench: Bench) -> None:
        await bench.journal.propose(new())
        await bench.journal.propose(new(who=EVE))
        first, second = await bench.journal.outbox()
        assert (first.tenant, second.tenant) == ("acme", "umbrella")
        assert await bench.journal.outbox(limit=1) == (first,)
        await bench.journal.sent([first])
        assert await bench.journal.outbox() == (second,)
        await bench.journal.later([second], 60)
        assert await bench.journal.outbox() == ()
        bench.hands.pass_s(60)
        assert await bench.journal.outbox() == (second,)
        await bench.journal.sent([])

    async def test_a_reminder_comes_once_when_it_is_due(self, bench: Bench) -> None:
        journal = bench.journal
        done = await succeeded(journal, new(thread_id="t1"))
        await journal.sent(await journal.outbox())
        assert await journal.remind("acme", done.id, 60)
        assert not await journal.remind("acme", done.id, 5)
        assert await journal.outbox() == ()
        bench.hands.pass_s(60)
        (row,) = await journal.outbox()
        assert (row.kind, row.action_id, row.thread_id) == (REMINDER, done.id, "t1")
        await journal.sent([row])
        assert not await journal.remind("acme", done.id, 5)
        with pytest.raises(UnknownActionError):
            await journal.remind("umbrella", done.id, 5)

    async def test_reminders_of_one_conversation_can_be_hushed(self, bench: Bench) -> None:
        journal = bench.journal
        first = await succeeded(journal, new(thread_id="t1"))
        other = await succeeded(journal, new(thread_id="t2"))
        await journal.sent(await journal.outbox())
        for action in (first, other):
            await journal.remind("acme", action.id, 60)
        await journal.propose(new(who=EVE, thread_id="t1"))
        assert await journal.hush("umbrella", "t1") == 0
        assert await journal.hush("acme", "t1") == 1
        assert await journal.hush("acme", "t1") == 0
        bench.hands.pass_s(60)
        told = [(row.kind, row.thread_id) for row in await journal.outbox()]
        assert told == [(REMINDER, "t2"), ("action.proposed", "t1")]

    async def test_a_foreign_tenant_reaches_nothing(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        stranger = replace(done, who=EVE)
        for attempt in (
            bench.journal.present(stranger, CARD),
            bench.journal.approve(stranger, yes(done), last=True),
            bench.journal.refuse(stranger, "cancelled", "ada"),
            bench.journal.resolve(stranger, FAILED, "ada"),
            bench.journal.action("umbrella", done.id),
        ):
            with pytest.raises(UnknownActionError):
                await attempt
        assert await bench.journal.receipt_of("umbrella", done.id) == ()
        assert await bench.journal.receipts("umbrella") == ()
        assert await bench.journal.by_key("umbrella", done.idem_key) is None

    async def test_time_is_the_journals_own(self, bench: Bench) -> None:
        assert await bench.journal.now() == NOON
        bench.hands.pass_s(3600)
        assert await bench.journal.now() == NOON + timedelta(hours=1)
