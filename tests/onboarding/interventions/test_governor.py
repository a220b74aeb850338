"""The ten checks, their order, and what each of them says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from onboarding.interventions.capping import SESSION_AGAIN, Counted, over
from onboarding.interventions.choices import Choice, Choices, Wish
from onboarding.interventions.governor import (
    CHECKS,
    EXEMPT,
    Case,
    Drop,
    Expire,
    Hold,
    House,
    Rival,
    Send,
    decide,
)
from onboarding.interventions.settling import planned
from onboarding.interventions.zones import zone_of
from onboarding.types import Person
from tests.onboarding.interventions.making import DAY, HOUR, MINUTE, NOON, mail, message

HOUSE = House(zone="UTC")
NEVER = Choice("journey/admin-first-value", Wish.NEVER, NOON)
ORDER = (
    {Reason.GOAL_REACHED, Reason.JOURNEY_LEFT, Reason.STEP_DONE},
    {Reason.NO_CONSENT, Reason.UNSUBSCRIBED, Reason.ADDRESS_REFUSED, Reason.REGION},
    {Reason.AUDIENCE_LEFT, Reason.ARM_CHANGED},
    {Reason.NEVER, Reason.SNOOZED},
    {Reason.EXCLUSIVE},
    {Reason.TYPING, Reason.APPROVAL_OPEN, Reason.WITH_PERSON, Reason.FORM_DIRTY},
    {Reason.QUIET_HOURS},
    {Reason.GAP},
    {Reason.CAP_CHANNEL},
    {Reason.ALREADY_SENT},
)


def case_of(made: Message | None = None, **more: object) -> Case:
    """One that passes all ten checks at NOON."""
    made = made or mail(exclusive="g")
    case = Case(planned(made, NOON), Standing())
    return replace(case, **more)  # type: ignore[arg-type]  # fields of a case


def token(at: datetime, step: str = "x", **more: object) -> Counted:
    made = Counted(step, at, Channel.EMAIL, "ana", "acme", "admin-first-value@4")
    return replace(made, **more)  # type: ignore[arg-type]  # fields of a token


def standing(case: Case, **more: object) -> Case:
    return replace(case, standing=replace(case.standing, **more))  # type: ignore[arg-type]


def quieted(case: Case) -> Case:
    made = replace(case.message, quiet=Quiet(time(11), time(13)))
    return replace(case, delivery=replace(case.delivery, message=made))


def chosen(case: Case, choice: Choice) -> Case:
    return replace(case, choices=Choices((*case.choices.said, choice)))


def spent(case: Case, ago: timedelta) -> Case:
    return replace(case, counted=(*case.counted, token(NOON - ago, f"t{ago}")))


OTHER = Rival("r", "other@1", 1, NOON - DAY)
BREAKS: tuple[tuple[Callable[[Case], Case], ...], ...] = (
    (
        lambda c: standing(c, goal_reached=True),
        lambda c: standing(c, journey_left=True),
        lambda c: standing(c, step_done=True),
    ),
    (
        lambda c: standing(c, consented=False),
        lambda c: chosen(c, Choice("kind/tips", Wish.OPT_OUT, NOON)),
        lambda c: chosen(c, Choice("all", Wish.OPT_OUT, NOON, Channel.EMAIL)),
        lambda c: replace(c, address_refused=True),
        lambda c: standing(c, region_ok=False),
    ),
    (
        lambda c: standing(c, in_audience=False),
        lambda c: standing(c, arm_unchanged=False),
    ),
    (
        lambda c: chosen(c, NEVER),
        lambda c: chosen(c, Choice("all", Wish.SNOOZE, NOON, None, NOON + HOUR)),
    ),
    (lambda c: replace(c, rivals=(OTHER,)), lambda c: standing(c, owner="other@9")),
    tuple(
        lambda c, s=silence: replace(c, silences={s: NOON + HOUR})  # type: ignore[misc]
        for silence in Silence
    ),
    (quieted,),
    (lambda c: spent(c, 3 * HOUR),),
    (lambda c: spent(c, 23 * HOUR),),
    (lambda c: replace(c, sent_before=True),),
)


def reason_of(case: Case, now: datetime = NOON, house: House = HOUSE) -> Reason | None:
    verdict = decide(case, house, now)
    return None if isinstance(verdict, Send) else verdict.reason


def test_nothing_in_the_way() -> None:
    assert decide(case_of(), HOUSE, NOON) == Send()


def test_there_are_ten_checks() -> None:
    assert len(CHECKS) == len(ORDER) == len(BREAKS) == 10


@pytest.mark.parametrize("place", range(10))
def test_each_check_says_why(place: int) -> None:
    found = {reason_of(broken(case_of())) for broken in BREAKS[place]}
    assert found == ORDER[place]


@given(st.data(), st.sets(st.integers(0, 9), min_size=1))
def test_the_first_check_that_fails_names_the_reason(
    data: st.DataObject, failing: set[int]
) -> None:
    case = case_of()
    for place in data.draw(st.permutations(sorted(failing))):
        case = data.draw(st.sampled_from(BREAKS[place]))(case)
    assert reason_of(case) in ORDER[min(failing)]


@given(st.data(), st.sets(st.integers(0, 9)))
def test_what_is_transactional_passes_all_but_its_end_its_address_and_its_key(
    data: st.DataObject, failing: set[int]
) -> None:
    case = case_of(mail(klass=Klass.TRANSACTIONAL))
    for place in sorted(failing):
        case = data.draw(st.sampled_from(BREAKS[place]))(case)
    assert len(EXEMPT) == 3
    left = {Reason.ADDRESS_REFUSED, Reason.REGION, Reason.ALREADY_SENT, None} | ORDER[0]
    assert reason_of(case) in left
    if failing.isdisjoint({0, 1, 9}):
        assert decide(case, HOUSE, NOON) == Send()


def test_too_late_is_said_after_what_ends_it() -> None:
    case, late = case_of(), NOON + 72 * HOUR
    assert decide(case, HOUSE, late) == Expire(Reason.LATE)
    assert decide(standing(case, goal_reached=True), HOUSE, late) == Drop(Reason.GOAL_REACHED)
    waited = replace(case, delivery=replace(case.delivery, reason=Reason.SNOOZED))
    assert decide(waited, HOUSE, late) == Expire(Reason.SNOOZED)
    assert decide(quieted(case), HOUSE, late) == Expire(Reason.QUIET_HOURS)
    brief = case_of(mail(expires=NOON + HOUR))
    assert decide(quieted(brief), HOUSE, NOON) == Hold(Reason.QUIET_HOURS, NOON + HOUR)
    late_start = Delivery("d", mail(not_before=NOON + DAY), State.PLANNED, NOON, NOON)
    assert late_start.deadline == NOON + 96 * HOUR


def test_who_owns_a_group() -> None:
    case = case_of(message(exclusive="g", priority=5))
    key = case.delivery.id
    for rival, holds in (
        (Rival("r", "other@1", 4, NOON + DAY), True),
        (Rival("r", "other@1", 6, NOON - DAY), False),
        (Rival("r", "other@1", 5, NOON - DAY), True),
        (Rival("r", "other@1", 5, NOON + DAY), False),
        (Rival("0" + key, "other@1", 5, NOON), "0" + key < key),
        (Rival("r", "admin-first-value@9", 1, NOON - DAY), False),
    ):
        found = decide(replace(case, rivals=(rival,)), HOUSE, NOON)
        assert isinstance(found, Hold) == holds
    own = replace(standing(case, owner="admin-first-value@9"), rivals=(OTHER,))
    assert decide(own, HOUSE, NOON) == Send()


def test_the_gap_is_of_one_channel() -> None:
    text = token(NOON - MINUTE, channel=Channel.SMS)
    assert decide(case_of(counted=(text,)), HOUSE, NOON) == Send()
    mine = token(NOON - MINUTE, user="bo")
    assert reason_of(case_of(counted=(mine,))) is None
    app = token(NOON - 89 * MINUTE / 60, channel=Channel.IN_APP)
    found = decide(case_of(message(), counted=(app,)), HOUSE, NOON)
    assert found == Hold(Reason.GAP, NOON + MINUTE / 60)
    uncounted = token(NOON - 3 * HOUR, counts=False)
    assert reason_of(case_of(counted=(uncounted,))) is Reason.GAP


def test_silences_that_are_over() -> None:
    assert decide(case_of(silences={Silence.FORM: NOON}), HOUSE, NOON) == Send()
    found = decide(case_of(silences={Silence.FORM: NOON + DAY}), HOUSE, NOON)
    assert found == Hold(Reason.FORM_DIRTY, NOON + MINUTE / 2)


def test_in_the_app_nothing_is_quiet() -> None:
    night = NOON.replace(hour=23)
    assert decide(case_of(message()), HOUSE, night) == Send()
    loud = House(zone="UTC", quiet=None)
    assert decide(case_of(mail()), loud, night) == Send()
    fixed = mail(quiet=Quiet(time(11), time(13), zone="Asia/Tokyo"))
    assert decide(case_of(fixed), loud, NOON) == Send()
    assert reason_of(case_of(fixed), NOON.replace(hour=3), loud) is Reason.QUIET_HOURS


@pytest.mark.parametrize(
    ("on_cap", "verdict"),
    [
        (OnCap.DEFER, Hold(Reason.CAP_CHANNEL, NOON + HOUR)),
        (OnCap.SKIP, Drop(Reason.CAP_CHANNEL)),
        (OnCap.DIGEST, Hold(Reason.DIGEST, NOON + HOUR)),
    ],
)
def test_what_a_cap_does(on_cap: OnCap, verdict: object) -> None:
    case = spent(case_of(mail(on_cap=on_cap)), 23 * HOUR)
    assert decide(case, HOUSE, NOON) == verdict
    free = case_of(mail(counts=False), counted=case.counted)
    assert decide(free, HOUSE, NOON) == Send()


def capped(
    cap: Cap, *counted: Counted, now: datetime = NOON, since: datetime | None = None
) -> tuple[Reason, datetime] | None:
    zone = zone_of("Europe/Berlin")
    assert zone is not None
    return over([cap], mail(), counted, zone, since, now)


def test_rolling_windows() -> None:
    cap = Cap(2, DAY, Window.ROLLING)
    tokens = [token(NOON - n * HOUR, f"t{n}") for n in (30, 20, 5)]
    assert capped(cap, *tokens) == (Reason.CAP_CHANNEL, NOON + 4 * HOUR)
    assert capped(cap, *tokens, now=NOON + 4 * HOUR) is None
    assert capped(cap, token(NOON - 5 * HOUR), token(NOON, counts=False)) is None


def test_calendar_days_and_weeks_are_the_persons() -> None:
    day, week = (Cap(1, n * DAY, Window.CALENDAR) for n in (1, 7))
    midnight = datetime.fromisoformat("2026-03-04T00:00:00+01:00")
    assert capped(day, token(NOON)) == (Reason.CAP_CHANNEL, midnight)
    assert capped(day, token(midnight - MINUTE), now=midnight) is None
    assert capped(day, token(midnight), now=midnight + MINUTE) is not None
    monday = datetime.fromisoformat("2026-03-09T00:00:00+01:00")
    assert capped(week, token(NOON - DAY)) == (Reason.CAP_CHANNEL, monday)
    assert capped(week, token(NOON - 2 * DAY)) is None


def test_sessions() -> None:
    cap = Cap(1, 12 * HOUR, Window.SESSION)
    found = capped(cap, token(NOON - HOUR), since=NOON - 2 * HOUR)
    assert found == (Reason.CAP_CHANNEL, NOON + SESSION_AGAIN)
    assert capped(cap, token(NOON - 3 * HOUR), since=NOON - 2 * HOUR) is None
    assert capped(cap, token(NOON - 3 * HOUR)) is not None


def test_what_each_scope_counts() -> None:
    at = NOON - HOUR
    counted = {
        "own": token(at),
        "text": token(at, channel=Channel.SMS),
        "other journey": token(at, journey="other@1"),
        "colleague": token(at, user="bo"),
        "colleague's text": token(at, user="bo", channel=Channel.SMS),
        "stranger": token(at, user="eve", account="evil"),
    }
    expected = {
        Scope.CHANNEL: {"own", "other journey"},
        Scope.JOURNEY: {"own"},
        Scope.USER: {"own", "text", "other journey"},
        Scope.ACCOUNT: {"own", "other journey", "colleague"},
    }
    for scope, names in expected.items():
        cap = Cap(1, DAY, Window.ROLLING, scope)
        assert {name for name, each in counted.items() if capped(cap, each)} == names
    zone = zone_of("UTC")
    assert zone is not None
    alone = mail(person=Person("t", "eve"))
    nobody = token(at, user="x", account=None)
    cap = Cap(1, DAY, Window.ROLLING, Scope.ACCOUNT)
    assert over([cap], alone, [nobody], zone, None, NOON) is None


def test_the_last_of_several_caps_frees() -> None:
    caps = (Cap(1, DAY, Window.ROLLING), Cap(1, 7 * DAY, Window.ROLLING, Scope.USER))
    zone = zone_of("UTC")
    assert zone is not None
    found = over(caps, mail(), [token(NOON)], zone, None, NOON)
    assert found == (Reason.CAP_CHANNEL, NOON + 7 * DAY)


@pytest.mark.parametrize(
    "made",
    [
        lambda: Cap(0, DAY, Window.ROLLING),
        lambda: Cap(1, timedelta(0), Window.ROLLING),
        lambda: Cap(1, 2 * DAY, Window.CALENDAR),
        lambda: Cap(1, 32 * DAY, Window.ROLLING),
        lambda: message(kind="a b"),
        lambda: message(step="x\n"),
        lambda: message(null_share=1.0),
        lambda: message(expires=datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda: Choice("kinds/x", Wish.NEVER, NOON),
        lambda: Choice("all", Wish.SNOOZE, NOON),
        lambda: Choice("all", Wish.NEVER, NOON, None, NOON),
    ],
)
def test_what_makes_no_sense_is_not_made(made: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        made()


def test_choices_are_about_their_topic_and_channel() -> None:
    made = mail()
    for topic in ("all", "kind/tips", "journey/admin-first-value", "step/admin-first-value/nudge"):
        assert Choices((Choice(topic, Wish.NEVER, NOON),)).never(made)
        assert not Choices((Choice(topic, Wish.NEVER, NOON, Channel.SMS),)).never(made)
    for topic in ("kind/news", "journey/admin", "step/admin-first-value/other"):
        assert not Choices((Choice(topic, Wish.NEVER, NOON),)).never(made)
    both = (
        Choice("all", Wish.SNOOZE, NOON, None, NOON + HOUR),
        Choice("kind/tips", Wish.SNOOZE, NOON, None, NOON + DAY),
    )
    assert Choices(both).snoozed_until(made, NOON) == NOON + DAY
    assert Choices(both).snoozed_until(made, NOON + DAY) is None


def test_who_is_drawn_is_told_last() -> None:
    case = case_of(drawn_null=True)
    assert decide(case, HOUSE, NOON) == Drop(Reason.NULL, withheld=True)
    assert reason_of(replace(case, sent_before=True)) is Reason.ALREADY_SENT
