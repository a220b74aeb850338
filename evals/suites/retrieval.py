"""Are the answering pages found, and how high, beside the bare retrievers of the same run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from evals.answers import Asked, Evaluation
from evals.baselines import NAMES
from evals.intervals import Figure, mean_of
from evals.metrics import hit_at, ndcg_at, reciprocal_rank_at

PRODUCT = "product"
Table = Mapping[str, Mapping[str, Figure]]  # system to measure to figure


def retrieval(evaluation: Evaluation) -> Mapping[str, Table]:
    """Page level over answerable questions: all, self-contained, and by kind where kinds differ.

    hit@k and MRR@10 count pages that hold the answer; nDCG@10 also grades the linked ones.
    """
    groups = _groups([one for one in evaluation.asked if one.answerable])
    return {name: _table(group, evaluation.options.seed) for name, group in groups if group}


def _groups(asked: Sequence[Asked]) -> Iterator[tuple[str, list[Asked]]]:
    yield "all", list(asked)
    yield "self_contained", [one for one in asked if one.question.self_contained]
    kinds = sorted({one.question.kind for one in asked})
    if len(kinds) > 1:
        for kind in kinds:
            yield f"kind {kind}", [one for one in asked if one.question.kind == kind]


def _table(group: Sequence[Asked], seed: int) -> Table:
    return {name: _measures(group, name, seed) for name in (PRODUCT, *NAMES)}


def _measures(group: Sequence[Asked], system: str, seed: int) -> Mapping[str, Figure]:
    seen = [(_pages(one, system), one.question) for one in group]
    values = {
        "hit@1": [hit_at(1, pages, q.answering) for pages, q in seen],
        "hit@10": [hit_at(10, pages, q.answering) for pages, q in seen],
        "mrr@10": [reciprocal_rank_at(10, pages, q.answering) for pages, q in seen],
        "ndcg@10": [ndcg_at(10, pages, q.pages) for pages, q in seen],
    }
    return {name: mean_of(of, seed) for name, of in values.items()}


def _pages(one: Asked, system: str) -> tuple[str, ...]:
    return one.pages if system == PRODUCT else one.baselines.pages[system]
