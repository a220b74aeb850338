"""facts -> the profile: which of all that was stated counts now.

Declared wins over imported, imported over inferred; of one kind the newest. What a person said on
the profile itself is a declared fact too, under a name that no file can give to a fact:

    ~off             no personalisation at all
    ~quiet.NAME      NAME is not inferred
    ~deleted.NAME    NAME was deleted: what was known before counts no more
    ~unasked.NAME    NAME is not asked for
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from guardrails.consent import Purpose
from onboarding.types import CONFIDENT, UNKNOWN, Fact, Person, Profile, Source

OFF: Final = "~off"
QUIET: Final = "~quiet."
DELETED: Final = "~deleted."
UNASKED: Final = "~unasked."
PAGE: Final = "profile"
"""What made a fact that was said on the person's own page."""
YES, NO = "yes", "no"
_RANK = {Source.DECLARED: 2, Source.IMPORTED: 1, Source.INFERRED: 0}


class Wishes(NamedTuple):
    """What a person said on their profile. `deleted` by the time of it."""

    off: bool = False
    quiet: frozenset[str] = frozenset()
    deleted: Mapping[str, datetime] = MappingProxyType({})
    unasked: frozenset[str] = frozenset()


def declared(
    person: Person,
    name: str,
    value: str,
    now: datetime,
    evidence: tuple[str, ...] = (),
    made_by: str = PAGE,
) -> Fact:
    """What a person said themselves, on their page unless it says otherwise; it does not expire.
    Wishes are kept to help them, whatever they allow besides."""
    purpose = Purpose.SUPPORT if name.startswith("~") else Purpose.PRODUCT_ANALYTICS
    who = (person.tenant, person.user)
    said = Fact(*who, name, value, 1.0, Source.DECLARED, now, evidence, purpose=purpose)
    return replace(said, made_by=made_by)


def is_wish(fact: Fact) -> bool:
    return fact.name.startswith("~")


def wishes_of(facts: Iterable[Fact]) -> Wishes:
    """The newest word on each counts."""
    newest: dict[str, Fact] = {}
    for fact in sorted(filter(is_wish, facts), key=lambda f: f.valid_from):
        newest[fact.name] = fact
    said = {name: fact for name, fact in newest.items() if fact.value == YES}
    return Wishes(
        OFF in said,
        frozenset(name.removeprefix(QUIET) for name in said if name.startswith(QUIET)),
        {n.removeprefix(DELETED): f.valid_from for n, f in said.items() if n.startswith(DELETED)},
        frozenset(name.removeprefix(UNASKED) for name in said if name.startswith(UNASKED)),
    )


def holds(fact: Fact, now: datetime) -> bool:
    return fact.valid_from <= now and (fact.expires is None or now < fact.expires)


def profile_of(facts: Iterable[Fact], now: datetime) -> Profile:
    """Nothing where personalisation is off."""
    stated = list(facts)
    wishes = wishes_of(stated)
    if wishes.off:
        return Profile()
    counting = [f for f in stated if not is_wish(f) and holds(f, now) and _allowed(f, wishes)]
    best: dict[str, Fact] = {}
    odds: dict[str, Mapping[str, float]] = {}
    for fact in sorted(counting, key=_place):
        best[fact.name] = fact
        if fact.source is Source.INFERRED and fact.odds:
            odds[fact.name] = fact.odds
    return Profile(best, {name: _sure(best[name], shares) for name, shares in odds.items()})


def is_known(fact: Fact, confidence: float = CONFIDENT) -> bool:
    """Whether rules may see it."""
    sure = fact.source is not Source.INFERRED or fact.confidence >= confidence
    return sure and fact.value != UNKNOWN


def _allowed(fact: Fact, wishes: Wishes) -> bool:
    gone = wishes.deleted.get(fact.name)
    if gone is not None and fact.valid_from <= gone:
        return False
    return fact.source is not Source.INFERRED or fact.name not in wishes.quiet


def _place(fact: Fact) -> tuple[int, datetime]:
    return _RANK[fact.source], fact.valid_from


def _sure(fact: Fact, shares: Mapping[str, float]) -> Mapping[str, float]:
    """What somebody declared is certain, whatever was inferred."""
    if fact.source is Source.INFERRED or fact.value not in shares:
        return shares
    return {value: float(value == fact.value) for value in shares}
