"""Words of a text as the evaluation counts them: stemmed, in order, with or without stop words."""

from __future__ import annotations

import html
from collections.abc import Sequence

from retrieval.candidates import STOP_WORDS
from retrieval.representation import terms


def content(text: str) -> frozenset[str]:
    """Distinct stemmed words that carry meaning."""
    return frozenset(terms(html.unescape(text))) - STOP_WORDS


def squeezed(text: str) -> str:
    """With every run of white space as one blank."""
    return " ".join(text.split())


def rouge_l(answer: str, gold: str) -> float:
    """F1 of the longest common subsequence of stemmed words (Lin, 2004); 0 when either is empty."""
    mine, theirs = terms(html.unescape(answer)), terms(html.unescape(gold))
    common = longest_common(mine, theirs)
    return 2 * common / (len(mine) + len(theirs)) if common else 0.0


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, bit-parallel (Hyyrö, 2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(first)) - 1
    free = full  # a cleared bit is a word of `first` that ends a longer common subsequence
    for word in second:
        taken = free & places.get(word, 0)
        free = ((free + taken) | (free - taken)) & full
    return len(first) - free.bit_count()
