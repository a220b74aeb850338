"""What may go in and out, as types: redacted text, spans, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, NewType, Protocol

Redacted = NewType("Redacted", str)
"""Text that passed a Redactor. Models, logs, encoders and indexes accept nothing else.

Only `guardrails` makes one from plain text; `tests/test_architecture.py` holds that.
"""


def stored(text: str) -> Redacted:
    """Text read back from a store that only ever receives Redacted text: index, checkpoint, SQL."""
    return Redacted(text)


def literal(text: LiteralString) -> Redacted:
    """A constant of our own code. Pass a string literal, never a variable: a test scans for it."""
    return Redacted(text)


@dataclass(frozen=True, slots=True)
class Span:
    """A masked stretch of the original text: [start, end) in Unicode code points, score in 0..1."""

    start: int
    end: int
    type: str
    score: float


@dataclass(frozen=True, slots=True)
class Redaction:
    """The text with every span replaced by `<TYPE>`, and the spans in the original, in order."""

    text: Redacted
    spans: tuple[Span, ...]
    unkept: frozenset[str] = frozenset()
    """Types whose values may be held nowhere, not even under the person's own key."""


class Redactor(Protocol):
    """Masks personal data and secrets. In doubt it masks more.

    Raises TurnRefusedError alone, and only where a policy refuses or nobody can look.
    """

    def redact(self, text: str) -> Redaction:
        """Redact one user turn: every entity is masked."""
        ...

    def redact_document(self, text: str) -> Redaction:
        """Redact published documentation: host names, loopback addresses, example.com mailboxes
        and role mailboxes (support@, sales@ ...) stay; secrets and personal data do not."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one sentence is supported by the passages that it cites, and why not if not.

    `support` is the semantic support in 0..1; 1.0 for verbatim text. `reason` is None when
    supported, else a stable code: `no_citation`, `unknown_citation`, `quote`, `number`, `name`,
    `code`, `url`, `negation`, `support`.
    """

    supported: bool
    support: float
    reason: str | None = None


class Similarity(Protocol):
    """Cosine of each claim against each evidence sentence: rows claims, columns evidence, -1..1."""

    def __call__(
        self, claims: Sequence[Redacted], evidence: Sequence[Redacted]
    ) -> Sequence[Sequence[float]]: ...
