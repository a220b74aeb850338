"""ShelfLibrary: one index version over chunks in memory, with the twin index behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from guardrails import stored
from retrieval.filters import visible
from retrieval.index import NoIndexError
from retrieval.library import Snapshot
from retrieval.memory import MemoryIndex
from retrieval.types import Chunk, ChunkId, Labels, Scope

VERSION = "docs__shelf_1"


def chunk(ordinal: int, text: str, heading: str = "", **changes: object) -> Chunk:
    plain = Chunk(
        id=ChunkId(f"guides/invite#{ordinal}"),
        doc_id="guides/invite",
        path="guides/invite.md",
        source="docs",
        title="Invite <teammates>",
        heading_path=(heading,) if heading else (),
        anchor=heading.lower().replace(" ", "-") or None,
        ordinal=ordinal,
        text=stored(text),
        labels=Labels("acme"),
        doc_version="2026-11-02",
        content_hash=f"h{ordinal}",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # any field of a chunk


INVITE = (
    chunk(0, "Admins can invite **up to 50 people** at once."),
    chunk(
        1, "1. Open <Settings>.\n2. Choose `Invite`.\n\nSee [roles](../roles.md#admin).", "By hand"
    ),
    chunk(2, "For owners only.", "Secret", labels=Labels("acme", role=("owner",))),
)


class ShelfLibrary:
    """Pages of one tenant; empty means that nothing was ever indexed."""

    def __init__(self, chunks: Sequence[Chunk] = INVITE) -> None:
        self._chunks = tuple(chunks)

    @contextmanager
    def lease(self) -> Iterator[Snapshot]:
        if not self._chunks:
            raise NoIndexError("nothing has been indexed yet")
        yield Snapshot(VERSION, MemoryIndex(4), _Chunks(self._chunks))

    def sees(self, scope: Scope, chunk: Chunk) -> bool:
        return any(visible([chunk], scope))

    def close(self) -> None:
        return None


class _Chunks:
    def __init__(self, chunks: tuple[Chunk, ...]) -> None:
        self._chunks = chunks

    def get(self, tenant: str, ids: Iterable[ChunkId]) -> Mapping[ChunkId, Chunk]:
        wanted = set(ids)
        return {c.id: c for c in self._chunks if c.id in wanted and c.labels.tenant == tenant}

    def page(self, tenant: str, doc_id: str) -> tuple[Chunk, ...]:
        return tuple(c for c in self._chunks if c.labels.tenant == tenant and c.doc_id == doc_id)

    def chunks(self) -> Iterator[Chunk]:
        return iter(self._chunks)

    def count(self, tenant: str | None = None) -> int:
        return sum(tenant in (None, c.labels.tenant) for c in self._chunks)

    def document_frequencies(self, tenant: str, words: Sequence[str]) -> Mapping[str, int]:
        counts = {word: sum(word in c.text.lower() for c in self._chunks) for word in words}
        return {word: count for word, count in counts.items() if count}

    def close(self) -> None:
        return None
