"""States and their moves, retries, and what a null share tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.interventions import Delivery, Reason, State
from onboarding.interventions.channel import Again, Effect, Refused, Sent, Unsure
from onboarding.interventions.effectiveness import (
    Effect as Measured,
)
from onboarding.interventions.effectiveness import (
    Group,
    Interval,
    to_retire,
    uplift,
    wilson,
)
from onboarding.interventions.governor import Drop, Expire, Hold, Send, Verdict
from onboarding.interventions.moves import (
    ENDED,
    LIVE,
    MOVES,
    OUT,
    WAITING,
    IllegalDeliveryMoveError,
    is_legal,
)
from onboarding.interventions.nulls import drawn, is_null
from onboarding.interventions.retrying import Retrying
from onboarding.interventions.settling import (
    MOST_CLAIMS,
    bared,
    governed,
    lapsed,
    planned,
    settled,
    stopped,
    told,
)
from onboarding.types import Person
from tests.onboarding.interventions.making import HOUR, MINUTE, NOON, mail, message

RETRY = (Retrying(), Random(1))
LEASE = timedelta(seconds=60)


def in_state(state: State) -> Delivery:
    return replace(planned(mail(values={"n": 1}), NOON), state=state, fence=1, begun=True)


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(State)
    assert {State.CLICKED, State.DEAD, State.SUPPRESSED, State.EXPIRED} == ENDED
    assert WAITING < LIVE
    assert not LIVE & (OUT | ENDED)
    reached, edge = {State.PLANNED}, {State.PLANNED}
    while edge:
        edge = {after for before in edge for after in MOVES[before]} - reached
        reached |= edge
    assert reached == set(State)


@pytest.mark.parametrize("state", State)
def test_nothing_moves_but_by_the_table(state: State) -> None:
    verdicts: dict[State, Verdict] = {
        State.CLAIMED: Send(),
        State.HELD: Hold(Reason.GAP, NOON + HOUR),
        State.SUPPRESSED: Drop(Reason.NEVER),
        State.EXPIRED: Expire(Reason.LATE),
    }
    for after, verdict in verdicts.items():
        if is_legal(state, after):
            assert governed(in_state(state), verdict, NOON, LEASE).state is after
        else:
            with pytest.raises(IllegalDeliveryMoveError):
                governed(in_state(state), verdict, NOON, LEASE)
    for news, reason in product(State, (None, Reason.BOUNCED)):
        after_news = told(in_state(state), news, reason, NOON).state
        assert after_news is (news if is_legal(state, news) else state)


@pytest.mark.parametrize(
    ("result", "effect", "state", "token"),
    [
        (Sent("p"), Effect.ONCE, State.SENT, True),
        (Refused(), Effect.ONCE, State.DEAD, False),
        (Again(), Effect.ONCE, State.RETRY, False),
        (Unsure(), Effect.ONCE, State.UNKNOWN, True),
        (Unsure(), Effect.KEYED, State.RETRY, True),
    ],
)
def test_what_a_result_makes_of_it(
    result: Sent | Refused | Again | Unsure, effect: Effect, state: State, token: bool
) -> None:
    after, kept = settled(in_state(State.CLAIMED), result, NOON, effect, RETRY)
    assert (after.state, kept) == (state, token)


def test_a_lost_lease() -> None:
    begun = in_state(State.CLAIMED)
    assert lapsed(begun, NOON, Effect.ONCE, RETRY[0]).state is State.UNKNOWN
    assert lapsed(replace(begun, begun=False), NOON, Effect.ONCE, RETRY[0]).state is State.RETRY
    assert lapsed(begun, NOON, Effect.KEYED, RETRY[0]).state is State.RETRY
    poison = replace(begun, fence=MOST_CLAIMS)
    assert lapsed(poison, NOON, Effect.KEYED, RETRY[0]).reason is Reason.TOO_MANY_TRIES


def test_what_nobody_needs_any_more_is_not_kept() -> None:
    for state in State:
        values = bared(in_state(state)).message.values
        assert bool(values) == (state in LIVE or state is State.UNKNOWN)
    sent = stopped(
        replace(in_state(State.HELD), message=message(values={"n": 1})), Reason.NEVER, NOON
    )
    assert bared(sent).message.values == {"n": 1}


def test_retries_are_five_from_a_minute_to_six_hours() -> None:
    policy, rng = Retrying(), Random(1)
    longest = [1, 7.11, 50.6, 360]
    for tried, most in enumerate(longest, 1):
        waits = [policy.wait(tried, rng) for _ in range(500)]
        minutes = [wait / MINUTE for wait in waits if wait is not None]
        assert max(minutes) <= most * 1.01
        assert max(minutes) > most * 0.97
        assert min(minutes) < most * 0.03
    assert policy.wait(5, rng) is None
    assert policy.wait(1, rng, HOUR) == HOUR
    assert policy.wait(1, rng, 100 * HOUR) == 6 * HOUR


@given(st.integers(1, 9), st.integers(0, 2**32), st.floats(0, 10**6))
def test_no_wait_is_out_of_bounds(tried: int, seed: int, asked: float) -> None:
    wait = Retrying().wait(tried, Random(seed), timedelta(seconds=asked))
    assert (wait is None) == (tried >= 5)
    if wait is not None:
        assert timedelta(seconds=1) <= wait <= 6 * HOUR


# the null share and what it tells


def test_the_null_share_is_a_draw_by_person_and_step() -> None:
    people = [Person("t", f"p{n}") for n in range(4000)]
    share = [p for p in people if is_null(message(person=p, null_share=0.05))]
    assert 0.04 < len(share) / len(people) < 0.06
    again = [p for p in people if is_null(message(person=p, null_share=0.05, entry=9))]
    assert again == share
    other = [p for p in people if is_null(message("other", p, null_share=0.05))]
    assert len(set(share) & set(other)) < 40
    assert not any(is_null(message(person=p)) for p in people)
    assert drawn("a", "b", 1.0)


def test_newcombes_interval() -> None:
    """The worked example of the paper: 56/70 against 48/80 (method 10)."""
    shown = uplift(Measured("x", Group(70, 56), Group(80, 48)))
    assert shown is not None
    assert shown.estimate == pytest.approx(0.2)
    assert shown.interval.low == pytest.approx(0.0524, abs=5e-5)
    assert shown.interval.high == pytest.approx(0.3339, abs=5e-5)


def test_wilsons_interval() -> None:
    assert wilson(Group(10, 0)) == pytest.approx(Interval(0.0, 0.2775), abs=5e-5)
    assert wilson(Group(263, 81)) == pytest.approx(Interval(0.2553, 0.3662), abs=5e-5)


def test_few_people_are_not_shown() -> None:
    assert uplift(Measured("x", Group(9, 1), Group(1000, 1))) is None
    assert uplift(Measured("x", Group(1000, 1), Group(9, 1))) is None


def test_what_is_to_be_retired() -> None:
    useless = Measured("useless", Group(40_000, 4000), Group(40_000, 4200))
    harmful = Measured("harmful", Group(40_000, 4000), Group(40_000, 6000))
    helps = Measured("helps", Group(40_000, 4800), Group(40_000, 4000))
    unclear = Measured("unclear", Group(2000, 200), Group(200, 20))
    young = Measured("young", Group(999, 0), Group(40_000, 20_000))
    found = to_retire([useless, helps, unclear, harmful, young])
    assert [each.intervention for each in found] == ["harmful", "useless"]


def test_intervals_cover_what_they_should() -> None:
    """Of 2,000 draws with a known difference about 95 % of the intervals hold it."""
    rng, inside = Random(5), 0
    for _ in range(2000):
        one = sum(rng.random() < 0.12 for _ in range(300))
        two = sum(rng.random() < 0.1 for _ in range(60))
        shown = uplift(Measured("x", Group(300, one), Group(60, two)))
        assert shown is not None
        inside += shown.interval.low <= 0.02 <= shown.interval.high
    assert 0.93 < inside / 2000 < 0.98
