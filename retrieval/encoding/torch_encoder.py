"""Any sentence-transformers model, on torch: for architectures that are not converted. Slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from guardrails import Redacted
from retrieval.types import Vector

Spans = Sequence[Sequence[tuple[int, int]]]


class TorchEncoder:
    """Starts in about ten seconds and holds about 800 MB; use it only where nothing else works."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds to import

        self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self._fingerprint = f"{fingerprint}-torch"
        self._lock = Lock()

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimension(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    def encode_query(self, text: Redacted) -> Vector:
        with self._lock:
            vectors = self._model.encode_query(
                [text], normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors[0], dtype=np.float32)

    def encode_passages(
        self, texts: Sequence[Redacted], progress: Callable[[int], None] | None = None
    ) -> Vector:
        vectors = self._encode(texts)
        if progress is not None:
            progress(len(texts))
        return vectors

    def encode_spans(self, texts: Sequence[Redacted], spans: Spans) -> list[Vector]:
        """Spans are encoded one by one, without their surroundings."""
        cut = [
            text[start:end]
            for text, wanted in zip(texts, spans, strict=True)
            for start, end in wanted
        ]
        bounds = np.cumsum([len(wanted) for wanted in spans])[:-1]
        return np.split(self._encode(cut), bounds)

    def encode_with_spans(
        self,
        texts: Sequence[Redacted],
        spans: Spans,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Vector, list[Vector]]:
        """Passage vectors, and what `encode_spans` gives."""
        return self.encode_passages(texts, progress), self.encode_spans(texts, spans)

    def _encode(self, texts: Sequence[str]) -> Vector:
        with self._lock:
            vectors = self._model.encode_document(
                list(texts), normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self.dimension)
