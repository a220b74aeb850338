"""Features -> the memories that they need, and their values out of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from guardrails.consent import Purpose
from onboarding.features import online
from onboarding.features.checking import events_of, field_name
from onboarding.features.classes import Classes
from onboarding.features.formulas import Measured, measured_of, work_out
from onboarding.features.measures import ACCOUNT, FINE, HOUR, MEASURES, Kind, Track, step_of
from onboarding.features.types import Feature, Score
from onboarding.types import Event, FeatureValue, Snapshot

EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_TICK: Final = timedelta(microseconds=1)
States = dict[str, Any]
"""By the id of their track."""


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // _TICK


@dataclass(frozen=True, slots=True)
class Explained:
    """A part of the score: its points, of how many at most, and its sentence."""

    term: str
    points: float
    most: float
    about: str


class FeatureSet:
    """All features under one hash, `spec`."""

    def __init__(
        self, features: Sequence[Feature], classes: Classes, score: Score | None, spec: str
    ) -> None:
        self.features = {each.name: each for each in features}
        self.score = score
        self.spec = spec
        self._classes = classes
        wanted = [found for each in features for found in measured_of(each.term)]
        self._track_of = {each: self._id(each) for each in wanted}
        self.tracks = self._tracks(wanted)
        self._heeding: dict[tuple[str, bool], tuple[Track, ...]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.features)

    def track(self, asked: Measured) -> Track:
        return self.tracks[self._track_of[asked]]

    def update(self, states: States, event: Event, *, of_account: bool) -> None:
        """In place, with an event of the subject; nothing where it may not serve analytics."""
        if Purpose.PRODUCT_ANALYTICS not in event.purposes:
            return
        at = micros(event.occurred_at)
        for track in self._heed(event.name, of_account):
            state = online.add(track, states.get(track.id), event, at)
            if state is not None:
                states[track.id] = state

    def prune(self, states: States, now: datetime) -> None:
        """In place."""
        at = micros(now)
        for id in list(states):
            states[id] = online.pruned(self.tracks[id], states[id], at)
            if states[id] in ([], {}, None):
                del states[id]

    def values(
        self,
        person: Sequence[States],
        account: States,
        at: datetime,
        given: Mapping[str, float] | None = None,
    ) -> Snapshot:
        """`person` holds what is remembered under each of their ids. A given number that is not
        there is missing."""
        now = micros(at)
        found: dict[str, Any] = {}

        def measured(asked: Measured) -> Any:
            track = self.track(asked)
            mine: Iterable[Any] = [account] if track.of_account else person
            state = online.together(track, [each.get(track.id) for each in mine])
            return online.read(track, state, asked, now)

        def named(name: str) -> Any:
            plain = name.removeprefix("given.")
            return (given or {}).get(plain, math.nan) if plain != name else found[name]

        for feature in self.features.values():
            value = work_out(feature.term, SCALAR, named, measured)
            is_missing = isinstance(value, float) and not math.isfinite(value)
            found[feature.name] = feature.missing if is_missing else value
        return Snapshot(at, {name: _plain(value) for name, value in found.items()}, self.spec)

    def explain(self, values: Mapping[str, FeatureValue]) -> tuple[Explained, ...]:
        """What the score is made of, in its order."""
        if self.score is None:
            return ()
        scale = self.score.scale
        return tuple(
            Explained(
                each.feature,
                scale * each.weight * float(values[each.feature]),
                scale * each.weight,
                each.about,
            )
            for each in self.score.terms
        )

    def _heed(self, name: str, of_account: bool) -> tuple[Track, ...]:
        known = self._heeding.get((name, of_account))
        if known is None:
            known = tuple(
                track
                for track in self.tracks.values()
                if track.of_account is of_account and track.heeds(name)
            )
            self._heeding[name, of_account] = known  # names come from contracts: they are few
        return known

    def _tracks(self, wanted: Iterable[Measured]) -> dict[str, Track]:
        """One for all that need the same: as far back, and of as many values, as any of them."""
        found: dict[str, Track] = {}
        for each in wanted:
            new = self._track(each)
            known = found.get(new.id)
            if known is not None:
                values = None if None in (known.values, new.values) else _both(known, new)
                new = replace(new, horizon=max(known.horizon, new.horizon), values=values)
            found[new.id] = new
        return dict(sorted(found.items()))

    def _id(self, each: Measured) -> str:
        kind = MEASURES[each.measure].kind
        names = each.names[:2] if each.measure == "by" else each.names
        return ":".join((kind.value, *names, _width(each, kind)))

    def _track(self, each: Measured) -> Track:
        kind = MEASURES[each.measure].kind
        name = each.names[0].removeprefix(ACCOUNT)
        others: tuple[tuple[str, frozenset[str]], ...] = ()
        if kind is Kind.PAIRS:
            others = self._classes.pairs[name]
        elif kind is Kind.DELAYS:
            others = (("", self._classes.sets[each.names[1]] or frozenset()),)
        window = each.window.minutes if each.window is not None else 0
        return Track(
            self._id(each),
            kind,
            each.names[0].startswith(ACCOUNT),
            events_of(each, self._classes),
            field_name(each),
            others,
            frozenset({each.names[2]}) if each.measure == "by" else None,
            1 if _width(each, kind) == "m" else HOUR,
            window,
        )


def _width(each: Measured, kind: Kind) -> str:
    """`m` by the minute, `h` by the hour; days are counted in hours."""
    if kind not in {Kind.COUNTS, Kind.KEYED} or each.window is None:
        return ""
    return "m" if step_of(each.window.minutes) == 1 and each.window.minutes <= FINE else "h"


def _both(one: Track, other: Track) -> frozenset[str]:
    return (one.values or frozenset()) | (other.values or frozenset())


def _plain(value: Any) -> FeatureValue:
    return value if isinstance(value, str) else float(value)


def _ln(x: float) -> float:
    return math.log(x) if x > 0 else math.nan


def _divided(x: float, y: float) -> float:
    return x / y if y else math.nan


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _least(*values: float) -> float:
    return math.nan if any(map(math.isnan, values)) else min(values)


def _most(*values: float) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)


SCALAR: Final[Mapping[str, Callable[..., Any]]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": _divided,
    "ln": _ln,
    "exp": _exp,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "abs": abs,
    "sigmoid": _sigmoid,
    "min": _least,
    "max": _most,
    "clip": lambda x, low, high: _least(_most(x, low), high),
    "or_else": lambda x, y: y if math.isnan(x) else x,
}
