"""Spans -> the masked text: overlaps joined, kept spans left alone, failures closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import re2
from phonenumbers import NumberParseException

from guardrails.types import Redacted, Redaction, Span

FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    NumberParseException,
    re2.error,
)
"""What a recogniser may die of. The text it died on is masked whole: never fail open."""

WHOLE = "REDACTED"
"""Type of the span that covers a text on which recognition failed."""


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Disjoint spans in order. What overlaps becomes one span over all of it, so that no part of a
    weaker match stays readable; its type is that of the stronger match, then of the longer."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            merged[-1] = _union(merged[-1], span)
        else:
            merged.append(span)
    return tuple(merged)


def _union(left: Span, right: Span) -> Span:
    strongest = max(left, right, key=lambda span: (span.score, span.end - span.start))
    return replace(strongest, start=min(left.start, right.start), end=max(left.end, right.end))


def mask(text: str, spans: tuple[Span, ...], unkept: frozenset[str] = frozenset()) -> Redaction:
    """Replace each of the disjoint, ordered spans by `<TYPE>`."""
    pieces: list[str] = []
    at = 0
    for span in spans:
        pieces += (text[at : span.start], f"<{span.type}>")
        at = span.end
    return Redaction(Redacted("".join((*pieces, text[at:]))), spans, unkept)


def masked_whole(text: str) -> Redaction:
    """What is left when recognition failed: nothing of the text."""
    return mask(text, (Span(0, len(text), WHOLE, 1.0),))
