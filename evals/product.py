"""What the evaluation is given: the composed product over a private copy of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent import Copilot
from guardrails import Redactor
from retrieval.library import Library
from retrieval.types import Encoder, Retriever, Scope


class Progress(Protocol):
    """Told after every step of a phase."""

    def __call__(self, phase: str, done: int, total: int | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Judge:
    """A chat model behind an OpenAI-compatible address that judges answers."""

    base_url: str
    model: str
    key: str


@dataclass(frozen=True, slots=True)
class UnderTest:
    """The product, composed with a threshold of 0, so that every question gets its answer.

    `threshold` is the one that the product would use: below it an answer counts as refused. The
    product compares the same confidence before it drafts anything, so both say the same.
    """

    copilot: Copilot
    retriever: Retriever
    library: Library
    encoder: Encoder
    redactor: Redactor
    tenant: str
    threshold: float
    docs: Path  # the copy that is indexed; the evaluation may delete pages of it
    reindex: Callable[[], None]  # brings the index up to `docs`; blocks
    facts: Mapping[str, object]  # versions, for the report
    judge: Judge | None = None

    def scope(self, narrow: Mapping[str, frozenset[str]]) -> Scope:
        """All pages of the tenant, cut by the question's filter."""
        return Scope(self.tenant, unrestricted=True, narrow=narrow)
