"""settings -> the composed product: every adapter is chosen here, and closed by who opened it.

A heavy library is imported in the branch that chooses it, so that nobody pays for one unasked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from embark.settings import Settings
from guardrails import Redactor
from retrieval.answerability import Answerability
from retrieval.library import Library
from retrieval.linear import load_model
from retrieval.ranking import PageRanker
from retrieval.search import HybridRetriever, SearchPolicy
from retrieval.types import Encoder, Evidence, Retriever, Scope


@dataclass(frozen=True, slots=True)
class Finder:
    """Question to evidence, without a conversation: what `embark search` needs."""

    redactor: Redactor
    retriever: Retriever
    library: Library
    encoder: Encoder

    def find(self, text: str, scope: Scope) -> Evidence:
        """Raises what `Retriever.retrieve` raises."""
        return self.retriever.retrieve(self.redactor.redact(text).text, scope)


@contextmanager
def open_finder(settings: Settings) -> Iterator[Finder]:
    """Encoder, library and redactor, open until the context ends."""
    with ExitStack() as closing:
        encoder = open_encoder(settings, closing)
        library = open_library(settings, closing)
        retriever = HybridRetriever(
            library,
            encoder,
            PageRanker(load_model("retrieval", "ranking")),
            Answerability(load_model("retrieval", "answerability")),
            SearchPolicy(passages=settings.answer.passages),
        )
        yield Finder(redactor(), retriever, library, encoder)


def open_library(settings: Settings, closing: ExitStack) -> Library:
    """The read side of the index."""
    from retrieval.versions import EmbeddedLibrary

    library = EmbeddedLibrary(settings.data_dir / "index")
    closing.callback(library.close)
    return library
