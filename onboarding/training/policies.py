"""Candidate beside champion on one log: what either would have picked, and what that was worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking import Policy, Rung, Version
from onboarding.training.estimators import (
    ONE_SIDED,
    Estimate,
    Logged,
    clusters_of,
    difference,
    doubly_robust,
    ess,
    ips,
    snips,
    terms,
)
from onboarding.training.fitting import Recipe
from onboarding.training.frame import Frame, segments_of

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]
MIN_SEGMENT_ESS: Final = 100.0
"""Below it a segment's bound says only that the segment is small."""


BOOTSTRAPS: Final = 10


@dataclass(frozen=True, slots=True)
class Request:
    """`champion` None is the curated order. `segment` is the feature whose values are judged each
    by itself."""

    name: str
    rung: Rung
    champion: Version | None = None
    segment: str = "role"
    policy: Policy = field(default_factory=Policy)
    recipe: Recipe = field(default_factory=Recipe)
    bootstraps: int = BOOTSTRAPS
    seed: int = 11


@dataclass(frozen=True, slots=True)
class Compared:
    """Greedy policies, slot 1. `low` is the lower bound of `gain`, both doubly robust; `segments`
    the same by segment; `unsupported` the share of picks that the log could not have made."""

    rung: Rung
    candidate: Estimate
    champion: Estimate
    ips: Estimate
    snips: Estimate
    unsupported: float
    gain: float
    low: float
    segments: Mapping[str, float]
    parity: float
    agreement: float


def compared(frame: Frame, chances: Numbers, request: Request) -> Compared:
    """`chances` are out of fold, one a line of the table."""
    log = _logged(frame, request.rung)
    scores = scored(frame, chances, request.rung, request.policy)
    mine = picks(frame, scores)
    theirs = _champion(frame, request)
    q = _rewards(frame, chances, request.rung)
    ours, other = _shares(frame, mine), _shares(frame, theirs)
    shown = q[frame.chosen]
    candidate = doubly_robust(log, ours, shown, q[mine])
    champion = doubly_robust(log, other, shown, q[theirs])
    each = terms(log, ours, shown, q[mine]), terms(log, other, shown, q[theirs])
    gain, error = difference(*each, log)
    return Compared(
        rung=request.rung,
        candidate=candidate,
        champion=champion,
        ips=ips(log, ours),
        snips=snips(log, ours),
        unsupported=_unsupported(frame, mine),
        gain=gain,
        low=gain - ONE_SIDED * error,
        segments=_segments(frame, each, ours / log.propensities, request.segment),
        parity=_parity(frame, scores[mine], request.segment),
        agreement=float((mine == theirs).mean()),
    )


def scored(frame: Frame, chances: Numbers, rung: Rung, policy: Policy) -> Numbers:
    """The ranker's score of every line; that of showing nothing is 0."""
    effort, value = _of_actions(frame)
    if rung is Rung.COMPLETE:
        scores = chances * value - policy.effort * effort
    else:
        nothing = np.repeat(chances[frame.nothing], np.diff(frame.starts))
        scores = chances - nothing - policy.effort * effort
    scores[frame.nothing] = 0.0
    return np.asarray(scores)


def picks(frame: Frame, scores: Numbers) -> Places:
    """The best line of each row's short list; showing nothing is not picked. Ties fall by id."""
    found = []
    for at, row in enumerate(frame.rows):
        begin = frame.starts[at]
        best = min(
            range(len(row.short)),
            key=lambda place: (-scores[begin + place], row.short[place].action),
        )
        found.append(begin + best)
    return np.array(found, dtype=np.intp)


def _champion(frame: Frame, request: Request) -> Places:
    if request.champion is None:
        first = [min(range(len(r.short)), key=lambda n: r.short[n].order) for r in frame.rows]
        return np.array(frame.starts[:-1] + first, dtype=np.intp)
    return greedy(frame, request.champion, request.policy)


def _logged(frame: Frame, rung: Rung) -> Logged:
    value = _of_actions(frame)[1][frame.chosen] if rung is Rung.COMPLETE else 1.0
    return Logged(
        rewards=frame.labels * value,
        propensities=np.array([row.propensity for row in frame.rows]),
        clusters=clusters_of([row.account for row in frame.rows]),
    )


def _rewards(frame: Frame, chances: Numbers, rung: Rung) -> Numbers:
    return chances * _of_actions(frame)[1] if rung is Rung.COMPLETE else chances


def _of_actions(frame: Frame) -> tuple[Numbers, Numbers]:
    """Effort and value of every line; those of showing nothing are 0."""
    told = [
        pair
        for row in frame.rows
        for pair in (*((float(c.effort), c.value) for c in row.short), (0.0, 0.0))
    ]
    effort, value = np.array(told).T
    return effort, value


def _shares(frame: Frame, picked: Places) -> Numbers:
    """Chance of what was shown under a policy that always takes its pick."""
    return np.asarray(picked == frame.chosen, dtype=float)


def _unsupported(frame: Frame, picked: Places) -> float:
    places = picked - frame.starts[:-1]
    could = [
        row.chances.get(row.short[place].action, 0.0) > 0
        for row, place in zip(frame.rows, places, strict=True)
    ]
    return 1 - float(np.mean(could))


def _segments(
    frame: Frame, each: tuple[Numbers, Numbers], weights: Numbers, name: str
) -> dict[str, float]:
    """Lower bounds of the gain, of segments that the log says enough about."""
    clusters = clusters_of([row.account for row in frame.rows])
    bounds: dict[str, float] = {}
    for value, places in segments_of(frame.rows, name).items():
        if ess(weights[places]) < MIN_SEGMENT_ESS:
            continue
        log = Logged(weights[places], weights[places], clusters[places])
        gain, error = difference(each[0][places], each[1][places], log)
        bounds[value] = gain - ONE_SIDED * error
    return bounds


def _parity(frame: Frame, best: Numbers, name: str) -> float:
    """Least over largest share, by segment, of people who have a step that is worth its effort."""
    worth = best > 0
    shares = [float(worth[places].mean()) for places in segments_of(frame.rows, name).values()]
    return min(shares) / max(shares) if shares and max(shares) > 0 else 1.0


def greedy(frame: Frame, version: Version, policy: Policy) -> Places:
    """What a version would pick in every row."""
    own = np.vstack([version.encoding.rows(r.values, (*r.short, None)) for r in frame.rows])
    return picks(frame, scored(frame, version.chances(own), version.rung, policy))
