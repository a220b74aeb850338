"""chunk or question -> the text that is embedded, and the BM25 term weights.

The index multiplies sparse values by the inverse document frequency; here stands BM25's term
frequency part only. Whatever changes here changes `REPRESENTATION`, and so the index fingerprint.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from functools import lru_cache
from threading import Lock

import numpy as np
import snowballstemmer

from guardrails import Redacted, stored
from retrieval.types import Chunk, SparseVector

REPRESENTATION = "1"

_WORD = re.compile(r"[^\W_]+")
_STEMMER = snowballstemmer.stemmer("english")
_STEMMING = Lock()  # a stemmer keeps the word that it works on
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

K1 = 1.2  # Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), section 3.5
B = 0.75
REFERENCE_LENGTH = (
    160  # terms; a fixed stand-in for the mean length, so that chunks are independent
)
TITLE_WEIGHT = 2.0
HEADING_WEIGHT = 2.0


def terms(text: str) -> list[str]:
    """Stemmed terms in order. `camelCase` and `snake_case` give their parts and the whole."""
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        parts = _CAMEL.split(word)
        found.append(_stem(word.lower()))
        if len(parts) > 1:
            found.extend(_stem(part.lower()) for part in parts)
    return found


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    with _STEMMING:
        return str(_STEMMER.stemWord(word))


@lru_cache(maxsize=65536)
def term_id(term: str) -> int:
    """The sparse dimension of a term: CRC-32, uint32."""
    return zlib.crc32(term.encode())


def dense_text(chunk: Chunk) -> Redacted:
    """Title and headings before the text: a chunk alone often does not say what it is about."""
    head = " > ".join((chunk.title, *chunk.heading_path))
    return stored(f"{head}\n{chunk.text}")


def sparse_passage(chunk: Chunk) -> SparseVector:
    """BM25 term frequency part over title, headings and text, the first two weighted (BM25F)."""
    counts: defaultdict[str, float] = defaultdict(float)
    for field, weight in (
        (chunk.title, TITLE_WEIGHT),
        (" ".join(chunk.heading_path), HEADING_WEIGHT),
        (chunk.text, 1.0),
    ):
        for term in terms(field):
            counts[term] += weight
    length = sum(counts.values())
    norm = K1 * (1 - B + B * length / REFERENCE_LENGTH)
    return _vector({t: tf * (K1 + 1) / (tf + norm) for t, tf in counts.items()})


def sparse_query(text: Redacted) -> SparseVector:
    """Each distinct term of the question once."""
    return _vector(dict.fromkeys(terms(text), 1.0))


def _vector(weights: dict[str, float]) -> SparseVector:
    by_id: dict[int, float] = {}
    for term, weight in weights.items():
        key = term_id(term)
        by_id[key] = by_id.get(key, 0.0) + weight
    indices = np.array(sorted(by_id), dtype=np.uint32)
    values = np.array([by_id[int(i)] for i in indices], dtype=np.float32)
    return SparseVector(indices, values)
