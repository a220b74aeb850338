"""The vocabulary of evidence: chunk, passage, citation, scope, and the protocols that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrails import Redacted

ChunkId = NewType("ChunkId", str)
"""`<page path without suffix>#<ordinal>`, such as `guides/invite-teammates#3`."""

Vector = NDArray[np.float32]

LABEL_FIELDS = ("audience", "plan", "role", "version", "locale")
"""Labels that decide who may see a chunk."""
PROPERTY_FIELDS = ("owner", "source", "path", "doc_id")
"""Fields that narrow a search but grant nothing."""
FOR_ALL = "*"
"""The value of a label that a page does not set: everybody may see it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Who may see a page. Each field is a tuple of values; `("*",)` where the page sets none."""

    tenant: str
    audience: tuple[str, ...] = (FOR_ALL,)
    plan: tuple[str, ...] = (FOR_ALL,)
    role: tuple[str, ...] = (FOR_ALL,)
    version: tuple[str, ...] = (FOR_ALL,)
    locale: tuple[str, ...] = (FOR_ALL,)
    owner: str | None = None
    updated: str | None = None  # ISO date


@dataclass(frozen=True, slots=True)
class Chunk:
    """The stored unit: a stretch of one page under one heading, tables and code kept whole."""

    id: ChunkId
    doc_id: str  # page path without suffix
    path: str  # page path below the source's root, posix, with suffix
    source: str  # id of the source that the page came from
    title: str  # of the page
    heading_path: tuple[str, ...]  # headings above the text, page title not included
    anchor: str | None  # of the nearest heading, without `#`
    ordinal: int  # position on the page, from 0
    text: Redacted  # verbatim Markdown of the page, after document redaction
    labels: Labels
    doc_version: str  # ISO date of the page's last update, else a short hash of its bytes
    content_hash: str  # of everything that the vectors depend on
    url: str | None = None  # public address of the page where the source knows it


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Term weights; indices strictly increasing, uint32."""

    indices: NDArray[np.uint32]
    values: Vector


@dataclass(frozen=True, slots=True)
class Scope:
    """Through whose eyes: the tenant, and the label values that this viewer holds.

    A chunk is visible when, for every field of `LABEL_FIELDS`, it carries `*` or a value that
    `holds` lists for the field. A field missing from `holds` grants nothing but `*`;
    `unrestricted` (docs teams and evaluation, never an end user) skips labels, not the tenant.
    `narrow` cuts the result further, by label or property fields, joined with AND.
    An empty tenant sees nothing: searches raise `MissingTenantError`.
    """

    tenant: str
    holds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unrestricted: bool = False
    narrow: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk id with one retriever's raw score (cosine for dense, BM25 for sparse)."""

    id: ChunkId
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as retrieved. `score` orders passages of one question, best first, 0..1."""

    chunk: Chunk
    score: float
    dense: float  # cosine of question and chunk
    sparse: float  # BM25 score


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence's pointer to a passage. `quote` is verbatim text of the chunk."""

    id: str
    marker: int  # the n of `[n]`, from 1
    chunk_id: ChunkId
    path: str
    title: str
    anchor: str | None
    quote: str
    doc_version: str
    index_version: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that one question found in one index version."""

    version: str
    passages: tuple[Passage, ...]  # for the answerer, best first; several of a page are possible
    retrieved: tuple[Passage, ...]  # at most 10, best first, the best of each page before seconds
    confidence: float  # calibrated probability that the passages answer the question
    features: Mapping[str, float]  # what the confidence was computed from


class Retriever(Protocol):
    """Question to evidence. Thread-safe and synchronous: call it in a worker thread."""

    def retrieve(self, question: Redacted, scope: Scope) -> Evidence:
        """Raises NoIndexError, MissingTenantError, UnknownFieldError, IndexUnavailableError."""
        ...


class Encoder(Protocol):
    """Text to unit vectors. Thread-safe; deterministic for a given `fingerprint`."""

    @property
    def fingerprint(self) -> str:
        """Identifies model, weights and pooling: vectors of unequal fingerprints never mix."""
        ...

    @property
    def dimension(self) -> int: ...

    def encode_query(self, text: Redacted) -> Vector:
        """One query: shape (dimension,), norm 1. Concurrent callers share a micro-batch."""
        ...

    def encode_passages(self, texts: Sequence[Redacted]) -> Vector:
        """Many passages: shape (n, dimension), rows of norm 1; text beyond the window is cut."""
        ...


class Reranker(Protocol):
    """Reads question and chunk together. Thread-safe; deterministic for a given `fingerprint`."""

    @property
    def fingerprint(self) -> str:
        """Identifies the weights: scores of unequal fingerprints do not compare."""
        ...

    def scores(self, question: Redacted, chunks: Sequence[Chunk]) -> Vector:
        """One logit for each chunk, shape (n,): higher answers better."""
        ...
