"""Candidates and the kind of utterance -> start a tool, do nothing, or say that nothing does it.

Whether to start is a fitted, calibrated yes or no over what is known of the best candidate; that
questions about how, denials and quotations start nothing is a rule, which no figure outweighs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from agent.acting.choosing import Candidate
from agent.acting.routing import FEATURES
from agent.acting.speech import Act
from retrieval.linear import LinearModel, load_model

STARTING = (
    "likeness", "share", "cosine_phrase", "cosine_title", "title_said", "said_covered",
    "phrase_overlap", "verb", "complete", "explained", "foreign", "order", "statement",
    "state_read", "state_write", "fact_read", "question_near", "statement_near",
)  # fmt: skip
"""What the yes or no is computed from."""
PHRASED = 0.8
"""Overlap from which a question is one of the tool's own phrases ("does SSO work?")."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Probabilities that a start is right, and how near a tool must be to be named.

    Origin: `evals/fit_planner.py`; the first is where its development part has most right starts
    less wrong ones, the others are stricter as nobody asked for an action.
    """

    start: float = 0.5
    reading: float = 0.4  # a question, for a tool that only reads: nothing can go wrong
    statement: float = 0.85  # "our key leaked": nobody asked for anything
    nearest: float = 0.3  # likeness from which a tool is named when nothing can be done
    offer: float = 0.45  # likeness


@lru_cache(maxsize=1)
def shipped_starter() -> LinearModel:
    model = load_model("agent.acting", "starter")
    model.require(STARTING)
    return model


def starting_row(act: Act, best: Candidate) -> list[float]:
    """STARTING of the best candidate."""
    known = dict(zip(FEATURES, best.scored.features, strict=True))
    reads = best.manifest.reads_only
    kinds = {
        "order": act is Act.ORDER,
        "statement": act is Act.STATEMENT,
        "state_read": act is Act.STATE and reads,
        "state_write": act is Act.STATE and not reads,
        "fact_read": act is Act.FACT and reads,
    }
    near = known["phrase_overlap"]
    figures = {
        "question_near": near if act in (Act.STATE, Act.FACT) else 0.0,
        "statement_near": near if act is Act.STATEMENT else 0.0,
    } | {"likeness": best.scored.likeness, "share": best.share, **known}
    return [float(kinds[n]) if n in kinds else figures[n] for n in STARTING]


def may_start(act: Act, best: Candidate) -> bool:
    """Whether an utterance of this kind can start the tool at all; its opposite it never does."""
    if best.scored.features[FEATURES.index("opposite")]:
        return False
    match act:
        case Act.HOW_TO | Act.TOLD | Act.REFUSED | Act.SOCIAL:
            return False
        case Act.FACT:
            return best.manifest.reads_only
        case Act.STATE:
            wording = best.scored.features[FEATURES.index("phrase_overlap")]
            return best.manifest.reads_only or wording >= PHRASED
        case Act.ORDER | Act.STATEMENT:
            return True


@dataclass(frozen=True, slots=True)
class Decision:
    """`start` None: nothing is started; then `asked` says whether an action was asked for."""

    start: Candidate | None = None
    asked: bool = False
    near: tuple[Candidate, ...] = ()


def decide(
    act: Act, candidates: Sequence[Candidate], at: Thresholds, model: LinearModel
) -> Decision:
    if not candidates:
        return Decision(asked=act is Act.ORDER)
    for best in _leading(act, candidates):
        sure = model.probability(starting_row(act, best))
        if may_start(act, best) and sure >= _least(act, best, at):
            return Decision(best)
    near = tuple(c for c in candidates[:3] if c.scored.likeness >= at.nearest)
    return Decision(asked=act is Act.ORDER, near=near)


def _least(act: Act, best: Candidate, at: Thresholds) -> float:
    if act is Act.STATEMENT:
        return at.statement
    return at.reading if act in (Act.STATE, Act.FACT) and best.manifest.reads_only else at.start


def _leading(act: Act, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best; for a question about what is there, the best that only reads goes before it."""
    if act not in (Act.STATE, Act.FACT):
        return [candidates[0]]
    reading = [c for c in candidates if c.manifest.reads_only][:1]
    return [*reading, candidates[0]] if reading else [candidates[0]]


def decide_offer(candidates: Sequence[Candidate], at: Thresholds) -> Candidate | None:
    """The tool that does what is asked about. Tools that only read are no offer."""
    acting = [c for c in candidates if not c.manifest.reads_only]
    if not acting:
        return None
    best = acting[0]
    return best if best.scored.likeness >= at.offer else None
