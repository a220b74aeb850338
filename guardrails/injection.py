"""Retrieved text is data: hide nothing in it from the reader, and mark where it begins and ends.

This is hygiene only. Text that survives it may still try to instruct a model, and adaptive attacks
get past marking. What makes injection harmless is that the reader of documents holds no tools, that
its sentences are checked against their passages, and that nothing it says grants a right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import re2

from guardrails.markup import visible
from guardrails.types import Redacted

_HIDDEN = (
    re2.compile(r"(?s)<!--.*?(?:-->|$)"),
    re2.compile(r"(?is)<(?:script|style|template|noscript)\b.*?(?:</[a-z]+\s*>|$)"),
    re2.compile(
        r"(?is)<([a-z][a-z0-9]*)\b[^<>]*(?:\bhidden\b|display\s*:\s*none|visibility\s*:\s*hidden|"
        r"font-size\s*:\s*0|opacity\s*:\s*0(?:\.0+)?\s*[;\"']|aria-hidden\s*=\s*[\"']?true)"
        r"[^<>]*>[^<]*(?:</[a-z][a-z0-9]*\s*>|$)"
    ),
    re2.compile(r"(?m)^[ \t]{0,3}\[(?://|comment|#)\]:[^\n]*$"),  # comments by link definition
)
_CODE = re2.compile(r"(?s)```.*?(?:```|$)|`[^`\n]*`")
_MARKER_BYTES = 8


def neutralise(text: Redacted) -> Redacted:
    """The text as a person sees it: without zero-width, bidirectional, tag and control characters,
    HTML comments, scripts and elements that a style hides. Code keeps its markup."""
    pieces: list[str] = []
    at = 0
    shown = visible(text)
    for code in _CODE.finditer(shown):
        pieces += (_without_hidden(shown[at : code.start()]), code.group())
        at = code.end()
    pieces.append(_without_hidden(shown[at:]))
    return Redacted("".join(pieces))


def spotlight(passages: Sequence[Redacted], rng: random.Random) -> Redacted:
    """The numbered passages between fences that carry one random marker of this request.

    A document cannot close its own fence: it does not know the marker, and a passage that holds it
    by chance gets another. Pass a `random.SystemRandom` outside tests.
    """
    shown = [neutralise(passage) for passage in passages]
    marker = _marker(shown, rng)
    blocks = [
        f"<<<passage {number} {marker}>>>\n{text}\n<<<end {number} {marker}>>>"
        for number, text in enumerate(shown, start=1)
    ]
    return Redacted("\n\n".join(blocks))


def _marker(texts: Sequence[str], rng: random.Random) -> str:
    while True:
        marker = rng.randbytes(_MARKER_BYTES).hex()
        if not any(marker in text for text in texts):
            return marker


def _without_hidden(text: str) -> str:
    for pattern in _HIDDEN:
        text = pattern.sub("", text)
    return text
