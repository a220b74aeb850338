"""What every encoder must do: the suite that each adapter's test module inherits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from guardrails import literal, stored
from retrieval.encoder import SpanEncoder
from retrieval.types import Vector

INVITE = literal("Invite teammates: open Settings, choose Members, then press Invite.")
BILLING = literal("Invoices are sent on the first day of the month by e-mail.")
ALERTS = literal("An alert fires when a metric stays above its threshold for ten minutes.")
PASSAGES = (INVITE, BILLING, ALERTS)
TOLERANCE = 2e-3  # half precision: the same text in other company moves by its last bits


def near(found: Vector, wanted: Vector) -> bool:
    return bool(np.all(np.abs(found - wanted) < TOLERANCE))


class EncoderContract:
    """Inherit, and give `encoder`."""

    @pytest.fixture
    def encoder(self) -> SpanEncoder:
        raise NotImplementedError

    def test_vectors_are_float32_of_norm_one(self, encoder: SpanEncoder) -> None:
        query, passages = encoder.encode_query(INVITE), encoder.encode_passages(PASSAGES)
        assert query.shape == (encoder.dimension,)
        assert passages.shape == (3, encoder.dimension)
        assert query.dtype == passages.dtype == np.float32
        assert np.allclose(np.linalg.norm([query, *passages], axis=1), 1, atol=1e-5)

    def test_no_passages_no_rows(self, encoder: SpanEncoder) -> None:
        assert encoder.encode_passages(()).shape == (0, encoder.dimension)

    @pytest.mark.parametrize("text", ["", " \n", "...", "\N{GRINNING FACE}"])
    def test_any_text_has_a_vector(self, encoder: SpanEncoder, text: str) -> None:
        assert np.linalg.norm(encoder.encode_query(stored(text))) == pytest.approx(1, abs=1e-5)

    def test_the_same_text_has_the_same_vector(self, encoder: SpanEncoder) -> None:
        assert np.array_equal(encoder.encode_query(INVITE), encoder.encode_query(INVITE))

    def test_company_does_not_change_a_vector(self, encoder: SpanEncoder) -> None:
        alone = np.concatenate([encoder.encode_passages([text]) for text in PASSAGES])
        assert near(encoder.encode_passages(PASSAGES), alone)
        assert near(encoder.encode_passages(PASSAGES[::-1])[::-1], alone)

    def test_a_question_is_nearest_to_the_passage_about_it(self, encoder: SpanEncoder) -> None:
        passages = encoder.encode_passages(PASSAGES)
        for row, question in enumerate(
            (
                literal("How do I invite teammates?"),
                literal("When are invoices sent?"),
                literal("When does an alert fire?"),
            )
        ):
            assert int(np.argmax(passages @ encoder.encode_query(question))) == row

    def test_questions_of_many_threads(self, encoder: SpanEncoder) -> None:
        alone = [encoder.encode_query(text) for text in PASSAGES]
        with ThreadPoolExecutor(16) as pool:
            together = list(pool.map(encoder.encode_query, PASSAGES * 16))
        assert near(np.array(together), np.array(alone * 16))

    def test_each_span_has_a_vector(self, encoder: SpanEncoder) -> None:
        spans = [[(0, 17), (18, len(INVITE))], [], [(0, len(ALERTS))]]
        passages, cut = encoder.encode_with_spans(PASSAGES, spans)
        assert [rows.shape for rows in cut] == [(n, encoder.dimension) for n in (2, 0, 1)]
        assert np.allclose(np.linalg.norm(np.concatenate(cut), axis=1), 1, atol=1e-5)
        assert near(passages, encoder.encode_passages(PASSAGES))
        for rows, again in zip(cut, encoder.encode_spans(PASSAGES, spans), strict=True):
            assert near(rows, again)

    def test_a_span_is_nearest_to_the_question_about_it(self, encoder: SpanEncoder) -> None:
        text = stored(f"{INVITE} {BILLING}")
        border = len(INVITE)
        (cut,) = encoder.encode_spans([text], [[(0, border), (border + 1, len(text))]])
        question = encoder.encode_query(literal("When are invoices sent?"))
        assert cut[1] @ question > cut[0] @ question

    def test_spans_for_every_text_or_none(self, encoder: SpanEncoder) -> None:
        with pytest.raises(ValueError, match=r"\d"):
            encoder.encode_spans(PASSAGES, [[(0, 3)]])
