"""ranked pages -> the calibrated probability that the passages answer the question.

Nearness is not an answer: the features say how much of the question is covered, how far the best
page stands out from the next, and how the two retrievers agree. The weights are fitted by
`python -m evals.fit_retrieval` and ship as `models/answerability.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrieval.candidates import QuestionTerms
from retrieval.linear import LinearModel
from retrieval.ranking import FEATURES as PAGE_FEATURES
from retrieval.ranking import RankedPage

PROFILED = ("dense", "sparse", "cover_chunk", "cover_page", "pairs", "cover_title")
"""Page features of which the run down the ranking says something beyond the first page."""
FEATURES = (
    *(f"top_{name}" for name in PAGE_FEATURES),
    "score",  # of the best page
    "margin",  # best page's score less the second's
    "share",  # softmax of the scores: the best page's part
    "entropy",  # of the same softmax, nats
    *(f"{name}_{part}" for name in PROFILED for part in ("best", "mean", "lead")),
    "rerank_best",  # highest logit of the reranker among the pages read
    "rerank_first",  # that of the first page
    "rerank_lead",  # highest less the mean of the pages that follow
    "terms",  # distinct terms of the question
    "topic",  # of these, topic terms
)
DEPTH = 5  # pages that `best` looks at
RIVALS = slice(1, 4)  # pages that `lead` compares the first with


class Answerability:
    """Turns the ranking of one question into a probability."""

    def __init__(self, model: LinearModel) -> None:
        """Raises ModelError when the model was fitted on other features."""
        model.require(FEATURES)
        self._model = model

    def assess(
        self, question: QuestionTerms, ranked: Sequence[RankedPage]
    ) -> tuple[float, Mapping[str, float]]:
        """Probability in 0..1 that the first pages answer, and the features behind it.

        0.0 and no features when nothing was found.
        """
        if not ranked:
            return 0.0, {}
        row = answerability_features(question, ranked)
        return self._model.probability(row), dict(zip(FEATURES, row, strict=True))


def answerability_features(
    question: QuestionTerms, ranked: Sequence[RankedPage]
) -> tuple[float, ...]:
    """One row in the order of FEATURES, of at least one ranked page, best first."""
    rows = np.array([page.features for page in ranked])
    scores = np.array([page.score for page in ranked])
    weights = np.exp(scores - scores[0])
    shares = weights / weights.sum()
    profile: list[float] = []
    for name in PROFILED:
        column = rows[:, PAGE_FEATURES.index(name)]
        rivals = column[RIVALS]
        lead = float(column[0] - rivals.mean()) if len(rivals) else 0.0
        profile += [float(column[:DEPTH].max()), float(column.mean()), lead]
    return (
        *ranked[0].features,
        float(scores[0]),
        float(scores[0] - scores[1]) if len(scores) > 1 else 0.0,
        float(shares[0]),
        float(-(shares * np.log(shares + 1e-12)).sum()),
        *profile,
        *_reranked([page.rerank for page in ranked[:DEPTH]]),
        float(len(question.everything)),
        float(len(question.topic)),
    )


def _reranked(logits: Sequence[float]) -> tuple[float, float, float]:
    best = max(logits)
    others = sorted(logits, reverse=True)[RIVALS]
    return best, logits[0], best - sum(others) / len(others) if others else 0.0
