"""history, snapshot -> cues: what speaks for a fact, each with the events that show it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from pydantic import JsonValue

from guardrails import Redacted
from guardrails.consent import NOTHING_SAID, Consents, Purpose
from onboarding.profile.catalogue import CueRule, EvidenceSpec
from onboarding.profile.domains import domain_class
from onboarding.types import Event, EventKind, Fact, History, Person, Snapshot

EVIDENCE_KEPT = 5
"""Ids of events that one cue names."""
_MOST = 3.0
_WORD = re.compile(r"[^\W\d_]+")
PAGE = "page"
"""The name under which events of the kind `page` are read."""


class Cue(NamedTuple):
    """How strongly, and shown by which events, oldest first."""

    value: float
    evidence: tuple[str, ...] = ()


Cues = Mapping[str, Cue]
"""By name: `page=billing` for a category, `pace` for a number."""


class Said(NamedTuple):
    """What somebody wrote on themselves, such as their goal, and the event that it came with."""

    text: Redacted
    event: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that may be looked at of one person. `history` holds their account's events too. `facts`
    are those stored so far: declared ones, imports, and what the person said on inference."""

    person: Person
    history: History = field(default_factory=History)
    snapshot: Snapshot | None = None
    facts: tuple[Fact, ...] = ()
    consents: Consents = NOTHING_SAID
    said: Mapping[str, Said] = field(default_factory=lambda: MappingProxyType({}))
    """By name of the fact that it may speak for."""

    @property
    def own(self) -> Iterator[Event]:
        """Events of the person, not of colleagues."""
        return (event for event in self.history.recent if event.user == self.person.user)


def gather(
    known: Known, spec: EvidenceSpec, now: datetime, since: datetime | None = None
) -> dict[str, Cue]:
    """What product analytics may see of events received up to `now`; those after `since` where it
    is given, and then no features, which reach further back."""
    seen = {
        "user": _seen(known.own, now, since),
        "account": _seen(known.history.recent, now, since),
    }
    shown: dict[str, list[Event]] = {}
    numbers: dict[str, Cue] = {}
    for rule in spec.cues:
        if rule.feature is None:
            for name, events in _of_events(rule, seen[rule.of], known.consents).items():
                shown.setdefault(name, []).extend(events)
        elif since is None:
            numbers.update(_of_feature(rule, known.snapshot))
    return {name: _told(events) for name, events in shown.items()} | numbers


def families(cues: Iterable[str]) -> set[str]:
    """Names of cues without their values."""
    return {name.partition("=")[0] for name in cues}


Seen = Mapping[str, list[Event]]
"""By name, oldest first, each message once."""


def _seen(events: Iterable[Event], now: datetime, since: datetime | None) -> Seen:
    unique = {event.message_id: event for event in events if event.received_at <= now}
    found: dict[str, list[Event]] = {}
    for event in sorted(unique.values(), key=lambda e: (e.occurred_at, e.message_id)):
        if since is None or event.occurred_at > since:
            name = PAGE if event.kind is EventKind.PAGE else event.name
            found.setdefault(name, []).append(event)
    return found


def _of_feature(rule: CueRule, snapshot: Snapshot | None) -> Mapping[str, Cue]:
    value = snapshot.values.get(rule.feature or "") if snapshot is not None else None
    if not isinstance(value, int | float) or not math.isfinite(value):
        return {}
    return {rule.cue: Cue(min(max(float(value), rule.low), rule.high))}


def _of_events(rule: CueRule, seen: Seen, consents: Consents) -> Mapping[str, list[Event]]:
    events = seen.get(rule.event or "", [])[: rule.first]
    read = [each for each in _readings(rule, events, consents) if _wanted(rule, each.value)]
    if rule.count:
        return {rule.cue: [each.event for each in read]} if read else {}
    named: dict[str, list[Event]] = {}
    for each in read[-1:] if rule.bins or _is_standing(read) else read:
        for value in _values(rule, each.value):
            named.setdefault(f"{rule.cue}={value}", []).append(each.event)
    return named


class _Read(NamedTuple):
    event: Event
    value: JsonValue


def _is_standing(read: Sequence[_Read]) -> bool:
    """Traits say how things are: however often they are told, the last counts, and once."""
    return bool(read) and read[-1].event.kind in {EventKind.IDENTIFY, EventKind.GROUP}


def _readings(rule: CueRule, events: Iterable[Event], consents: Consents) -> Iterator[_Read]:
    """A purpose withdrawn since the event was kept takes the field with it."""
    for event in events:
        if rule.field is None:
            yield _Read(event, None)
            continue
        tagged = event.fields.get(rule.field)
        allowed = consents.allows(Purpose.PRODUCT_ANALYTICS, rule.field)
        if tagged is not None and allowed and Purpose.PRODUCT_ANALYTICS in tagged.purposes:
            yield _Read(event, tagged.value)


def _wanted(rule: CueRule, value: JsonValue) -> bool:
    return not rule.where or str(value) in rule.where


def _values(rule: CueRule, value: JsonValue) -> Iterable[str]:
    if rule.means is not None:
        return [rule.means]
    if rule.domain:
        return [domain_class(str(value))]
    if rule.words:
        words = set(_WORD.findall(str(value).lower()))
        return [name for name, of in rule.words.items() if words.intersection(of)]
    if rule.bins:
        return [_bin(rule.bins, value)] if isinstance(value, int | float) else []
    each = value if isinstance(value, list) else [value]
    return [rule.known[str(one)] for one in each if str(one) in rule.known]


def _bin(edges: tuple[float, ...], value: float) -> str:
    return str(sum(value >= edge for edge in edges))


def _told(events: list[Event]) -> Cue:
    """The first counts 1, each further one less: 1 + ln(n), at most 3."""
    strength = min(1 + math.log(len(events)), _MOST)
    return Cue(strength, tuple(event.message_id for event in events[:EVIDENCE_KEPT]))
