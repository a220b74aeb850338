"""How long the rest takes, and how likely it is: measured, or as the file says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onboarding.journeys import OfCohort, Way, cohort_of, outlook, pinned, track
from onboarding.journeys.cohorts import ENOUGH
from onboarding.journeys.enrolment import Enrolment
from onboarding.types import Person
from tests.onboarding.journeys.files import GOAL, STEPS, catalogue, journey
from tests.onboarding.rules.worlds import NOW, TENANT, event, world

MINUTE = timedelta(minutes=1)
BEGUN = NOW - timedelta(days=30)
TIMED = STEPS.replace("id: connect", "minutes: 12, id: connect")


def way(connect: float | None, view: float | None = None, finished: bool = False) -> Way:
    done = {}
    if connect is not None:
        done["connect"] = BEGUN + connect * MINUTE
    if connect is not None and view is not None:
        done["view"] = BEGUN + (connect + view) * MINUTE
    return Way(BEGUN, done, finished, frozenset(done))


def test_minutes_are_medians_of_ten_or_more_without_breaks() -> None:
    ways = [way(minutes, 3, True) for minutes in range(1, 10)]
    assert cohort_of(ways, NOW).minutes == {}
    whole = cohort_of([*ways, way(10, 500, True), way(29, 3)], NOW)
    assert whole.minutes == {"connect": 6, "view": 3}


def test_what_a_colleague_did_takes_nobodys_time() -> None:
    theirs = [Way(BEGUN, {"connect": BEGUN + MINUTE}, False, frozenset()) for _ in range(20)]
    assert cohort_of(theirs, NOW).minutes == {}


def test_shares_are_of_mature_ways_and_of_ten_or_more() -> None:
    ways = [*[way(5, 5, True)] * 8, *[way(5)] * 4, *[way(None)] * 8]
    assert cohort_of(ways, NOW).finished == pytest.approx({0: 0.4, 1: 8 / 12})
    young = [Way(NOW, {}, False) for _ in range(50)]
    assert cohort_of([*ways, *young], NOW).finished[0] == pytest.approx(0.4)
    assert ENOUGH == 10


def test_the_outlook_is_the_rest_of_the_list() -> None:
    found = pinned(catalogue(journey(GOAL, steps=TIMED)).journeys["first"], None)
    enrolment = Enrolment(Person(TENANT, "ana"), "first", 1, BEGUN)
    cohort = cohort_of([*[way(6, 3, True)] * 12, *[way(5)] * 12], NOW)

    def at(*names: str) -> tuple[float, float, float | None]:
        view = world([event(name) for name in names])
        progress = track(found, enrolment, view, ()).progress
        seen = outlook(progress, found.actions, cohort, OfCohort(cohort), view)
        return seen.minutes_left, seen.measured, seen.probability

    assert at() == pytest.approx((5.5 + 3, 1.0, 0.5))
    assert at("Connected") == pytest.approx((3, 1.0, 0.5))
    assert at("Connected", "Viewed") == pytest.approx((0, 1.0, 1.0))
    empty = cohort_of([], NOW)
    view = world()
    progress = track(found, enrolment, view, ()).progress
    unmeasured = outlook(progress, found.actions, empty, OfCohort(empty), view)
    assert (unmeasured.minutes_left, unmeasured.measured) == (12 + 5, 0.0)
    assert unmeasured.probability is None
