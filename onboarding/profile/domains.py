"""e-mail domain -> its class: free, corporate or education. Nothing else of an address is kept."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Literal, NamedTuple

from onboarding.rules import read_data

DomainClass = Literal["free", "corporate", "education"]


class _Known(NamedTuple):
    free: frozenset[str]
    suffixes: tuple[str, ...]
    starts: tuple[str, ...]


def domain_class(domain: str) -> DomainClass:
    """Of what stands behind the `@`; a whole address may be given too. Unknown ones, and what is no
    domain, count as corporate: the class that says least."""
    name = domain.rpartition("@")[2].strip().rstrip(".").lower()
    known = _known()
    if name in known.free:
        return "free"
    if any(name == suffix or name.endswith(f".{suffix}") for suffix in known.suffixes):
        return "education"
    return "education" if name.startswith(known.starts) else "corporate"


@cache
def _known() -> _Known:
    with as_file(files("onboarding.profile") / "definitions" / "domains.yaml") as path:
        plain = read_data(path).plain
    free, education = plain["free"], plain["education"]
    assert isinstance(free, list)
    assert isinstance(education, dict)
    return _Known(
        frozenset(map(str, free)), _texts(education["suffixes"]), _texts(education["starts"])
    )


def _texts(values: object) -> tuple[str, ...]:
    assert isinstance(values, list)
    return tuple(map(str, values))
