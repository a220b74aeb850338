"""Wall times -> instants: quiet hours and calendar days over changes of the clock.

A wall time that a change of the clock leaves out is the first instant after it; one that comes
twice is the first of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from onboarding.interventions.types import Quiet, Standing

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_UTC = ZoneInfo("UTC")


@cache
def zone_of(name: str | None) -> ZoneInfo | None:
    """None for what is no zone: a host's word on it is not to be trusted."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder, a path upwards, nothing of that name
        return None


def zones_of(standing: Standing, house: str | None) -> tuple[ZoneInfo, ...]:
    """The person's, else the account's, else the house's; else all of the account's country, else
    UTC. What has to hold in their zone has to hold in each of these."""
    for name in (standing.zone, standing.account_zone, house):
        zone = zone_of(name)
        if zone is not None:
            return (zone,)
    return zones_in((standing.country or "").upper()) or (_UTC,)


@cache
def zones_in(country: str) -> tuple[ZoneInfo, ...]:
    """All zones of a country by its code of ISO 3166, as the time zone database lists them."""
    listed = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in listed.splitlines() if not line.startswith("#"))
    found = (zone_of(row[2]) for row in rows if row[0] == country)
    return tuple(zone for zone in found if zone is not None)


@lru_cache(maxsize=4096)
def instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """In UTC."""
    local = datetime.combine(day, wall.replace(fold=0), zone)
    at = local.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return at
    return _after_gap(local.replace(fold=1).astimezone(UTC), at, zone)


def _after_gap(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Where the offset changes between two instants, to the second."""
    after = high.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def quiet_until(quiet: Quiet, zones: Sequence[ZoneInfo], now: datetime) -> datetime | None:
    """When it is not quiet in any of the zones any more; None when it is not quiet now. Where no
    such time comes within two days, two days from now."""
    at, most = now, now + 2 * _DAY
    while at < most:
        ends = [end for zone in zones if (end := _window_end(quiet, zone, at)) is not None]
        if not ends:
            return at if at > now else None
        at = max(ends)
    return most


def _window_end(quiet: Quiet, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The end of the window that `now` is in."""
    today = now.astimezone(zone).date()
    for first in (today - _DAY, today):
        start, end = _window(quiet, zone, first)
        if start <= now < end:
            return end
    return None


def _window(quiet: Quiet, zone: ZoneInfo, first: date) -> tuple[datetime, datetime]:
    last = first + _DAY if quiet.end < quiet.start else first
    return instant(first, quiet.start, zone), instant(last, quiet.end, zone)


def day_of(zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """When the calendar day began, and when the next does."""
    today = now.astimezone(zone).date()
    return instant(today, time(), zone), instant(today + _DAY, time(), zone)


def week_of(zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """The same of the week, from Monday."""
    today = now.astimezone(zone).date()
    monday = today - today.weekday() * _DAY
    return instant(monday, time(), zone), instant(monday + 7 * _DAY, time(), zone)
