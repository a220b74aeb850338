"""The redactor on Presidio's analyzer, for engines that read context, such as names.

`PatternRedactor` masks the same entities with the same recognisers; this adapter is where an NLP
engine is plugged in. It costs about four seconds and 400 MB to import (two cores, Presidio
2.2.366), so only the branch of the wiring that chooses it imports it. Masking is our own:
Presidio's anonymizer joins neighbouring spans of one type, and offsets would no longer fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine, NoOpNlpEngine
from typing_extensions import override

from guardrails.documents import without_published
from guardrails.masking import FAILURES, joined, mask, masked_whole
from guardrails.policy import EntityPolicy
from guardrails.recognizers import RECOGNIZERS, Recognizer, view
from guardrails.types import Redaction, Span

_LANGUAGE = "en"  # Presidio asks for one; our recognisers do not depend on it


class _Adapted(EntityRecognizer):
    """One of our recognisers as Presidio calls it."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        super().__init__(supported_entities=[recognizer.entity], name=recognizer.entity)

    @override
    def load(self) -> None:
        """Nothing to load: the recogniser is data."""

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        return [
            RecognizerResult(span.type, span.start, span.end, span.score)
            for span in self._recognizer.find(view(text))
            if span.type in entities
        ]


class PresidioRedactor:
    """Masks what the registry of our own recognisers finds; none of Presidio's own is registered.

    Its stock patterns can be stalled for seconds by a run of dots, and are then skipped in
    silence. `engine` may add entities of its own; the default recognises none and loads nothing.
    Thread-safe.
    """

    def __init__(
        self,
        recognizers: Sequence[Recognizer] = RECOGNIZERS,
        engine: NlpEngine | None = None,
        policy: EntityPolicy | None = None,
    ) -> None:
        self._policy = policy or EntityPolicy()
        nlp_engine = engine or NoOpNlpEngine([{"lang_code": _LANGUAGE, "model_name": "none"}])
        if not nlp_engine.is_loaded():
            nlp_engine.load()
        registry = RecognizerRegistry(
            recognizers=[_Adapted(recognizer) for recognizer in recognizers],
            supported_languages=[_LANGUAGE],
        )
        self._analyzer = AnalyzerEngine(
            registry=registry, nlp_engine=nlp_engine, supported_languages=[_LANGUAGE]
        )

    def redact(self, text: str) -> Redaction:
        """Raises EntityRefusedError."""
        try:
            return mask(text, joined(self._policy.kept(self._find(text))), self._policy.unkept)
        except FAILURES:
            return masked_whole(text)

    def redact_document(self, text: str) -> Redaction:
        try:
            return mask(text, joined(without_published(text, self._find(text))))
        except FAILURES:
            return masked_whole(text)

    def _find(self, text: str) -> Sequence[Span]:
        if not text:
            return []
        found = self._analyzer.analyze(text, language=_LANGUAGE)
        return [Span(hit.start, hit.end, hit.entity_type, hit.score) for hit in found]
