"""text -> redact -> Redacted -> [the model, elsewhere] -> grounding -> Verdict."""

from guardrails.grounding import GroundingPolicy, best_quote, verify
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
    "sanitise",
    "stored",
    "verify",
]
