"""The redactor of the serving process: our recognisers, no framework, started in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.documents import without_published
from guardrails.masking import FAILURES, joined, mask, masked_whole
from guardrails.policy import EntityPolicy
from guardrails.recognizers import RECOGNIZERS, Recognizer, view
from guardrails.types import Redaction, Span


class PatternRedactor:
    """Masks what `recognizers` find. Thread-safe; linear in the length of the text."""

    def __init__(
        self,
        recognizers: Sequence[Recognizer] = RECOGNIZERS,
        policy: EntityPolicy | None = None,
    ) -> None:
        self._recognizers = tuple(recognizers)
        self._policy = policy or EntityPolicy()

    def redact(self, text: str) -> Redaction:
        """Raises EntityRefusedError."""
        try:
            kept = self._policy.kept(self._find(text))
            return mask(text, joined(kept), self._policy.unkept)
        except FAILURES:
            return masked_whole(text)

    def redact_document(self, text: str) -> Redaction:
        try:
            return mask(text, joined(without_published(text, self._find(text))))
        except FAILURES:
            return masked_whole(text)

    def _find(self, text: str) -> Sequence[Span]:
        seen = view(text)
        return [span for recognizer in self._recognizers for span in recognizer.find(seen)]
