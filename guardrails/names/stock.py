"""Presidio's own pattern recognisers, as they come: what ours are compared with, never served."""

from __future__ import annotations

import tldextract.tldextract as suffixes
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from guardrails.masking import joined, mask
from guardrails.types import Span

_LANGUAGE = "en"


class StockPatterns:
    """The recognisers that an AnalyzerEngine registers by itself, without a model of language.

    The suffix list that comes with the library stands in for the one it would download.
    """

    def __init__(self) -> None:
        suffixes.TLD_EXTRACTOR = suffixes.TLDExtract(cache_dir=None, suffix_list_urls=())
        engine = NoOpNlpEngine([{"lang_code": _LANGUAGE, "model_name": "none"}])
        engine.load()
        registry = RecognizerRegistry(supported_languages=[_LANGUAGE])
        registry.load_predefined_recognizers(languages=[_LANGUAGE], nlp_engine=engine)
        self._analyzer = AnalyzerEngine(
            registry=registry, nlp_engine=engine, supported_languages=[_LANGUAGE]
        )

    def find(self, text: str) -> list[Span]:
        """What it reports, weak results and overlaps included, in no order."""
        found = self._analyzer.analyze(text, language=_LANGUAGE)
        return [Span(hit.start, hit.end, hit.entity_type, hit.score) for hit in found]

    def mask(self, text: str) -> str:
        return mask(text, joined(self.find(text))).text
