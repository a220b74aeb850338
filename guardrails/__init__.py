"""text -> redact -> Redacted -> [the model, elsewhere] -> grounding -> Verdict."""

from guardrails.types import Redacted, Redaction, Redactor, Similarity, Span, Verdict

__all__ = ["Redacted", "Redaction", "Redactor", "Similarity", "Span", "Verdict"]
