"""What every journal does, whatever it is made of."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest
from pydantic import JsonValue

from tests.tools.journal.making import (
    ADA,
    BOB,
    CALL,
    CARD,
    DONE,
    EVE,
    FAILED,
    NOON,
    SUCCEEDED,
    UNDO,
    UNKNOWN,
    Hands,
    Seal,
    approved,
    new,
    other_call,
    pending,
    started,
    succeeded,
    undoing,
    yes,
)
from tools.canonical import sha256
from tools.journal import (
    DENIAL_HOLDS_S,
    DENIED,
    MOST_OPEN_CARDS,
    Action,
    ApprovalError,
    Ending,
    FencedOutError,
    IllegalMoveError,
    Journal,
    Receipt,
    State,
    UnknownActionError,
)
from tools.types import Done, Tier

LEASE_S = 30.0


class Bench(NamedTuple):
    """A journal, the clock it goes by, and the seal of its receipts."""

    journal: Journal
    hands: Hands
    seal: Seal


def payload(receipt: Receipt) -> Mapping[str, JsonValue]:
    part = receipt.jws.split(".")[1]
    read: Mapping[str, JsonValue] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


def check_chain(receipts: tuple[Receipt, ...], seal: Seal) -> None:
    prev = ""
    for place, receipt in enumerate(receipts, 1):
        signed, _, signature = receipt.jws.rpartition(".")
        seal.public.verify(
            urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), signed.encode()
        )
        said = payload(receipt)
        assert (receipt.seq, said["seq"]) == (place, place)
        assert (receipt.prev, said["prev"]) == (prev, prev)
        assert (said["tenant"], said["action_id"]) == (receipt.tenant, receipt.action_id)
        prev = sha256(receipt.jws.encode())


async def told(journal: Journal) -> list[str]:
    return [row.kind for row in await journal.outbox()]


class JournalContract:
    """Inherit, and give a fixture `bench` whose journal is empty."""

    # --- proposing and showing ------------------------------------------------------------------

    async def test_a_proposal_is_kept_as_it_was_made(self, bench: Bench) -> None:
        wanted = new("k", thread_id="t1", step="s")
        action = await bench.journal.propose(wanted)
        kept = await bench.journal.action("acme", action.id)
        assert kept == action
        assert (kept.call, kept.who, kept.tier, kept.etag) == (CALL, ADA, Tier.R2, "v1")
        assert (kept.state, kept.fence, kept.attempt) == (State.PROPOSED, 0, 0)
        assert (kept.created, kept.expires) == (NOON, NOON + timedelta(seconds=900))
        assert (kept.thread_id, kept.step) == ("t1", "s")
        assert len(kept.nonce) == 22
        assert await bench.journal.by_key("acme", "k") == kept
        assert await told(bench.journal) == ["action.proposed"]

    async def test_proposing_again_is_the_same_action(self, bench: Bench) -> None:
        first = await bench.journal.propose(new("k"))
        again = await bench.journal.propose(new("k", call=other_call("x")))
        assert again == first
        assert await told(bench.journal) == ["action.proposed"]

    async def test_many_proposals_of_one_key_make_one_action(self, bench: Bench) -> None:
        made = await asyncio.gather(*(bench.journal.propose(new("k")) for _ in range(16)))
        assert len({action.id for action in made}) == 1
        assert len(await bench.journal.actions("acme")) == 1

    async def test_the_key_of_another_person_is_not_theirs_to_read(self, bench: Bench) -> None:
        await bench.journal.propose(new("k"))
        with pytest.raises(IllegalMoveError, match="another action"):
            await bench.journal.propose(new("k", who=BOB))

    async def test_two_tenants_use_one_key(self, bench: Bench) -> None:
        ours = await bench.journal.propose(new("k"))
        theirs = await bench.journal.propose(new("k", who=EVE))
        assert ours.id != theirs.id
        with pytest.raises(UnknownActionError):
            await bench.journal.action("umbrella", ours.id)

    @pytest.mark.parametrize("link", ["parent", "undoes"])
    async def test_a_link_leads_to_an_action_of_the_tenant(self, bench: Bench, link: str) -> None:
        theirs = await bench.journal.propose(new(who=EVE))
        wanted = new(parent=theirs.id) if link == "parent" else new(undoes=theirs.id)
        with pytest.raises(UnknownActionError):
            await bench.journal.propose(wanted)

    async def test_a_card_is_kept_as_it_was_shown(self, bench: Bench) -> None:
        action = await pending(bench.journal)
        assert (action.state, action.card) == (State.PENDING, CARD)
        assert await bench.journal.action("acme", action.id) == action
        assert await bench.journal.present(action, CARD) == action
        assert await told(bench.journal) == ["action.proposed", "action.pending"]

    async def test_an_identical_card_takes_the_place_of_the_new_one(self, bench: Bench) -> None:
        first = await pending(bench.journal)
        second = await bench.journal.propose(new())
        assert await bench.journal.present(second, CARD) == first
        merged = await bench.journal.action("acme", second.id)
        assert (merged.state, merged.reason) == (State.REFUSED, "merged")

    @pytest.mark.parametrize("other", [{"etag": "v2"}, {"policy_version": "p2"}, {"who": BOB}])
    async def test_a_card_that_differs_is_another_card(
        self, bench: Bench, other: Mapping[str, object]
    ) -> None:
        first = await pending(bench.journal)
        second = await pending(bench.journal, replace(new(), **other))  # type: ignore[arg-type]
        assert second.id != first.id
        assert second.state is State.PENDING

    async def test_a_denial_holds_for_an_hour(self, bench: Bench) -> None:
        denied = await bench.journal.refuse(await pending(bench.journal), DENIED, "ada", "no")
        assert (denied.reason, denied.detail, denied.decided_by) == (DENIED, "no", "ada")
        refused = await pending(bench.journal)
        assert (refused.state, refused.reason) == (State.REFUSED, "rejected_lately")
        assert (await pending(bench.journal, new(who=BOB))).state is State.PENDING
        bench.hands.pass_s(DENIAL_HOLDS_S)
        assert (await pending(bench.journal)).state is State.PENDING

    async def test_any_other_refusal_holds_nothing_off(self, bench: Bench) -> None:
        await bench.journal.refuse(await pending(bench.journal), "cancelled", "ada")
        assert (await pending(bench.journal)).state is State.PENDING

    async def test_a_person_has_so_many_open_cards(self, bench: Bench) -> None:
        cards = [await pending(bench.journal, new(call=other_call(str(n)))) for n in range(6)]
        states = [card.state for card in cards]
        assert states == [State.PENDING] * MOST_OPEN_CARDS + [State.REFUSED]
        assert cards[-1].reason == "too_many_cards"
        assert (await pending(bench.journal, new(who=BOB))).state is State.PENDING
        await bench.journal.refuse(cards[0], "cancelled", "ada")
        assert (await pending(bench.journal, new(call=other_call("7")))).state is State.PENDING

    async def test_cards_shown_at_once_are_counted_all_the_same(self, bench: Bench) -> None:
        wanted = [await bench.journal.propose(new(call=other_call(str(n)))) for n in range(12)]
        shown = await asyncio.gather(*(bench.journal.present(each, CARD) for each in wanted))
        assert sum(each.state is State.PENDING for each in shown) == MOST_OPEN_CARDS

    async def test_expired_cards_are_not_counted_nor_merged_with(self, bench: Bench) -> None:
        old = [
            await pending(bench.journal, new(call=other_call(str(n)), expires_s=60))
            for n in range(5)
        ]
        bench.hands.pass_s(60)
        again = await pending(bench.journal, new(call=old[0].call))
        assert again.state is State.PENDING
        assert again.id != old[0].id

    # --- approving ------------------------------------------------------------------------------

    async def test_an_approval_is_bound_to_the_action(self, bench: Bench) -> None:
        action = await pending(bench.journal)
        given = yes(action)
        got = await bench.journal.approve(action, given, last=True)
        assert got.state is State.APPROVED
        assert await bench.journal.approvals("acme", action.id) == (given,)
        assert await bench.journal.approvals("umbrella", action.id) == ()

    async def test_another_digest_is_no_approval(self, bench: Bench) -> None:
        action = await pending(bench.journal)
        wrong = replace(yes(action), digest=sha256(b"other"))
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, wrong, last=True)
        assert caught.value.code == "digest_mismatch"
        elsewhere = replace(yes(action), action_id="another")
        with pytest.raises(ApprovalError):
            await bench.journal.approve(action, elsewhere, last=True)
        assert (await bench.journal.action("acme", action.id)).state is State.PENDING
        assert await bench.journal.approvals("acme", action.id) == ()

    async def test_a_card_that_expired_is_refused_by_asking(self, bench: Bench) -> None:
        action = await pending(bench.journal)
        bench.hands.pass_s(900)
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, yes(action), last=True)
        assert caught.value.code == "expired"
        refused = await bench.journal.action("acme", action.id)
        assert (refused.state, refused.reason) == (State.REFUSED, "expired")

    async def test_a_microsecond_before_it_expires_counts(self, bench: Bench) -> None:
        action = await pending(bench.journal)
        bench.hands.pass_s(899.999999)
        got = await bench.journal.approve(action, yes(action), last=True)
        assert got.state is State.APPROVED

    async def test_what_nobody_saw_nobody_approves(self, bench: Bench) -> None:
        action = await bench.journal.propose(new())
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, yes(action), last=True)
        assert caught.value.code == "not_pending"

    async def test_of_64_approvals_at_once_one_counts(self, bench: Bench) -> None:
        action = await pending(bench.journal)
        tries = [bench.journal.approve(action, yes(action, f"p{n}"), last=True) for n in range(64)]
        got = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(each, Action) for each in got) == 1
        codes = {each.code for each in got if isinstance(each, ApprovalError)}
        assert codes == {"not_pending"}
        assert len(await bench.journal.approvals("acme", action.id)) == 1

    async def test_two_people_are_two_people(self, bench: Bench) -> None:
        action = await pending(bench.journal, new(tier=Tier.R4))
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, yes(action), last=True)
        assert caught.value.code == "self_approval"
        waiting = await bench.journal.approve(action, yes(action), last=False)
        assert waiting.state is State.PENDING
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, yes(action), last=False)
        assert caught.value.code == "already_decided"
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, yes(action), last=True)
        assert caught.value.code == "self_approval"
        got = await bench.journal.approve(action, yes(action, "bob"), last=True)
        assert got.state is State.APPROVED
        given = await bench.journal.approvals("acme", action.id)
        assert [each.approver for each in given] == ["ada", "bob"]

    async def test_what_is_ones_own_nobody_else_approves(self, bench: Bench) -> None:
        action = await pending(bench.journal, new(tier=Tier.R1))
        with pytest.raises(ApprovalError) as caught:
            await bench.journal.approve(action, yes(action, "bob"), last=True)
        assert caught.value.code == "wrong_person"

    async def test_what_was_decided_is_not_shown_again(self, bench: Bench) -> None:
        ready = await approved(bench.journal)
        await bench.journal.refuse(await pending(bench.journal), DENIED, "ada")
        with pytest.raises(IllegalMoveError, match="too late"):
            await bench.journal.present(ready, CARD)
        assert (await bench.journal.action("acme", ready.id)).state is State.APPROVED

    async def test_a_denial_takes_the_place_of_an_approval(self, bench: Bench) -> None:
        action = await approved(bench.journal)
        await bench.journal.refuse(action, DENIED, "ada")
        assert await bench.journal.approvals("acme", action.id) == ()

    async def test_policy_approves_reads_and_what_was_allowed_for_good(self, bench: Bench) -> None:
        async def automatic(tier: Tier) -> State:
            action = await bench.journal.propose(new(tier=tier))
            by_policy = yes(action, "policy", "policy")
            return (await bench.journal.approve(action, by_policy, last=True)).state

        assert await automatic(Tier.R0) is State.APPROVED
        with pytest.raises(ApprovalError) as caught:
            await automatic(Tier.R1)
        assert caught.value.code == "wrong_person"
        await bench.journal.consent("acme", "ada", CALL.tool, given=True)
        assert await automatic(Tier.R1) is State.APPROVED
        for tier in (Tier.R2, Tier.R3, Tier.R4):
            with pytest.raises(ApprovalError):
                await automatic(tier)

    async def test_a_standing_consent_is_one_persons_and_can_be_taken_back(
        self, bench: Bench
    ) -> None:
        await bench.journal.consent("acme", "ada", "invite", given=True)
        await bench.journal.consent("acme", "ada", "rename", given=True)
        assert await bench.journal.consents("acme", "ada") == {"invite", "rename"}
        assert await bench.journal.consents("acme", "bob") == frozenset()
        assert await bench.journal.consents("umbrella", "ada") == frozenset()
        await bench.journal.consent("acme", "ada", "invite", given=False)
        await bench.journal.consent("acme", "ada", "invite", given=False)
        assert await bench.journal.consents("acme", "ada") == {"rename"}

    async def test_refused_before_it_starts_and_never_after(self, bench: Bench) -> None:
        action = await approved(bench.journal)
        assert (await bench.journal.refuse(action, "cancelled", "ada")).state is State.REFUSED
        assert await bench.journal.claim("w1", LEASE_S, action.id) is None
        claim = await started(bench.journal)
        with pytest.raises(IllegalMoveError):
            await bench.journal.refuse(claim.action, "cancelled", "ada")
        with pytest.raises(IllegalMoveError):
            await bench.journal.refuse(action, "cancelled", "ada")

    # --- claiming -------------------------------------------------------------------------------

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

    # --- settling -------------------------------------------------------------------------------

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

    # --- undoing --------------------------------------------------------------------------------

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

    # --- flows ----------------------------------------------------------------------------------

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

    # --- reading --------------------------------------------------------------------------------

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
        assert await journal.actions("acme", limit=2) == (one, two)
        assert await journal.actions("nobody") == ()

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
