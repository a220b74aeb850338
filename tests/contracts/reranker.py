"""What every reranker must do: the suite that each adapter's test module inherits."""

from __future__ import annotations

import numpy as np
import pytest

from guardrails import literal, stored
from retrieval.types import Chunk, ChunkId, Labels, Reranker

QUESTION = literal("How many people can admins invite at once?")
ANSWERS = "Admins can invite up to 50 people at once."
NEAR = "Invited people get an e-mail with a link that works for seven days."
FAR = "Invoices are sent on the first day of the month."


def chunk(number: int, text: str) -> Chunk:
    return Chunk(
        id=ChunkId(f"page#{number}"),
        doc_id="page",
        path="page.md",
        source="docs",
        title="Members",
        heading_path=("Limits",),
        anchor="limits",
        ordinal=number,
        text=stored(text),
        labels=Labels("acme"),
        doc_version="2026-01-01",
        content_hash=str(number),
    )


class RerankerContract:
    """Inherit, and give `reranker`."""

    @pytest.fixture
    def reranker(self) -> Reranker:
        raise NotImplementedError

    def test_one_finite_logit_for_each_chunk(self, reranker: Reranker) -> None:
        scores = reranker.scores(QUESTION, [chunk(0, ANSWERS), chunk(1, NEAR), chunk(2, FAR)])
        assert scores.shape == (3,)
        assert np.isfinite(scores).all()

    def test_no_chunks_no_scores(self, reranker: Reranker) -> None:
        assert reranker.scores(QUESTION, []).shape == (0,)

    def test_what_answers_stands_above_what_is_far(self, reranker: Reranker) -> None:
        answers, near, far = reranker.scores(
            QUESTION, [chunk(0, ANSWERS), chunk(1, NEAR), chunk(2, FAR)]
        )
        assert answers > near > far

    def test_a_score_does_not_depend_on_company_or_order(self, reranker: Reranker) -> None:
        alone = float(reranker.scores(QUESTION, [chunk(0, ANSWERS)])[0])
        together = reranker.scores(QUESTION, [chunk(2, FAR * 20), chunk(0, ANSWERS)])
        assert together[1] == pytest.approx(alone, abs=0.1)  # half precision on some processors

    def test_text_beyond_the_window_is_cut_not_refused(self, reranker: Reranker) -> None:
        assert reranker.scores(QUESTION, [chunk(0, ANSWERS * 500)]).shape == (1,)

    def test_it_has_a_fingerprint(self, reranker: Reranker) -> None:
        assert reranker.fingerprint
