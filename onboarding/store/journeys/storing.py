"""What both stores of published files work out alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from onboarding.journeys import Source
from onboarding.journeys.lint import Published


def edited(sources: Iterable[Source], known: Mapping[tuple[str, str, int], str]) -> list[str]:
    """Versions whose text is another than the one that is known by its digest."""
    return [
        f"{each.kind} {each.name}@{each.version}"
        for each in sources
        if known.get((each.kind.value, each.name, each.version), each.digest) != each.digest
    ]


def published_of(ever: Iterable[Source], current: Iterable[Source]) -> Published:
    """For lint."""
    return Published(
        {(each.kind.value, each.name, each.version): each for each in ever},
        {(each.kind.value, each.name): each.version for each in current},
    )


def digest_of(sources: Iterable[Source]) -> str:
    """As `Catalogue.digest` says it."""
    ordered = sorted(sources, key=lambda each: (each.kind, each.name))
    told = "\n".join(f"{each.kind}/{each.name} {each.digest}" for each in ordered)
    return hashlib.sha256(told.encode()).hexdigest()
