"""What a new release would change, and for how many: counted before anything is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from onboarding.journeys.catalogue import Catalogue, Source
from onboarding.journeys.composing import compose, open_plays
from onboarding.types import Person, View

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Changed:
    """One definition beside what is published; a version None: it is not there."""

    kind: str
    name: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Flow:
    """So many people who would begin `before` now would begin `after`; both `name@version`, or
    NOTHING."""

    before: str
    after: str
    people: int


@dataclass(frozen=True, slots=True)
class Preview:
    """`people` were looked at. `stay` counts those under way by the version they keep, `move` those
    whom a `migrate` would take along."""

    changed: tuple[Changed, ...]
    flows: tuple[Flow, ...] = ()
    plays: tuple[Flow, ...] = ()
    people: int = 0
    stay: Mapping[str, int] = field(default_factory=dict)
    move: Mapping[str, int] = field(default_factory=dict)


def preview(
    old: Catalogue,
    new: Catalogue,
    people: Iterable[tuple[Person, View]] = (),
    running: Mapping[str, int] | None = None,
) -> Preview:
    """`running` is how many are under way, by `name@version`. Each person is counted once, as one
    who begins today."""
    journeys: Counter[tuple[str, str]] = Counter()
    plays: Counter[tuple[str, str]] = Counter()
    total = 0
    for _, view in people:
        total += 1
        journeys[_begins(old, view), _begins(new, view)] += 1
        before, after = _plays(old, view), _plays(new, view)
        plays.update((name, after.get(key, NOTHING)) for key, name in before.items())
        plays.update((NOTHING, name) for key, name in after.items() if key not in before)
    moves = _moves(new, running or {})
    return Preview(
        changed=changes(old.sources, new.sources),
        flows=_flows(journeys),
        plays=_flows(plays),
        people=total,
        stay={ref: n for ref, n in sorted((running or {}).items()) if ref not in moves},
        move=moves,
    )


def changes(old: Iterable[Source], new: Iterable[Source]) -> tuple[Changed, ...]:
    """Definitions that come, go or change, by kind and name."""
    before = {(each.kind.value, each.name): each.version for each in old}
    after = {(each.kind.value, each.name): each.version for each in new}
    keys = sorted(before.keys() | after.keys())
    found = (Changed(kind, name, before.get((kind, name)), after.get((kind, name)))
             for kind, name in keys)  # fmt: skip
    return tuple(each for each in found if each.before != each.after)


def _begins(catalogue: Catalogue, view: View) -> str:
    composed = compose(catalogue, view)
    return composed.ref if composed is not None else NOTHING


def _plays(catalogue: Catalogue, view: View) -> dict[str, str]:
    return {play.name: play.ref for play in open_plays(catalogue, view, reached=True)}


def _moves(new: Catalogue, running: Mapping[str, int]) -> dict[str, int]:
    taken = {
        f"{journey.name}@{journey.migrate.from_}"
        for journey in (*new.journeys.values(), *new.plays.values())
        if journey.migrate is not None
    }
    return {ref: count for ref, count in sorted(running.items()) if ref in taken}


def _flows(counted: Counter[tuple[str, str]]) -> tuple[Flow, ...]:
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Flow(before, after, people) for (before, after), people in ordered)
