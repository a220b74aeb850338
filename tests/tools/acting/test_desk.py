"""From a call to a card to an approved action, and every way in which it must not get there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from guardrails import Redacted, Redaction
from tests.tools.acting.floor import ANA, BO, START, Floor, of_class, person, yes
from tests.tools.twins import ShopTool, manifest
from tools.acting import BadCallError, Decision, Desk, NoSuchToolError
from tools.held import Held, UnknownTokenError
from tools.journal import (
    ApprovalError,
    Ending,
    IllegalMoveError,
    State,
    UnknownActionError,
)
from tools.tool import ForbiddenError
from tools.types import Actor, Arguments, Done, EffectClass, Tier

K, O = EffectClass.KEYED, EffectClass.ONCE  # noqa: E741
STAFF = person("sam", "", staff=True)


def test_it_is_a_desk() -> None:
    desk: Desk = Floor().desk
    assert desk.offered(ANA)


def test_only_what_this_person_may_use_is_offered() -> None:
    floor = Floor()
    floor.shelf.put(ShopTool(floor.shop, replace(manifest("secret_undo"), hidden=True)))
    floor.shelf.put(ShopTool(floor.shop, replace(manifest("pro"), plans=frozenset({"growth"}))))
    names = [m.name for m in floor.desk.offered(ANA)]
    assert names == ["set_item"]
    assert floor.desk.offered(replace(ANA, rights=frozenset())) == ()
    assert len(floor.desk.offered(replace(ANA, plan="growth"))) == 2


@pytest.mark.parametrize("name", ["secret_undo", "nothing", "set_item"])
async def test_what_is_not_offered_does_not_exist(name: str) -> None:
    floor = Floor()
    floor.shelf.put(ShopTool(floor.shop, replace(manifest("secret_undo"), hidden=True)))
    nobody = replace(ANA, rights=frozenset())
    request = floor.request(actor=nobody if name == "set_item" else ANA)
    with pytest.raises(NoSuchToolError):
        await floor.desk.prepare(replace(request, call=replace(request.call, tool=name)))


async def test_a_card_is_stored_with_what_stands_now() -> None:
    floor = Floor()
    floor.shop.write("", "n", "old")
    action = await floor.pending()
    assert action.card is not None
    value = action.card.fields[1]
    assert (value.before, value.value) == ('"old"', '"new"')
    assert (action.etag, action.tier) == ("v1", Tier.R1)
    assert not floor.shop.ledger


async def test_asking_twice_is_one_action() -> None:
    floor = Floor()
    first, second = await floor.pending(), await floor.pending()
    assert first.id == second.id
    eve = floor.request(actor=person("eve"))
    with pytest.raises(IllegalMoveError):
        await floor.desk.prepare(eve)


async def test_identical_cards_merge_and_a_denial_holds() -> None:
    floor = Floor()
    first = await floor.pending(key="k1")
    assert (await floor.desk.prepare(floor.request(key="k2"))).id == first.id
    denied = await floor.desk.decide("t", yes(first, verdict="deny", reason="not now"))
    assert (denied.state, denied.reason, denied.detail) == (State.REFUSED, "denied", "not now")
    again = await floor.desk.prepare(floor.request(key="k3"))
    assert (again.state, again.reason) == (State.REFUSED, "rejected_lately")


async def test_five_cards_at_most() -> None:
    floor = Floor()
    for number in range(5):
        await floor.pending({"name": f"n{number}"}, key=f"k{number}")
    sixth = await floor.desk.prepare(floor.request({"name": "n6"}, key="k6"))
    assert (sixth.state, sixth.reason) == (State.REFUSED, "too_many_cards")
    assert len(await floor.desk.cards(ANA)) == 5


async def test_arguments_that_do_not_fit_are_told() -> None:
    with pytest.raises(BadCallError) as bad:
        await Floor().desk.prepare(Floor().request({"name": "", "count": 0.5}))
    assert bad.value.errors == {"count": "floats have no canonical form; send it as text"}


async def test_a_call_planned_for_another_version_is_told() -> None:
    floor = Floor()
    request = floor.request()
    with pytest.raises(BadCallError, match="plan it again"):
        await floor.desk.prepare(replace(request, call=replace(request.call, version="0")))


async def test_reads_need_no_person_and_no_look() -> None:
    floor = Floor(manifest(tier=Tier.R0))
    action = await floor.desk.prepare(floor.request())
    assert action.state is State.APPROVED
    approvals = await floor.books.approvals("t", action.id)
    assert [(a.approver, a.channel) for a in approvals] == [("policy", "policy")]
    assert (await floor.perform(action)).state is State.SUCCEEDED
    assert floor.tool.looks == 0


async def test_always_allow_stands_for_r1_and_nothing_above() -> None:
    floor = Floor()
    await floor.desk.decide("t", yes(await floor.pending(), always=True))
    again = await floor.desk.prepare(floor.request({"name": "m"}, key="k2"))
    assert again.state is State.APPROVED
    lifted = await floor.desk.prepare(floor.request({"name": "m", "role": "admin"}, key="k3"))
    assert (lifted.state, lifted.tier) == (State.PENDING, Tier.R2)
    other = await floor.desk.prepare(floor.request({"name": "m"}, person("bo"), key="k4"))
    assert other.state is State.PENDING
    shared = Floor(manifest(tier=Tier.R2))
    await shared.desk.decide("t", yes(await shared.pending(), always=True))
    assert await shared.books.consents("t", "ana") == frozenset()


async def test_below_the_ceiling_consent_and_inferred_values_do_not_count() -> None:
    floor = Floor()
    await floor.books.consent("t", "ana", "set_item", given=True)
    fallen = floor.another_desk(ceiling=lambda _request: Tier.R0)
    assert (await fallen.prepare(floor.request())).state is State.PENDING
    inferred = floor.request({"name": "m"}, key="k2", origins={"name": "a page"})
    with pytest.raises(BadCallError, match="was taken from a page; pick or type it"):
        await fallen.prepare(inferred)
    assert (await floor.desk.prepare(inferred)).state is State.APPROVED


class Pocket:
    """Held values of one conversation."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    async def hold(
        self, tenant: str, subject: str, thread_id: str, original: str, redaction: Redaction
    ) -> Redacted:
        return redaction.text

    async def known(self, tenant: str, thread_id: str) -> tuple[Held, ...]:
        return ()

    async def restore(
        self, tenant: str, subject: str, thread_id: str, arguments: Arguments
    ) -> Arguments:
        for value in arguments.values():
            if isinstance(value, str) and value.startswith("<") and value not in self._values:
                raise UnknownTokenError(value)
        return {
            name: self._values.get(value, value) if isinstance(value, str) else value
            for name, value in arguments.items()
        }

    async def shown(self, tenant: str, subject: str, thread_id: str, text: str) -> str:
        return text


async def test_tokens_become_values_once_so_that_the_card_covers_them() -> None:
    floor = Floor()
    desk = floor.another_desk(held=Pocket({"<EMAIL_ADDRESS_1>": "ana@acme.io"}))
    request = floor.request({"name": "<EMAIL_ADDRESS_1>"}, thread_id="th")
    action = await desk.prepare(request)
    assert action.call.arguments == {"name": "ana@acme.io"}
    assert action.card is not None
    assert action.card.fields[0].value == "ana@acme.io"
    with pytest.raises(BadCallError, match="type the value again"):
        await desk.prepare(floor.request({"name": "<PERSON_9>"}, key="k2", thread_id="th"))


# --- decisions --------------------------------------------------------------------------------


async def refused(floor: Floor, decision: Decision) -> str:
    with pytest.raises(ApprovalError) as caught:
        await floor.desk.decide("t", decision)
    return caught.value.code


async def test_a_yes_to_another_card_does_not_count() -> None:
    floor = Floor()
    action = await floor.pending()
    other = await floor.pending({"name": "m"}, key="k2")
    assert await refused(floor, yes(action, digest=other.digest)) == "digest_mismatch"
    assert await refused(floor, yes(action, digest="")) == "digest_mismatch"
    assert (await floor.state(action)).state is State.PENDING


async def test_a_yes_counts_once() -> None:
    floor = Floor()
    action = await floor.approved()
    assert await refused(floor, yes(action)) == "not_pending"
    await floor.perform(action)
    assert await refused(floor, yes(action)) == "not_pending"
    assert floor.shop.effects == {action.id: 1}


@pytest.mark.parametrize(
    "who",
    [
        person("bo"),
        person("eve", "globex"),
        STAFF,
        person(principal=ANA.principal._replace(tenant="u")),
    ],
)
async def test_an_own_action_is_for_its_owner(who: Actor) -> None:
    floor = Floor()
    action = await floor.pending()
    assert await refused(floor, yes(action, who)) == "wrong_person"
    assert await refused(floor, yes(action, who, verdict="deny")) == "wrong_person"
    with pytest.raises(UnknownActionError):
        await floor.desk.action(who, action.id)
    with pytest.raises(UnknownActionError):
        await floor.desk.cancel(who.tenant, action.id, who)
    assert await floor.desk.cards(who) == ()


async def test_a_shared_action_is_routed_to_whoever_has_the_right() -> None:
    floor = Floor(manifest(tier=Tier.R2))
    action = await floor.pending()
    assert await floor.desk.cards(BO) == (action,)
    assert await floor.desk.action(STAFF, action.id) == action
    assert (await floor.desk.decide("t", yes(action, BO))).state is State.APPROVED


async def test_two_people_confirm_what_cannot_be_undone() -> None:
    floor = Floor(manifest(tier=Tier.R4))
    action = await floor.pending()
    assert (await floor.desk.decide("t", yes(action))).state is State.PENDING
    assert await refused(floor, yes(action)) == "self_approval"
    assert (await floor.perform(action, 0.0)).state is State.PENDING
    assert (await floor.desk.decide("t", yes(action, BO))).state is State.APPROVED
    assert (await floor.perform(action)).state is State.SUCCEEDED


async def test_a_stale_sign_in_does_not_count_and_a_fresh_one_does() -> None:
    floor = Floor(manifest(tier=Tier.R3))
    action = await floor.pending()
    old = person(login=START - timedelta(seconds=301))
    assert await refused(floor, yes(action, old)) == "stale_sign_in"
    assert await refused(floor, yes(action, person(login=None))) == "stale_sign_in"
    assert (await floor.desk.decide("t", yes(action))).state is State.APPROVED


async def test_an_expired_card_is_void() -> None:
    floor = Floor()
    action = await floor.pending()
    floor.clock.pass_s(901)
    assert await refused(floor, yes(action)) == "expired"
    assert (await floor.state(action)).reason == "expired"
    assert await refused(floor, yes(action)) == "expired"


async def test_an_approval_that_waited_too_long_does_not_start() -> None:
    floor = Floor()
    action = await floor.approved()
    floor.clock.pass_s(901)
    assert (await floor.perform(action)).reason == "expired"
    assert not floor.shop.ledger


async def test_a_changed_target_voids_the_card() -> None:
    floor = Floor()
    action = await floor.pending()
    floor.shop.write("", "n", "other")
    assert await refused(floor, yes(action)) == "target_changed"
    assert (await floor.state(action)).state is State.REFUSED


async def test_a_target_changed_after_the_yes_is_not_touched() -> None:
    floor = Floor()
    action = await floor.approved()
    floor.shop.write("", "n", "other")
    action = await floor.perform(action)
    assert (action.state, action.reason) == (State.FAILED, "target_changed")
    assert not floor.shop.ledger


@pytest.mark.parametrize("change", ["version", "tier", "gone"])
async def test_a_changed_tool_voids_the_card(change: str) -> None:
    floor = Floor()
    action = await floor.pending()
    match change:
        case "version":
            floor.shelf.put(ShopTool(floor.shop, manifest(version="2")))
        case "tier":
            floor.shelf.put(ShopTool(floor.shop, manifest(tier=Tier.R2)))
        case _:
            floor.shelf = floor.shelf.__class__()
            floor.desk = floor.another_desk()
    expected = "policy_changed" if change == "tier" else "tool_changed"
    assert await refused(floor, yes(action)) == expected
    assert (await floor.state(action)).state is State.REFUSED


async def test_a_changed_policy_voids_the_card() -> None:
    floor = Floor()
    action = await floor.pending()
    floor.desk = floor.another_desk("p2")
    assert await refused(floor, yes(action)) == "policy_changed"


async def test_a_wrong_person_voids_nothing() -> None:
    floor = Floor()
    action = await floor.pending()
    floor.shop.write("", "n", "other")
    assert await refused(floor, yes(action, BO)) == "wrong_person"
    assert (await floor.state(action)).state is State.PENDING


async def test_a_look_that_is_forbidden_now_neither_voids_nor_approves() -> None:
    floor = Floor()
    action = await floor.pending()

    async def look(*_: object) -> object:
        raise ForbiddenError("not_signed_in")

    floor.tool.look = look  # type: ignore[method-assign,assignment]
    with pytest.raises(ForbiddenError):
        await floor.desk.decide("t", yes(action))
    assert (await floor.state(action)).state is State.PENDING


async def test_a_cancelled_action_cannot_be_approved_and_a_running_one_not_cancelled() -> None:
    floor = Floor()
    action = await floor.pending()
    assert (await floor.desk.cancel("t", action.id, ANA)).reason == "cancelled"
    assert await refused(floor, yes(action)) == "not_pending"
    started = await floor.approved({"name": "m"}, key="k2")
    await floor.claimed(started)
    with pytest.raises(IllegalMoveError):
        await floor.desk.cancel("t", started.id, ANA)


async def test_an_approved_action_can_still_be_called_off() -> None:
    floor = Floor()
    action = await floor.approved()
    await floor.desk.cancel("t", action.id, ANA)
    assert (await floor.perform(action)).state is State.REFUSED
    assert not floor.shop.ledger


async def test_edited_arguments_are_a_new_action() -> None:
    floor = Floor()
    old = await floor.pending()
    new = await floor.desk.edit("t", old.id, {"name": "n", "value": "edited"}, ANA)
    assert (new.state, new.call.arguments["value"]) == (State.PENDING, "edited")
    assert new.id != old.id
    assert new.digest != old.digest
    assert (await floor.state(old)).reason == "edited"
    assert await refused(floor, yes(old)) == "not_pending"
    assert await refused(floor, yes(new, digest=old.digest)) == "digest_mismatch"
    done = await floor.perform(await floor.desk.decide("t", yes(new)))
    assert floor.shop.ledger == [(done.id, "n", "edited")]


async def test_a_bad_edit_leaves_the_card_and_the_same_arguments_are_no_edit() -> None:
    floor = Floor()
    old = await floor.pending()
    with pytest.raises(BadCallError):
        await floor.desk.edit("t", old.id, {"name": ""}, ANA)
    assert (await floor.desk.edit("t", old.id, dict(old.call.arguments), ANA)).id == old.id
    assert (await floor.state(old)).state is State.PENDING
    with pytest.raises(UnknownActionError):
        await floor.desk.edit("t", old.id, {"name": "x"}, BO)


async def test_staff_edits_and_approves_what_runs_with_the_users_rights() -> None:
    floor = Floor(manifest(tier=Tier.R2))
    old = await floor.pending()
    new = await floor.desk.edit("t", old.id, {"name": "n", "value": "by staff"}, STAFF)
    assert new.who == ANA.principal
    assert (await floor.desk.decide("t", yes(new, STAFF))).state is State.APPROVED


# --- performing -------------------------------------------------------------------------------


async def test_many_who_wait_get_one_effect() -> None:
    floor = Floor()
    action = await floor.approved()
    ended = await asyncio.gather(*(floor.perform(action) for _ in range(20)))
    assert {each.state for each in ended} == {State.SUCCEEDED}
    assert floor.shop.effects == {action.id: 1}


async def test_waiting_ends_in_time_and_the_work_goes_on() -> None:
    floor = Floor(of_class(K, timeout_s=0.2), ["hang"])
    action = await floor.approved()
    assert (await floor.perform(action, 0.02)).state is State.STARTED
    await floor.desk.aclose()
    assert (await floor.state(action)).state is State.SUCCEEDED


async def test_it_takes_over_from_whoever_died_meanwhile() -> None:
    floor = Floor()
    crashed = await floor.crashed(effect=True)
    assert (await floor.perform(crashed)).state is State.SUCCEEDED
    assert floor.shop.effects == {crashed.id: 1}


async def test_an_action_of_another_tenant_is_unknown() -> None:
    floor = Floor()
    action = await floor.approved()
    with pytest.raises(UnknownActionError):
        await floor.desk.perform("u", action.id, 1.0)


# --- after ------------------------------------------------------------------------------------


async def test_what_has_no_effect_cannot_be_undone() -> None:
    floor = Floor(faults=["rejected"])
    failed = await floor.done()
    with pytest.raises(IllegalMoveError):
        await floor.desk.undo("t", failed.id, ANA)
    pending = await floor.pending({"name": "m"}, key="k2")
    with pytest.raises(IllegalMoveError):
        await floor.desk.undo("t", pending.id, ANA)


async def test_undo_is_an_action_of_its_own_and_happens_once() -> None:
    floor = Floor()
    done = await floor.done()
    undo = await floor.desk.undo("t", done.id, ANA)
    assert (undo.state, undo.undoes) == (State.PENDING, done.id)
    assert (await floor.desk.undo("t", done.id, ANA)).id == undo.id
    await floor.desk.cancel("t", undo.id, ANA)
    second = await floor.desk.undo("t", done.id, ANA)
    assert second.id != undo.id
    await floor.perform(await floor.desk.decide("t", yes(second)))
    with pytest.raises(IllegalMoveError):
        await floor.desk.undo("t", done.id, ANA)
    assert len(floor.shop.ledger) == 2


async def test_undo_with_a_changed_compensator_asks_for_a_person() -> None:
    floor = Floor()
    done = await floor.done()
    floor.shelf.put(ShopTool(floor.shop, manifest(version="2")))
    with pytest.raises(IllegalMoveError, match="ask a person"):
        await floor.desk.undo("t", done.id, ANA)


async def test_a_person_says_what_became_of_an_unknown_action() -> None:
    floor = Floor(of_class(O, Tier.R2), ["lost"])
    unknown = await floor.done()
    assert unknown.state is State.UNKNOWN
    with pytest.raises(UnknownActionError):
        await floor.desk.resolve("t", unknown.id, Ending(State.FAILED), person("eve", "globex"))
    told = Ending(State.SUCCEEDED, Done({"seen": True}))
    resolved = await floor.desk.resolve("t", unknown.id, told, STAFF)
    assert (resolved.state, resolved.decided_by) == (State.SUCCEEDED, "sam")
    assert [r.action_id for r in await floor.books.receipts("t")] == [unknown.id]
    with pytest.raises(IllegalMoveError):
        await floor.desk.resolve("t", unknown.id, told, STAFF)


async def test_rights_lost_since_the_proposal_do_not_approve() -> None:
    floor = Floor()
    action = await floor.pending()
    assert await refused(floor, yes(action, replace(ANA, rights=frozenset()))) == "wrong_person"
    denied = await floor.desk.decide(
        "t", yes(action, replace(ANA, rights=frozenset()), verdict="deny")
    )
    assert denied.state is State.REFUSED
