"""The redactor of the serving process: our recognisers, no framework, started in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardrails.documents import without_published
from guardrails.masking import FAILURES, joined, mask, masked_whole
from guardrails.recognizers import RECOGNIZERS, Recognizer, view
from guardrails.types import Redaction, Span


class PatternRedactor:
    """Masks what `recognizers` find. Thread-safe; linear in the length of the text."""

    def __init__(self, recognizers: Sequence[Recognizer] = RECOGNIZERS) -> None:
        self._recognizers = tuple(recognizers)

    def redact(self, text: str) -> Redaction:
        try:
            return mask(text, joined(self._find(text)))
        except FAILURES:
            return masked_whole(text)

    def redact_document(self, text: str) -> Redaction:
        try:
            return mask(text, joined(without_published(text, self._find(text))))
        except FAILURES:
            return masked_whole(text)

    def _find(self, text: str) -> Iterable[Span]:
        seen = view(text)
        return [span for recognizer in self._recognizers for span in recognizer.find(seen)]
