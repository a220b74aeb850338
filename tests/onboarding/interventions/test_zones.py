"""Quiet hours and calendar days, against a clock that is read minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboarding.interventions import Quiet, Standing
from onboarding.interventions.zones import (
    day_of,
    instant,
    quiet_until,
    week_of,
    zone_of,
    zones_in,
    zones_of,
)
from tests.onboarding.interventions.making import DAY, HOUR, MINUTE

ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "America/Anchorage",
    "America/Asuncion",
    "America/Bogota",
    "America/Caracas",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Havana",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Dubai",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/London",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
)
assert len(set(ZONES)) == 40


@cache
def changes(zone: str, year: int = 2026) -> tuple[datetime, ...]:
    """When the clock of a zone is changed in a year, to the minute."""
    found, at, local = [], datetime(year, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    while at.year == year:
        if at.astimezone(local).utcoffset() != (at + DAY).astimezone(local).utcoffset():
            minutes = (at + n * MINUTE for n in range(1, 1441))
            before = at.astimezone(local).utcoffset()
            found.append(next(m for m in minutes if m.astimezone(local).utcoffset() != before))
        at += DAY
    return tuple(found)


def first_reading(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The first minute at which the clock on the wall shows this or more."""
    wanted = datetime.combine(day, wall)
    at = wanted.replace(tzinfo=UTC) - 15 * HOUR
    while at.astimezone(zone).replace(tzinfo=None) < wanted:
        at += MINUTE
    return at


def test_most_of_the_forty_zones_change_their_clocks() -> None:
    assert sum(len(changes(zone)) == 2 for zone in ZONES) >= 20


@pytest.mark.parametrize("zone", ZONES)
def test_wall_times_around_every_change(zone: str) -> None:
    local = ZoneInfo(zone)
    for change in changes(zone):
        day = change.astimezone(local).date()
        around = (change.astimezone(local) + n * 15 * MINUTE for n in range(-9, 9, 2))
        for wall in {each.time().replace(second=0, fold=0) for each in around}:
            assert instant(day, wall, local) == first_reading(day, wall, local)


def test_a_time_that_is_left_out_and_one_that_comes_twice() -> None:
    berlin, lord_howe = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
    assert instant(date(2026, 3, 29), time(2, 30), berlin) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(date(2026, 10, 25), time(2, 30), berlin) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    assert instant(date(2026, 10, 4), time(2, 10), lord_howe) == datetime(
        2026, 10, 3, 15, 30, tzinfo=UTC
    )
    skipped = instant(date(2011, 12, 30), time(12), ZoneInfo("Pacific/Apia"))
    assert skipped == datetime(2011, 12, 30, 10, tzinfo=UTC)


WALL = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(ZONES), WALL, WALL, st.integers(0, 1), st.integers(-1500, 1500))
def test_quiet_ends_at_the_first_minute_that_is_not_quiet(
    zone: str, start: time, end: time, which: int, offset: int
) -> None:
    known = changes(zone) or (datetime(2026, 5, 5, 5, tzinfo=UTC),)
    now = known[which % len(known)] + offset * MINUTE
    local, quiet = ZoneInfo(zone), Quiet(start, end)
    days = [now.astimezone(local).date() + n * DAY for n in range(-2, 3)]
    windows = [
        (first_reading(day, start, local), first_reading(day + (end < start) * DAY, end, local))
        for day in days
    ]

    def is_quiet(at: datetime) -> bool:
        return any(begin <= at < over for begin, over in windows)

    found = quiet_until(quiet, [local], now)
    if found is None:
        assert not is_quiet(now)
        return
    minutes = int((found - now) / MINUTE)
    assert all(is_quiet(now + n * MINUTE) for n in range(minutes))
    assert found == now + minutes * MINUTE
    assert not is_quiet(found)


def test_a_window_across_midnight() -> None:
    quiet, berlin = Quiet(time(20), time(8)), ZoneInfo("Europe/Berlin")
    assert quiet_until(quiet, [berlin], datetime(2026, 3, 3, 18, 59, tzinfo=UTC)) is None
    for hour, day in ((19, 3), (23, 3), (0, 4), (6, 4)):
        at = datetime(2026, 3, day, hour, tzinfo=UTC)
        assert quiet_until(quiet, [berlin], at) == datetime(2026, 3, 4, 7, tzinfo=UTC)
    assert quiet_until(quiet, [berlin], datetime(2026, 3, 4, 7, tzinfo=UTC)) is None


def test_a_window_of_no_length_is_none() -> None:
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert quiet_until(Quiet(time(12), time(12)), [ZoneInfo("UTC")], noon) is None


def test_whose_zone_counts() -> None:
    known = Standing(zone="Asia/Tokyo", account_zone="Europe/Berlin", country="US")
    assert zones_of(known, "Europe/London") == (ZoneInfo("Asia/Tokyo"),)
    lost = Standing(zone="Mars/Olympus", account_zone="Europe/Berlin")
    assert zones_of(lost, "Europe/London") == (ZoneInfo("Europe/Berlin"),)
    assert zones_of(Standing(country="US"), "Europe/London") == (ZoneInfo("Europe/London"),)
    assert ZoneInfo("Pacific/Honolulu") in zones_of(Standing(country="us"), None)
    assert zones_of(Standing(country="XX"), None) == (ZoneInfo("UTC"),)
    assert zones_in("DE") == (ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Busingen"))


@pytest.mark.parametrize("name", [None, "", "../etc/passwd", "Nowhere", "Europe", "a\0b", "/UTC"])
def test_what_is_no_zone(name: str | None) -> None:
    assert zone_of(name) is None


def test_an_unknown_zone_is_quiet_while_any_zone_of_the_country_is() -> None:
    quiet, country = Quiet(time(20), time(8)), zones_in("US")
    for hours in range(24):
        now = datetime(2026, 6, 1, tzinfo=UTC) + hours * HOUR
        end = quiet_until(quiet, country, now)
        walls = [(end or now).astimezone(zone).time() for zone in country]
        assert all(time(8) <= wall < time(20) for wall in walls)


def test_where_it_is_always_quiet_somewhere_it_is_looked_at_in_two_days() -> None:
    everywhere = [ZoneInfo(zone) for zone in ZONES]
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert quiet_until(Quiet(time(20), time(8)), everywhere, now) == now + 2 * DAY


def test_days_and_weeks_begin_at_the_first_instant_that_is_theirs() -> None:
    beirut = ZoneInfo("Asia/Beirut")  # at midnight the clock goes to one
    start, end = day_of(beirut, datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert (start, end - start) == (datetime(2026, 3, 28, 22, tzinfo=UTC), timedelta(hours=23))
    monday, next_one = week_of(beirut, datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert monday.astimezone(beirut) == datetime(2026, 3, 23, tzinfo=beirut)
    assert next_one.astimezone(beirut).date() == date(2026, 3, 30)
