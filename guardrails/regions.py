"""The region that everything stays in: asked of every place at the start, of every call again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}


class WrongRegionError(Exception):
    """Nothing was sent: the place is in another region, or nobody said in which."""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere that data may go. `address` is a URL, or `host:port`; empty for a process of our
    own. `setting` is where its region is said."""

    name: str
    address: str
    region: str | None
    setting: str


class RegionPin:
    """Without a region nothing is pinned, and every call may go."""

    def __init__(self, region: str | None, places: Iterable[Place]) -> None:
        self._region = region
        self._places = tuple(places)
        self._by_authority: dict[str, list[Place]] = {}
        for place in self._places:
            if place.address:
                self._by_authority.setdefault(authority(place.address), []).append(place)

    def problems(self) -> list[str]:
        """A line for each place that is not known to be in the region: what, where, how to mend."""
        if self._region is None:
            return []
        wrong = (place for place in self._places if place.region != self._region)
        return list(dict.fromkeys(self._problem(place) for place in wrong))

    def check(self, url: str) -> None:
        """Before anything is sent there. Raises WrongRegionError, also for an address that no place
        has: a redirect, or a setting that changed."""
        if self._region is None:
            return
        found = authority(url)
        places = self._by_authority.get(found, ())
        if not places:
            raise WrongRegionError(
                f"{found} is no place that the settings name; nothing leaves {self._region!r}"
            )
        for place in places:
            if place.region != self._region:
                raise WrongRegionError(self._problem(place))

    def _problem(self, place: Place) -> str:
        stays = f"everything stays in {self._region!r}"
        if place.region is None:
            return f"{place.setting} is needed: {stays}, and nobody said where {place.name} is"
        return (
            f"{place.setting}: {place.name} is in {place.region!r}, but {stays}: "
            f"name one that is there, or change `region`"
        )


def authority(address: str) -> str:
    """`host:port` of a URL or of an authority; without a port https is meant."""
    parts = urlsplit(address if "//" in address else f"https://{address}")
    return f"{parts.hostname or ''}:{parts.port or _PORTS.get(parts.scheme, 443)}"
