"""Candidates and the kind of utterance -> start a tool, do nothing, or say that nothing does it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.acting.choosing import Candidate
from agent.acting.speech import Act

_NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which likeness (0..1, `Scored.likeness`) a turn starts its best tool.

    Origin: `tests/agent/acting/utterances.jsonl`, the lowest values at which at most one in fifty
    turns that ask for nothing starts something.
    """

    order: float = 0.36
    statement: float = 0.62  # "our key leaked": only near a phrase of the tool
    state: float = 0.78  # a question, for a tool that changes something: all but a phrase of it
    state_read: float = 0.45  # a question about one's own state, for a tool that only reads
    fact_read: float = 0.62
    nearest: float = 0.3  # close enough to be named when nothing can be done
    offer: float = 0.45
    share: float = 0.25  # of the best among the candidates


@dataclass(frozen=True, slots=True)
class Decision:
    """`start` None: nothing is started; then `asked` says whether an action was asked for."""

    start: Candidate | None = None
    asked: bool = False
    near: tuple[Candidate, ...] = ()


def decide(act: Act, candidates: Sequence[Candidate], at: Thresholds) -> Decision:
    if not candidates:
        return Decision(asked=act is Act.ORDER)
    best = candidates[0]
    if best.scored.likeness >= _least(act, best, at) and best.share >= at.share:
        return Decision(best)
    near = tuple(c for c in candidates[:3] if c.scored.likeness >= at.nearest)
    return Decision(asked=act is Act.ORDER, near=near)


def _least(act: Act, best: Candidate, at: Thresholds) -> float:
    """A thing or value that is named for it makes up for wording that is not near."""
    reads = best.manifest.reads_only
    match act:
        case Act.ORDER:
            return at.order
        case Act.STATEMENT:
            return at.statement
        case Act.STATE:
            return at.state_read if reads else at.state
        case Act.FACT:
            return at.fact_read if reads else _NEVER
        case Act.HOW_TO | Act.TOLD | Act.REFUSED:
            return _NEVER


def decide_offer(candidates: Sequence[Candidate], at: Thresholds) -> Candidate | None:
    """The tool that does what is asked about. Tools that only read are no offer."""
    acting = [c for c in candidates if not c.manifest.reads_only]
    if not acting:
        return None
    best = acting[0]
    return best if best.scored.likeness >= at.offer and best.share >= at.share else None
