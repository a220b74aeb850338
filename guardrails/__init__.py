"""text -> redact -> Redacted -> [the model, elsewhere] -> grounding -> Verdict."""

from guardrails.evidence import split_sentences
from guardrails.grounding import GroundingPolicy, best_quote, verify
from guardrails.injection import neutralise, spotlight
from guardrails.sanitising import sanitise
from guardrails.types import (
    Redacted,
    Redaction,
    Redactor,
    Similarity,
    Span,
    Verdict,
    literal,
    stored,
)

__all__ = [
    "GroundingPolicy",
    "Redacted",
    "Redaction",
    "Redactor",
    "Similarity",
    "Span",
    "Verdict",
    "best_quote",
    "literal",
    "neutralise",
    "sanitise",
    "split_sentences",
    "spotlight",
    "stored",
    "verify",
]
