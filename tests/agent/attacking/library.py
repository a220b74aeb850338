"""The documentation of two tenants in one real index, and a page that a case may poison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guardrails import Redacted, stored
from retrieval.candidates import STOP_WORDS
from retrieval.index import Point
from retrieval.memory import HashEncoder, MemoryIndex
from retrieval.representation import sparse_passage, sparse_query, terms
from retrieval.types import Chunk, ChunkId, Evidence, Labels, Passage, Scope
from tests.agent.shelf import CHUNKS, VERSION, chunk

POISONED = ChunkId("guides/poisoned#0")
FACT = "Admins can invite up to 50 people at once."
_PER_PAGE = 5


class Library:
    """A `Retriever` over `MemoryIndex`: who may read what is decided there."""

    def __init__(self, tenants: Sequence[str]) -> None:
        self._encoder = HashEncoder(64)
        self._index = MemoryIndex(64)
        self._chunks: dict[ChunkId, Chunk] = {}
        for tenant in tenants:
            for page in CHUNKS[:3]:
                self.put(_owned(page, tenant, ChunkId(f"{tenant}/{page.id}")))

    def put(self, page: Chunk) -> None:
        self._chunks[page.id] = page
        self._index.upsert([self._point(page)])

    def poison(self, page: Chunk | None) -> None:
        """The one page that a stranger wrote, in place of the last one; None for no such page."""
        self._index.delete([POISONED])
        if page is not None:
            self.put(replace(page, id=POISONED))

    def addresses(self, tenant: str) -> str:
        """All words of the tenant's pages, in lower case: where an address may come from."""
        pages = (c for c in self._chunks.values() if c.labels.tenant == tenant)
        return "\n".join(f"{c.text} {c.title} {c.url}" for c in pages).lower()

    def retrieve(self, question: Redacted, scope: Scope) -> Evidence:
        dense, sparse = self._encoder.encode_query(question), sparse_query(question)
        hits = self._index.fused(dense, sparse, scope, _PER_PAGE)
        found = tuple(Passage(self._chunks[hit.id], hit.score, 1.0, 1.0) for hit in hits)
        return Evidence(VERSION, found, found, _share(question, found), {})

    def _point(self, page: Chunk) -> Point:
        return Point(
            id=page.id,
            doc_id=page.doc_id,
            path=page.path,
            source=page.source,
            labels=page.labels,
            content_hash=page.content_hash,
            dense=self._encoder.encode_passages([page.text])[0],
            sparse=sparse_passage(page),
        )


def _owned(page: Chunk, tenant: str, name: ChunkId) -> Chunk:
    return replace(page, id=name, labels=Labels(tenant))


def _share(question: Redacted, found: Sequence[Passage]) -> float:
    wanted = {term for term in terms(question) if term not in STOP_WORDS}
    if not wanted:
        return 0.0
    texts = (f"{passage.chunk.title} {passage.chunk.text}" for passage in found)
    return max((len(wanted & set(terms(text))) / len(wanted) for text in texts), default=0.0)


def page(
    tenant: str, text: str, *, title: str = "Notes", path: str = "", source: str = ""
) -> Chunk:
    """A page as an index would hold it."""
    made = chunk("guides/poisoned", 0, title, text, "Notes")
    return replace(
        made,
        labels=Labels(tenant),
        path=path or made.path,
        source=source or made.source,
        text=stored(text),
    )
