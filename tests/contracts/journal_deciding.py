"""What every journal does from a proposal to a decision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.journal_bench import LEASE_S, Bench, told
from tests.tools.journal.making import (
    ADA,
    BOB,
    CALL,
    CARD,
    EVE,
    NOON,
    approved,
    new,
    other_call,
    pending,
    started,
    yes,
)
from tools.canonical import sha256
from tools.journal import (
    DENIAL_HOLDS_S,
    DENIED,
    MOST_OPEN_CARDS,
    Action,
    ApprovalError,
    IllegalMoveError,
    State,
    UnknownActionError,
)
from tools.types import Tier


class DecidingContract:
    """Proposals, cards, approvals, consents."""

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
