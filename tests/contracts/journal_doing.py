"""What every journal does from a claim to a receipt."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.contracts.journal_bench import LEASE_S, Bench, check_chain, payload, told
from tests.tools.journal.making import (
    ADA,
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
)
from tools.journal import (
    Action,
    Ending,
    FencedOutError,
    IllegalMoveError,
    State,
)


class DoingContract:
    """Claims, leases, outcomes, receipts."""

    async def test_a_claim_starts_it_and_uses_the_approval(self, bench: Bench) -> None:
        action = await approved(bench.journal)
        claim = await bench.journal.claim("w1", LEASE_S)
        assert claim is not None
        assert claim.action == await bench.journal.action("acme", action.id)
        assert (claim.worker, claim.lease_s, claim.resumed) == ("w1", LEASE_S, False)
        kept = claim.action
        assert (kept.state, kept.fence, kept.attempt) == (State.STARTED, 1, 1)
        assert (kept.started, kept.lease_until) == (NOON, NOON + timedelta(seconds=LEASE_S))
        given = await bench.journal.approvals("acme", action.id)
        assert given == claim.approvals
        assert [each.consumed_at for each in given] == [NOON]
        assert await bench.journal.claim("w2", LEASE_S) is None
        assert await bench.journal.claim("w2", LEASE_S, action.id) is None

    async def test_of_many_workers_one_gets_it(self, bench: Bench) -> None:
        wanted = [await approved(bench.journal, new(call=other_call(str(n)))) for n in range(4)]
        claims = await asyncio.gather(*(bench.journal.claim(f"w{n}", LEASE_S) for n in range(12)))
        got = [claim.action.id for claim in claims if claim is not None]
        while (claim := await bench.journal.claim("w", LEASE_S)) is not None:
            got.append(claim.action.id)  # a scan that met only locked rows came back empty
        assert sorted(got) == sorted(action.id for action in wanted)

    async def test_what_is_not_approved_is_not_claimed(self, bench: Bench) -> None:
        proposed = await bench.journal.propose(new())
        shown = await pending(bench.journal)
        for each in (proposed, shown):
            assert await bench.journal.claim("w1", LEASE_S, each.id) is None
        assert await bench.journal.claim("w1", LEASE_S) is None
        assert await bench.journal.claim("w1", LEASE_S, "no such action") is None

    async def test_what_expired_is_refused_on_the_way(self, bench: Bench) -> None:
        ready = await approved(bench.journal)
        shown = await pending(bench.journal, new(call=other_call("x")))
        named = await approved(bench.journal, new(call=other_call("y")))
        bench.hands.pass_s(900)
        assert await bench.journal.claim("w1", LEASE_S, named.id) is None
        assert await bench.journal.claim("w1", LEASE_S) is None
        for each in (ready, shown, named):
            kept = await bench.journal.action("acme", each.id)
            assert (kept.state, kept.reason) == (State.REFUSED, "expired")

    async def test_expiry_can_be_asked_for(self, bench: Bench) -> None:
        await pending(bench.journal)
        await bench.journal.propose(new(call=other_call("x")))
        assert await bench.journal.expire() == 0
        bench.hands.pass_s(900)
        assert await bench.journal.expire() == 2
        assert await bench.journal.expire() == 0

    async def test_a_lease_that_ran_out_is_taken_over(self, bench: Bench) -> None:
        old = await started(bench.journal, lease_s=LEASE_S)
        bench.hands.pass_s(LEASE_S - 0.001)
        assert await bench.journal.claim("w2", LEASE_S) is None
        bench.hands.pass_s(0.001)
        taken = await bench.journal.claim("w2", LEASE_S)
        assert taken is not None
        assert (taken.action.fence, taken.action.attempt, taken.resumed) == (2, 2, True)
        assert taken.action.started == NOON
        assert taken.approvals == old.approvals
        for late in (
            bench.journal.settle(old, SUCCEEDED),
            bench.journal.renew(old),
            bench.journal.postpone(old, 1, "busy"),
        ):
            with pytest.raises(FencedOutError):
                await late
        assert await bench.journal.receipts("acme") == ()

    async def test_a_lease_that_ran_out_unseen_still_counts(self, bench: Bench) -> None:
        claim = await started(bench.journal)
        bench.hands.pass_s(10 * LEASE_S)
        assert (await bench.journal.settle(claim, SUCCEEDED)).state is State.SUCCEEDED

    async def test_started_does_not_expire(self, bench: Bench) -> None:
        await started(bench.journal, lease_s=LEASE_S)
        bench.hands.pass_s(100_000)
        assert await bench.journal.expire() == 0
        assert await bench.journal.claim("w2", LEASE_S) is not None

    async def test_a_lease_is_renewed_from_now(self, bench: Bench) -> None:
        claim = await started(bench.journal)
        bench.hands.pass_s(20)
        await bench.journal.renew(claim)
        bench.hands.pass_s(20)
        assert await bench.journal.claim("w2", LEASE_S) is None
        kept = await bench.journal.action("acme", claim.action.id)
        assert kept.lease_until == NOON + timedelta(seconds=50)

    async def test_the_leases_of_a_dead_worker_end(self, bench: Bench) -> None:
        mine = await started(bench.journal)
        other = await started(bench.journal, new(call=other_call("x")), worker="w2")
        later = await started(bench.journal, new(call=other_call("y")))
        await bench.journal.postpone(later, 600, "busy")
        assert await bench.journal.lapse("w1") == 1
        taken = await bench.journal.claim("w1", LEASE_S)
        assert taken is not None
        assert taken.action.id == mine.action.id
        assert await bench.journal.claim("w1", LEASE_S) is None
        await bench.journal.renew(other)

    async def test_postponed_is_claimed_no_sooner(self, bench: Bench) -> None:
        claim = await started(bench.journal)
        kept = await bench.journal.postpone(claim, 120, "busy", "wait two minutes")
        assert (kept.state, kept.reason, kept.detail) == (
            State.STARTED,
            "busy",
            "wait two minutes",
        )
        assert kept.lease_until == NOON + timedelta(seconds=120)
        for over in (bench.journal.settle(claim, SUCCEEDED), bench.journal.renew(claim)):
            with pytest.raises(FencedOutError):
                await over
        bench.hands.pass_s(119)
        assert await bench.journal.claim("w2", LEASE_S, claim.action.id) is None
        bench.hands.pass_s(1)
        again = await bench.journal.claim("w2", LEASE_S)
        assert again is not None
        assert (again.resumed, again.action.attempt, again.action.reason) == (False, 2, "")

    async def test_doubt_stays_until_it_is_cleared(self, bench: Bench) -> None:
        claim = await started(bench.journal)
        await bench.journal.postpone(claim, 0, "no_answer", doubt=True)
        doubtful = await bench.journal.claim("w1", LEASE_S)
        assert doubtful is not None
        assert doubtful.resumed
        await bench.journal.postpone(doubtful, 0, "not_there", doubt=False)
        clear = await bench.journal.claim("w1", LEASE_S)
        assert clear is not None
        assert not clear.resumed
        bench.hands.pass_s(LEASE_S)
        crashed = await bench.journal.claim("w1", LEASE_S)
        assert crashed is not None
        assert crashed.resumed

    async def test_success_is_kept_with_its_receipt_and_its_undo(self, bench: Bench) -> None:
        claim = await started(bench.journal, new(thread_id="t1"))
        bench.hands.pass_s(2)
        done = await bench.journal.settle(claim, SUCCEEDED)
        assert done == await bench.journal.action("acme", done.id)
        assert (done.state, done.result, done.effect_ref) == (
            State.SUCCEEDED,
            DONE.result,
            "inv_1",
        )
        assert (done.undo, done.undo_etag, done.lease_until) == (UNDO, "v2", None)
        assert done.receipt == "rcpt_1"
        (receipt,) = await bench.journal.receipt_of("acme", done.id)
        assert receipt.id == done.receipt
        assert receipt.created == NOON + timedelta(seconds=2)
        assert await told(bench.journal) == [
            f"action.{state}"
            for state in ("proposed", "pending", "approved", "started", "succeeded")
        ]
        assert {row.thread_id for row in await bench.journal.outbox()} == {"t1"}

    async def test_a_receipt_says_what_was_approved_and_done(self, bench: Bench) -> None:
        done = await succeeded(bench.journal)
        (receipt,) = await bench.journal.receipts("acme")
        said = dict(payload(receipt))
        assert len(str(said.pop("approval_hash"))) == 43
        assert len(str(said.pop("args_commit"))) == 43
        assert len(str(said.pop("undo_ref"))) == 22
        assert said == {
            "v": 1,
            "tenant": "acme",
            "seq": 1,
            "prev": "",
            "ts": "2026-01-01T12:30:15.000250+00:00",
            "action_id": done.id,
            "digest": done.digest,
            "tool": "invite",
            "tool_version": "3",
            "actor_ref": "ada",
            "approver_refs": ["ada"],
            "policy_hash": "hash-of-policy",
            "outcome": "succeeded",
            "effect_ref": "inv_1",
        }
        check_chain((receipt,), bench.seal)

    async def test_equal_arguments_have_unequal_commitments(self, bench: Bench) -> None:
        await succeeded(bench.journal)
        await succeeded(bench.journal)
        one, other = await bench.journal.receipts("acme")
        assert payload(one)["args_commit"] != payload(other)["args_commit"]

    async def test_each_tenant_has_a_chain_without_gaps(self, bench: Bench) -> None:
        async def one(number: int) -> None:
            await bench.journal.settle(claims[number], SUCCEEDED)

        claims = [
            await started(
                bench.journal, new(who=EVE if number % 3 else ADA, call=other_call(str(number)))
            )
            for number in range(12)
        ]
        await asyncio.gather(*(one(number) for number in range(12)))
        for tenant, count in (("acme", 4), ("umbrella", 8)):
            receipts = await bench.journal.receipts(tenant)
            assert len(receipts) == count
            check_chain(receipts, bench.seal)
        assert [
            each.seq for each in await bench.journal.receipts("umbrella", after=3, limit=2)
        ] == [
            4,
            5,
        ]

    async def test_settling_again_changes_nothing(self, bench: Bench) -> None:
        claim = await started(bench.journal)
        done = await bench.journal.settle(claim, SUCCEEDED)
        assert await bench.journal.settle(claim, SUCCEEDED) == done
        with pytest.raises(FencedOutError):
            await bench.journal.settle(claim, FAILED)
        assert len(await bench.journal.receipts("acme")) == 1

    async def test_settled_at_once_by_many_it_has_one_receipt(self, bench: Bench) -> None:
        claim = await started(bench.journal)
        endings = [SUCCEEDED, FAILED, UNKNOWN, *[SUCCEEDED] * 5]
        got = await asyncio.gather(
            *(bench.journal.settle(claim, ending) for ending in endings), return_exceptions=True
        )
        kept = await bench.journal.action("acme", claim.action.id)
        won = [each for each in got if isinstance(each, Action)]
        assert {each.state for each in won} == {kept.state}
        assert all(isinstance(each, FencedOutError) for each in got if each not in won)
        assert len(await bench.journal.receipts("acme")) == (kept.state is not State.UNKNOWN)

    async def test_a_failure_without_effect_cannot_be_undone(self, bench: Bench) -> None:
        failed = await bench.journal.settle(await started(bench.journal), FAILED)
        assert (failed.state, failed.reason, failed.detail) == (
            State.FAILED,
            "not_allowed",
            "no such plan",
        )
        (receipt,) = await bench.journal.receipts("acme")
        assert payload(receipt)["outcome"] == "failed"
        assert payload(receipt)["undo_ref"] == ""
        action = await approved(bench.journal, new(call=UNDO, undoes=failed.id))
        assert await bench.journal.claim("w1", LEASE_S, action.id) is None
        refused = await bench.journal.action("acme", action.id)
        assert (refused.state, refused.reason) == (State.REFUSED, "not_undoable")
        assert (await bench.journal.action("acme", failed.id)).state is State.FAILED

    async def test_success_needs_what_was_done(self, bench: Bench) -> None:
        claim = await started(bench.journal)
        with pytest.raises(IllegalMoveError, match="without what was done"):
            await bench.journal.settle(claim, Ending(State.SUCCEEDED))
        for state in (State.REFUSED, State.COMPENSATED, State.APPROVED):
            with pytest.raises(IllegalMoveError):
                await bench.journal.settle(claim, Ending(state, DONE))

    async def test_unknown_has_no_receipt_until_it_is_resolved(self, bench: Bench) -> None:
        unknown = await bench.journal.settle(await started(bench.journal), UNKNOWN)
        other = await bench.journal.settle(await started(bench.journal, new(who=EVE)), UNKNOWN)
        assert (unknown.state, unknown.reason) == (State.UNKNOWN, "no_answer")
        assert await bench.journal.receipts("acme") == ()
        assert await bench.journal.unresolved() == (unknown, other)
        assert await bench.journal.unresolved(limit=1) == (unknown,)
        assert await bench.journal.claim("w2", LEASE_S) is None
        done = await bench.journal.resolve(unknown, SUCCEEDED, "read_back")
        assert (done.state, done.decided_by, done.undo) == (State.SUCCEEDED, "read_back", UNDO)
        assert done.receipt == "rcpt_1"
        with pytest.raises(IllegalMoveError):
            await bench.journal.resolve(unknown, FAILED, "ada")
        with pytest.raises(IllegalMoveError):
            await bench.journal.resolve(other, UNKNOWN, "ada")
        assert await bench.journal.unresolved() == (other,)
