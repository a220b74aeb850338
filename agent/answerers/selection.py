"""scored units -> the units to show, in the order of the page.

A chunk is written as a whole: what stands around the unit that answers best is nearly always part
of the answer. So a short chunk is shown whole, and of a long one the run around its best unit,
with the lead-in of a list and the code that a sentence announces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.units import Unit, UnitKind

LISTED = (UnitKind.STEP, UnitKind.ITEM)


@dataclass(frozen=True, slots=True)
class SelectionPolicy:
    """Bounds in characters of the page's text."""

    whole_chars: int = 700
    """A chunk up to this long is shown whole."""
    run_chars: int = 700
    """Of a longer chunk, a run of units up to this long (the first unit always fits)."""
    keep_ratio: float = 0.55
    """A sentence further on is kept while it scores at least this share of the best."""


@dataclass(frozen=True, slots=True)
class Run:
    """Units [first, last] of one passage."""

    first: int
    last: int


def whole(units: Sequence[Unit], policy: SelectionPolicy) -> Run | None:
    """All units of a chunk that is short enough; None when it is not. `units` not empty."""
    if sum(len(unit.text) for unit in units) <= policy.whole_chars:
        return Run(0, len(units) - 1)
    return None


def around_best(units: Sequence[Unit], scores: Sequence[float], policy: SelectionPolicy) -> Run:
    """The run of units to show around the best scored: `units` not empty, one score each."""
    best = max(range(len(units)), key=lambda i: (scores[i], -i))
    first = _with_lead_in(units, best)
    if sum(len(u.text) for u in units[first : best + 1]) > policy.run_chars:
        first = best
    return Run(first, _forward(units, scores, (first, best), policy))


def _with_lead_in(units: Sequence[Unit], best: int) -> int:
    """Back to the first item of the best unit's list and the sentence that introduces it."""
    first = best
    while first > 0 and units[first].kind in (*LISTED, UnitKind.CODE, UnitKind.TABLE):
        first -= 1
    if first == best:  # a sentence: back to the start of its paragraph
        while first > 0 and units[first - 1].block == units[best].block:
            first -= 1
    return first


def _forward(
    units: Sequence[Unit], scores: Sequence[float], start: tuple[int, int], policy: SelectionPolicy
) -> int:
    first, best = start
    last = best
    used = sum(len(u.text) for u in units[first : best + 1])
    floor = policy.keep_ratio * scores[best]
    for i in range(best + 1, len(units)):
        used += len(units[i].text)
        if used > policy.run_chars and not _announced(units, i):
            break
        if not (_belongs(units, i) or scores[i] >= floor):
            break
        last = i
    return last


def _belongs(units: Sequence[Unit], i: int) -> bool:
    """Whether a unit continues what stands before it: same block, list going on, code announced."""
    unit, before = units[i], units[i - 1]
    listed = unit.kind in LISTED and (before.kind in LISTED or before.kind is UnitKind.CODE)
    return unit.block == before.block or listed or _announced(units, i) or before.kind in LISTED


def _announced(units: Sequence[Unit], i: int) -> bool:
    return units[i].kind is not UnitKind.SENTENCE and units[i - 1].text.rstrip("*_ ").endswith(":")
