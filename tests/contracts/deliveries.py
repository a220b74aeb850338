"""What every delivery log does: plan once, let out by the governor, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from guardrails.consent import Purpose
from onboarding.interventions import (
    Cap,
    Channel,
    Delivery,
    Klass,
    Message,
    OnCap,
    Quiet,
    Reason,
    Scope,
    Silence,
    Standing,
    State,
    Window,
)
from onboarding.interventions.channel import (
    Again,
    Away,
    Effect,
    Refused,
    Result,
    Sent,
    Unsure,
)
from onboarding.interventions.choices import Choice, Wish
from onboarding.interventions.governor import House
from onboarding.interventions.nulls import is_null
from onboarding.interventions.retrying import Retrying
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.store import Claim, DeliveryStore, Given, Rules, Wanted
from onboarding.types import Person
from tests.onboarding.interventions.making import ANA, BO, DAY, HOUR, MINUTE, NOON, mail, message

RULES = Rules(effects={Channel.EMAIL: Effect.ONCE, Channel.SMS: Effect.KEYED})
HERE = Standing(zone="Europe/Berlin")
LEASE = RULES.lease
ASKED_AFTER, PATIENCE = Retrying().ask_after, Retrying().patience
Make = Callable[[Rules], DeliveryStore]


async def planned(store: DeliveryStore, *messages: Message, at: datetime = NOON) -> Delivery:
    return (await store.plan(messages, at))[-1]


async def claimed(store: DeliveryStore, made: Message, at: datetime = NOON) -> Claim:
    found = await store.claim(await planned(store, made, at=at), HERE, at)
    assert isinstance(found, Claim), found
    return found


async def held(
    store: DeliveryStore, delivery: Delivery, at: datetime, standing: Standing = HERE
) -> Delivery:
    found = await store.claim(delivery, standing, at)
    assert isinstance(found, Delivery), found
    return found


async def settled(store: DeliveryStore, claim: Claim, result: Result, at: datetime) -> Delivery:
    after = await store.settle(claim.delivery, result, at, Random(1))
    assert after is not None
    return after


async def sent(store: DeliveryStore, made: Message, at: datetime = NOON) -> Delivery:
    return await settled(store, await claimed(store, made, at), Sent("p1"), at)


class DeliveryStoreContract:
    """Inherited by the test module of each implementation, which provides `make`."""

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make: Make) -> DeliveryStore:
        return make(RULES)

    async def test_what_is_planned_comes_back_whole(self, store: DeliveryStore) -> None:
        made = mail(
            values={"step": "Connect", "left": 3, "share": 0.5, "late": True},
            caps=(Cap(1, DAY, Window.CALENDAR),),
            quiet=Quiet(NOON.time(), NOON.time(), frozenset({Channel.SMS}), "Asia/Tokyo"),
            exclusive="onboarding",
            purpose=Purpose.MARKETING,
            on_cap=OnCap.DIGEST,
            expires=NOON + DAY,
            arms={"copy": "short"},
            null_share=0.1,
        )
        (found,) = await store.plan([made], NOON)
        assert found == Delivery(made.id, made, State.PLANNED, NOON, NOON, changed_at=NOON)
        assert await store.delivery("t", made.id) == found
        assert await store.delivery("t2", made.id) is None

    async def test_the_same_planned_twice_is_one(self, store: DeliveryStore) -> None:
        await sent(store, message())
        again = await planned(store, message(), at=NOON + DAY)
        assert (again.state, again.planned_at) == (State.SENT, NOON)
        other = await planned(store, message(entry=2))
        assert other.state is State.PLANNED

    async def test_due_is_what_waits_until_then_the_most_urgent_first(
        self, store: DeliveryStore
    ) -> None:
        await store.plan(
            [message("a"), message("b", priority=1), message("c", not_before=NOON + HOUR)], NOON
        )
        await store.plan([message("d", person=Person("t2", "ana"))], NOON)
        steps = [d.message.step for d in await store.due("t", NOON, 10)]
        assert steps == ["b", "a"]
        assert len(await store.due("t", NOON + HOUR, 10)) == 3
        assert len(await store.due("t", NOON + HOUR, 1)) == 1

    async def test_a_claim_is_one_workers(self, store: DeliveryStore) -> None:
        delivery = await planned(store, message())
        found = await asyncio.gather(*(store.claim(delivery, HERE, NOON) for _ in range(8)))
        assert len([each for each in found if isinstance(each, Claim)]) == 1
        assert len([each for each in found if each is None]) == 7
        assert await store.due("t", NOON + DAY, 10) == ()

    async def test_many_are_claimed_and_settled_at_once(self, store: DeliveryStore) -> None:
        people = [Person("t", f"p{n}") for n in range(6)]
        planned_now = await store.plan([message(person=p) for p in people], NOON)
        given = [Given(each, HERE, Sent("p")) for each in planned_now]
        given[2] = Given(planned_now[2], replace(HERE, goal_reached=True), Sent("p"))
        given[4] = Given(planned_now[4], HERE, Refused(Reason.BAD_TEMPLATE))
        orders = [given, given[::-1], given[3:] + given[:3], given]
        found = await asyncio.gather(
            *(store.hand_over("t", order, NOON, Random(1)) for order in orders)
        )
        after = {each.id: each for answers in found for each in answers if each is not None}
        assert sum(each is not None for answers in found for each in answers) == len(after) == 6
        became = [(after[each.id].state, after[each.id].reason) for each in planned_now]
        sent_now = (State.SENT, None)
        dead, dropped = (State.DEAD, Reason.BAD_TEMPLATE), (State.SUPPRESSED, Reason.GOAL_REACHED)
        assert became == [sent_now, sent_now, dropped, sent_now, dead, sent_now]
        for each in planned_now:
            assert await store.delivery("t", each.id) == after[each.id]
        assert await store.hand_over("t", [], NOON, Random(1)) == ()

    async def test_a_block_is_decided_on_as_if_one_came_after_the_other(self, make: Make) -> None:
        """Caps, gaps, keys, draws and groups hold within it, too."""
        caps = {Channel.IN_APP: (Cap(2, DAY, Window.ROLLING),)}
        house = House(caps=caps, gaps={Channel.IN_APP: timedelta(0)})
        people = [Person("t", f"p{n}") for n in range(9)]
        each_gets: dict[str, dict[str, Any]] = {
            "a": {"exclusive": "g", "null_share": 0.4},
            "b": {"exclusive": "g"},
            "c": {},
            "d": {},
            "e": {"exclusive": "h", "klass": Klass.TRANSACTIONAL},
            "f": {},
        }
        made = [
            message(step, person, priority=number, journey=f"{step}@1", **more)
            for person in people
            for number, (step, more) in enumerate(each_gets.items())
        ]
        stores = make(replace(RULES, house=house)), MemoryDeliveries(replace(RULES, house=house))
        for store in stores:
            await store.choose(people[3], Choice("journey/c", Wish.NEVER, NOON))
            await store.hush(people[4], Silence.TYPING, NOON + HOUR)
            await sent(store, message("c", people[5], journey="c@1"), NOON - HOUR)
            await store.plan(made, NOON)
        for at in (NOON, NOON + HOUR, NOON + DAY):
            answers = []
            for store in stores:
                due = await store.due("t", at, 100)
                found = await store.hand_over(
                    "t", [Given(each, HERE, Sent("p")) for each in due], at, Random(1)
                )
                answers.append({e.id: (e.state, e.reason, e.due) for e in found if e is not None})
            assert answers[0] == answers[1]
            assert answers[0]

    async def test_what_waits_for_a_provider_is_held(self, store: DeliveryStore) -> None:
        waiting = await store.plan([mail("a"), mail("b")], NOON)
        gone = await sent(store, mail("c", person=BO))
        names = [each.id for each in (*waiting, gone)]
        assert await store.postpone("t", names, NOON + MINUTE, NOON) == 2
        assert await store.postpone("t2", names, NOON + MINUTE, NOON) == 0
        assert await store.due("t", NOON, 9) == ()
        found = await store.due("t", NOON + MINUTE, 9)
        assert {(each.state, each.reason, each.attempts) for each in found} == {
            (State.HELD, Reason.PROVIDER_AWAY, 0)
        }
        assert isinstance(await store.claim(waiting[0], HERE, NOON + MINUTE), Claim)

    async def test_who_was_left_alone_counts_no_try(self, store: DeliveryStore) -> None:
        claim = await claimed(store, mail())
        after = await settled(store, claim, Away(MINUTE), NOON)
        assert (after.state, after.reason) == (State.HELD, Reason.PROVIDER_AWAY)
        assert (after.attempts, after.due) == (0, NOON + MINUTE)
        assert isinstance(await store.claim(after, HERE, NOON + MINUTE), Claim)

    async def test_what_is_unknown_is_asked_about_by_one(self, store: DeliveryStore) -> None:
        await self._unknown(store, mail())
        assert await store.doubtful("t", NOON, 9) == ()
        at = NOON + ASKED_AFTER
        assert await store.doubtful("t2", at, 9) == ()
        found = await asyncio.gather(*(store.doubtful("t", at, 9) for _ in range(4)))
        assert sum(len(each) for each in found) == 1
        assert len(await store.doubtful("t", at + LEASE, 9)) == 1

    async def _unknown(self, store: DeliveryStore, made: Message) -> Delivery:
        return await settled(store, await claimed(store, made), Unsure(), NOON)

    @pytest.mark.parametrize(
        ("answer", "state", "frees"),
        [
            (Sent("p7"), State.SENT, False),
            (Refused(), State.DEAD, True),
            (Again(), State.RETRY, True),
        ],
    )
    async def test_what_its_provider_says_counts(
        self, store: DeliveryStore, answer: Sent | Refused | Again, state: State, frees: bool
    ) -> None:
        unknown = await self._unknown(store, mail(values={"n": 1}))
        at = NOON + ASKED_AFTER
        after = await store.resolve(unknown, answer, at, Random(1))
        assert after is not None
        assert after.state is state
        kept = await store.delivery("t", unknown.id)
        assert kept is not None
        assert dict(kept.message.values) == ({"n": 1} if state is State.RETRY else {})
        assert await store.resolve(unknown, answer, at, Random(1)) is None
        other = await planned(store, mail("b"))
        found = await store.claim(other, HERE, NOON + 5 * HOUR)
        assert isinstance(found, Claim) == frees

    async def test_what_nobody_can_tell_is_for_a_person(self, store: DeliveryStore) -> None:
        unknown, at, asked = await self._unknown(store, mail()), NOON, 0
        while unknown.reason is not Reason.NEEDS_PERSON:
            at = unknown.due
            after = await store.resolve(unknown, None, at, Random(1))
            assert after is not None
            unknown, asked = after, asked + 1
        assert (unknown.state, at - NOON, asked) == (State.UNKNOWN, PATIENCE, 7)
        assert await store.doubtful("t", at + 9 * DAY, 9) == ()
        after = await store.resolve(unknown, Sent(), at, Random(1))
        assert after is not None
        assert after.state is State.SENT

    async def test_what_was_sent_is_sent_once(self, store: DeliveryStore) -> None:
        after = await sent(store, message())
        assert (after.state, after.sent_at, after.provider_id) == (State.SENT, NOON, "p1")
        assert await store.claim(after, HERE, NOON + DAY) is None

    async def test_a_step_goes_out_on_one_channel(self, store: DeliveryStore) -> None:
        await sent(store, message())
        found = await held(store, await planned(store, mail()), NOON)
        assert (found.state, found.reason) == (State.SUPPRESSED, Reason.ALREADY_SENT)

    async def test_what_never_left_frees_key_and_token(self, store: DeliveryStore) -> None:
        claim = await claimed(store, mail())
        after = await settled(store, claim, Refused(Reason.BOUNCED, address=True), NOON)
        assert (after.state, after.reason) == (State.DEAD, Reason.BOUNCED)
        await sent(store, message())
        await sent(store, mail("other"))

    async def test_a_hold_is_looked_at_again_when_it_ends(self, store: DeliveryStore) -> None:
        await sent(store, message("a"))
        found = await held(store, await planned(store, message("b")), NOON)
        assert (found.state, found.reason) == (State.HELD, Reason.GAP)
        assert found.due == NOON + timedelta(seconds=90)
        assert await store.claim(found, HERE, found.due - timedelta(seconds=1)) is None
        assert isinstance(await store.claim(found, HERE, found.due), Claim)

    async def test_caps_count_what_went_out(self, store: DeliveryStore) -> None:
        await sent(store, mail("a"))
        found = await held(store, await planned(store, mail("b")), NOON + 5 * HOUR)
        assert (found.reason, found.due) == (Reason.CAP_CHANNEL, NOON + DAY)
        assert isinstance(await store.claim(found, HERE, NOON + DAY), Claim)

    async def test_an_account_has_a_cap_of_its_own(self, make: Make) -> None:
        caps = {Channel.EMAIL: (Cap(1, DAY, Window.ROLLING, Scope.ACCOUNT),)}
        store = make(replace(RULES, house=House(caps=caps)))
        await sent(store, mail())
        found = await held(store, await planned(store, mail(person=BO)), NOON)
        assert found.reason is Reason.CAP_ACCOUNT
        other = Person("t", "cy", "other")
        await sent(store, mail(person=other))
        await sent(store, message("app", person=BO))

    async def test_tenants_do_not_share_caps(self, store: DeliveryStore) -> None:
        await sent(store, mail())
        await sent(store, mail(person=replace(ANA, tenant="t2")))

    async def test_transactional_goes_out_whatever_holds_others(self, store: DeliveryStore) -> None:
        night = NOON.replace(hour=23)
        await sent(store, mail("a", klass=Klass.TRANSACTIONAL), night)
        await sent(store, mail("b", klass=Klass.TRANSACTIONAL), night)
        found = await held(store, await planned(store, mail("c"), at=night), night)
        assert found.reason is Reason.QUIET_HOURS
        await sent(store, mail("d"), NOON + DAY)

    @pytest.mark.parametrize(
        ("standing", "reason"),
        [
            (replace(HERE, goal_reached=True), Reason.GOAL_REACHED),
            (replace(HERE, journey_left=True), Reason.JOURNEY_LEFT),
            (replace(HERE, step_done=True), Reason.STEP_DONE),
            (replace(HERE, consented=False), Reason.NO_CONSENT),
            (replace(HERE, region_ok=False), Reason.REGION),
            (replace(HERE, in_audience=False), Reason.AUDIENCE_LEFT),
            (replace(HERE, arm_unchanged=False), Reason.ARM_CHANGED),
        ],
    )
    async def test_what_ends_a_message_is_kept_with_it(
        self, store: DeliveryStore, standing: Standing, reason: Reason
    ) -> None:
        found = await held(store, await planned(store, message()), NOON, standing)
        assert (found.state, found.reason) == (State.SUPPRESSED, reason)
        assert await store.delivery("t", found.id) == found

    async def test_what_a_person_chose_holds(self, store: DeliveryStore) -> None:
        opt_out = Choice("kind/tips", Wish.OPT_OUT, NOON, Channel.EMAIL)
        await store.choose(ANA, opt_out)
        await store.choose(ANA, Choice("journey/admin-first-value", Wish.NEVER, NOON))
        snooze = Choice("step/other/nudge", Wish.SNOOZE, NOON, None, NOON + DAY)
        await store.choose(ANA, snooze)
        await store.choose(ANA, replace(snooze, until=NOON + HOUR))
        first = await held(store, await planned(store, mail()), NOON)
        assert first.reason is Reason.UNSUBSCRIBED
        assert (await held(store, await planned(store, message()), NOON)).reason is Reason.NEVER
        later = await held(store, await planned(store, message(journey="other@1")), NOON)
        assert (later.reason, later.due) == (Reason.SNOOZED, NOON + HOUR)
        assert len(await store.choices(ANA)) == 3
        assert await store.choices(replace(ANA, tenant="t2")) == ()
        assert await store.unchoose(ANA, opt_out)
        assert not await store.unchoose(ANA, opt_out)
        await sent(store, mail("x", journey="third@1"))

    async def test_nothing_breaks_in(self, store: DeliveryStore) -> None:
        await store.hush(ANA, Silence.TYPING, NOON + HOUR)
        assert await store.silences(ANA, NOON) == {Silence.TYPING: NOON + HOUR}
        found = await held(store, await planned(store, message()), NOON)
        assert (found.reason, found.due) == (Reason.TYPING, NOON + timedelta(seconds=30))
        await sent(store, message(person=BO))
        await store.hush(ANA, Silence.TYPING, NOON)
        assert await store.silences(ANA, NOON) == {}
        assert isinstance(await store.claim(found, HERE, found.due), Claim)

    async def test_a_refused_address_gets_nothing(self, store: DeliveryStore) -> None:
        await store.refuse("t", Channel.EMAIL, "mac", Reason.BOUNCED, NOON)
        standing = replace(HERE, address="mac")
        for made in (mail("a"), mail("b", klass=Klass.TRANSACTIONAL)):
            found = await held(store, await planned(store, made), NOON, standing)
            assert found.reason is Reason.ADDRESS_REFUSED
        text = await planned(store, message("c", channel=Channel.SMS))
        assert isinstance(await store.claim(text, standing, NOON), Claim)
        assert await store.accept("t", Channel.EMAIL, "mac")
        assert not await store.accept("t", Channel.EMAIL, "mac")

    async def test_one_journey_of_a_group_speaks(self, store: DeliveryStore) -> None:
        second = await planned(store, message(exclusive="g", priority=2))
        first = await planned(store, message(exclusive="g", priority=1, journey="other@1"))
        found = await held(store, second, NOON)
        assert found.reason is Reason.EXCLUSIVE
        claim = await store.claim(first, HERE, NOON)
        assert isinstance(claim, Claim)
        assert (await settled(store, claim, Sent(), NOON)).state is State.SENT
        woken = await store.delivery("t", second.id)
        assert woken is not None
        assert woken.due == NOON
        assert isinstance(await store.claim(woken, HERE, NOON + 2 * MINUTE), Claim)

    async def test_who_leaves_gets_nothing_more_at_once(self, store: DeliveryStore) -> None:
        mine = await planned(store, message())
        others = await planned(store, message(journey="other@1"))
        assert await store.leave(ANA, "admin-first-value", Reason.GOAL_REACHED, NOON) == 1
        assert await store.claim(mine, HERE, NOON) is None
        assert isinstance(await store.claim(others, HERE, NOON), Claim)
        assert await store.leave(ANA, None, Reason.NO_CONSENT, NOON) == 0

    async def test_a_failed_send_is_tried_again_and_then_given_up(
        self, store: DeliveryStore
    ) -> None:
        delivery, at = await planned(store, message(max_delay=30 * DAY)), NOON
        for tried in range(1, 6):
            claim = await store.claim(delivery, HERE, at)
            assert isinstance(claim, Claim)
            delivery = await settled(store, claim, Again(), at)
            assert delivery.attempts == tried
            if tried < 5:
                assert (delivery.state, delivery.reason) == (State.RETRY, Reason.NOT_SENT)
                at = delivery.due
        assert (delivery.state, delivery.reason) == (State.DEAD, Reason.TOO_MANY_TRIES)

    async def test_a_retry_passes_the_governor_again(self, store: DeliveryStore) -> None:
        claim = await claimed(store, mail())
        after = await settled(store, claim, Again(after=6 * HOUR), NOON)
        assert after.due == NOON + 6 * HOUR
        found = await held(store, after, NOON + 9 * HOUR)
        assert found.reason is Reason.QUIET_HOURS

    async def test_twice_is_twice_so_unsure_is_not_sent_again(self, store: DeliveryStore) -> None:
        claim = await claimed(store, mail())
        after = await settled(store, claim, Unsure(), NOON)
        assert (after.state, after.reason) == (State.UNKNOWN, Reason.NO_ANSWER)
        assert await store.due("t", NOON + 9 * DAY, 10) == ()
        found = await held(store, await planned(store, mail("b")), NOON + 5 * HOUR)
        assert found.reason is Reason.CAP_CHANNEL

    async def test_twice_is_once_so_unsure_is_sent_again(self, store: DeliveryStore) -> None:
        claim = await claimed(store, message(channel=Channel.SMS))
        after = await settled(store, claim, Unsure(), NOON)
        assert after.state is State.RETRY
        assert isinstance(await store.claim(after, HERE, after.due), Claim)

    async def test_a_lost_lease_is_taken_over(self, store: DeliveryStore) -> None:
        first = await claimed(store, message())
        assert await store.lapse("t", NOON + LEASE - MINUTE / 60) == ()
        (after,) = await store.lapse("t", NOON + LEASE)
        assert (after.state, after.reason) == (State.RETRY, Reason.LEASE_LOST)
        second = await store.claim(after, HERE, NOON + LEASE)
        assert isinstance(second, Claim)
        assert await store.settle(first.delivery, Sent(), NOON + LEASE, Random(1)) is None
        assert (await settled(store, second, Sent(), NOON + LEASE)).state is State.SENT

    async def test_a_mail_that_was_begun_is_not_begun_twice(self, store: DeliveryStore) -> None:
        first = await claimed(store, mail())
        (again,) = await store.lapse("t", NOON + LEASE)
        assert again.state is State.RETRY
        second = await store.claim(again, HERE, NOON + LEASE)
        assert isinstance(second, Claim)
        assert not await store.begin(first.delivery, NOON + LEASE)
        assert await store.begin(second.delivery, NOON + LEASE)
        (lost,) = await store.lapse("t", NOON + 2 * LEASE)
        assert (lost.state, lost.reason) == (State.UNKNOWN, Reason.LEASE_LOST)
        assert not await store.begin(second.delivery, NOON + 2 * LEASE)
        late = await settled(store, second, Sent("p9"), NOON + 3 * LEASE)
        assert (late.state, late.provider_id) == (State.SENT, "p9")

    async def test_news_of_what_was_sent(self, store: DeliveryStore) -> None:
        delivery = await sent(store, mail())
        for state in (State.DELIVERED, State.SEEN, State.CLICKED):
            after = await store.tell("t", delivery.id, state, None, NOON)
            assert after is not None
            assert after.state is state
        late = await store.tell("t", "p1", State.FAILED, Reason.BOUNCED, NOON)
        assert late is not None
        assert late.state is State.CLICKED
        assert await store.tell("t2", delivery.id, State.SEEN, None, NOON) is None
        assert await store.tell("t", "p7", State.SEEN, None, NOON) is None

    async def test_too_late_is_said_with_what_held_it(self, store: DeliveryStore) -> None:
        await store.hush(ANA, Silence.FORM, NOON + 9 * DAY)
        delivery, at = await planned(store, message(max_delay=MINUTE)), NOON
        for _ in range(3):
            delivery = await held(store, delivery, at)
            at = delivery.due
        assert (delivery.state, delivery.reason) == (State.EXPIRED, Reason.FORM_DIRTY)
        assert at == NOON + MINUTE

    async def test_a_digest_takes_along_what_waits(self, store: DeliveryStore) -> None:
        kept: dict[str, Any] = {"on_cap": OnCap.DIGEST, "max_delay": 9 * DAY}
        await sent(store, mail("a", **kept))
        waiting = await store.plan([mail(s, values={"n": s}, **kept) for s in "bcd"], NOON)
        for each in waiting:
            assert (await held(store, each, NOON + 4 * HOUR)).reason is Reason.DIGEST
        await store.choose(ANA, Choice("step/admin-first-value/d", Wish.NEVER, NOON))
        joining = dict.fromkeys((each.id for each in waiting), HERE)
        claim = await store.claim(waiting[0], HERE, NOON + DAY, joining)
        assert isinstance(claim, Claim)
        assert [part.message.values for part in claim.digest] == [{"n": "c"}]
        assert (await settled(store, claim, Again(), NOON + DAY)).state is State.RETRY
        again = await store.claim(waiting[0], HERE, NOON + DAY + 5 * MINUTE)
        assert isinstance(again, Claim)
        assert len(again.digest) == 1
        part = await store.delivery("t", waiting[1].id)
        assert part is not None
        assert (part.state, part.reason) == (State.SUPPRESSED, Reason.IN_DIGEST)
        assert part.message.values == {"n": "c"}
        await settled(store, again, Sent(), NOON + DAY + 5 * MINUTE)
        part = await store.delivery("t", waiting[1].id)
        assert part is not None
        assert part.message.values == {}

    async def test_who_is_drawn_gets_nothing_and_is_compared(self, store: DeliveryStore) -> None:
        people = [Person("t", f"p{n}") for n in range(60)]
        made = [message(person=person, null_share=0.3) for person in people]
        nothing = [each.person.user for each in made if is_null(each)]
        assert 5 < len(nothing) < 30
        for each in made:
            if each.person.user in nothing:
                found = await held(store, await planned(store, each), NOON)
                assert (found.state, found.reason) == (State.SUPPRESSED, Reason.NULL)
                assert found.sent_at == NOON
            else:
                await sent(store, each)
        for user in ("p1", *nothing[:2]):
            person = Person("t", user)
            assert await store.achieve(person, "admin-first-value", NOON + HOUR, DAY) == 1
            assert await store.achieve(person, None, NOON + HOUR, DAY) == 0
        assert await store.achieve(Person("t", "p2"), None, NOON + 2 * DAY, DAY) == 0
        (effect,) = await store.effects("t", NOON)
        assert effect.intervention == "admin-first-value/nudge"
        assert (effect.nothing.people, effect.nothing.succeeded) == (len(nothing), 2)
        assert effect.reached.people == 60 - len(nothing)
        assert effect.reached.succeeded == ("p1" not in nothing)
        assert await store.effects("t", NOON + MINUTE) == await store.effects("t2", NOON) == ()

    async def test_values_go_with_the_mail_and_stay_in_the_inbox(
        self, store: DeliveryStore
    ) -> None:
        for made, left in (
            (mail("a", values={"n": 1}), {}),
            (message("b", values={"n": 1}), {"n": 1}),
        ):
            delivery = await sent(store, made)
            kept = await store.delivery("t", delivery.id)
            assert kept is not None
            assert dict(kept.message.values) == left

    async def test_lists_are_of_one_tenant_person_and_channel(self, store: DeliveryStore) -> None:
        await sent(store, message("a"))
        await sent(store, mail("b", person=BO), NOON + MINUTE)
        await planned(store, message("c", person=Person("t2", "ana")))
        found = await store.deliveries("t", Wanted())
        assert [d.message.step for d in found] == ["b", "a"]
        for wanted in (
            Wanted(user="ana"),
            Wanted(channel=Channel.IN_APP),
            Wanted(states=[State.SENT], user="ana"),
        ):
            assert [d.message.step for d in await store.deliveries("t", wanted)] == ["a"]
        assert len(await store.deliveries("t", Wanted(limit=1))) == 1
        assert await store.deliveries("t", Wanted(states=[State.DEAD])) == ()

    async def test_nothing_is_left_of_who_is_erased(self, store: DeliveryStore) -> None:
        claim = await claimed(store, message())
        await sent(store, mail("b"))
        await sent(store, message(person=BO))
        await store.choose(ANA, Choice("all", Wish.OPT_OUT, NOON))
        await store.hush(ANA, Silence.FORM, NOON)
        rows = await store.rows("t", "ana")
        assert sorted(name for name, _ in rows) == [
            "choice",
            "delivery",
            "delivery",
            "silence",
            "token",
            "token",
        ]
        assert await store.erase("t", "ana") == 6
        assert await store.rows("t", "ana") == ()
        assert await store.erase("t", "ana") == 0
        assert await store.settle(claim.delivery, Sent(), NOON, Random(1)) is None
        assert len(await store.rows("t", "bo")) == 2

    async def test_what_ended_long_ago_goes(self, store: DeliveryStore) -> None:
        await sent(store, message("a"))
        await sent(store, message("b", person=BO))
        await planned(store, message("c", max_delay=99 * DAY))
        later = NOON + 50 * DAY
        assert await store.aged("t", later, frozenset()) == 2
        assert await store.aged("t2", later, frozenset()) == 0
        assert await store.aged("t", later, frozenset({"ana"})) == 1
        assert await store.age("t", later, frozenset({"bo"}), 10) == 1
        assert await store.age("t", later, frozenset(), 1) == 1
        assert await store.age("t", NOON, frozenset(), 10) == 0
        assert len(await store.deliveries("t", Wanted())) == 1
