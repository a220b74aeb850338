"""text -> tokens -> graph -> mean of token embeddings -> unit vector, without importing torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from guardrails import Redacted
from retrieval.encoding.batching import MicroBatcher, by_length
from retrieval.encoding.convert import converted
from retrieval.encoding.errors import ModelNotFoundError, UnsupportedModelError
from retrieval.encoding.recipe import TOKENIZER, Recipe, read_manifest
from retrieval.encoding.runtime import EXACT, Graph, normalised, pooled, precisions
from retrieval.encoding.source import PACKAGED, fingerprint_of, resolve
from retrieval.encoding.torch_encoder import TorchEncoder
from retrieval.types import Encoder, Vector

Progress = Callable[[int], None]
"""Told after each batch how many more passages are done."""
Spans = Sequence[Sequence[tuple[int, int]]]
"""For each text its spans [start, end), in Unicode code points."""

BATCH_TOKENS = 2048  # padded; throughput is flat above and memory grows (benchmarks/encoder.py)
BATCH_QUERIES = 16
WINDOW_TEXTS = 1024  # sorted by length together; bounds the memory of their tokens


class SpanEncoder(Encoder, Protocol):
    """An encoder that also gives vectors of stretches of a passage, in the same pass."""

    def encode_spans(self, texts: Sequence[Redacted], spans: Spans) -> list[Vector]:
        """For each text shape (its spans, dimension), rows of norm 1."""
        ...

    def encode_with_spans(
        self, texts: Sequence[Redacted], spans: Spans
    ) -> tuple[Vector, list[Vector]]:
        """Passage vectors as of `encode_passages`, and span vectors as of `encode_spans`."""
        ...


def load_encoder(
    name: str = PACKAGED,
    *,
    cache: Path,
    allow_download: bool = False,
    threads: int | None = None,
) -> SentenceEncoder | TorchEncoder:
    """The encoder of a sentence-transformers name or folder; converts it on first use (seconds).

    Raises ModelNotFoundError, DamagedModelError, ConversionError. A model that cannot be
    converted is served by torch.
    """
    source = resolve(name, allow_download=allow_download)
    try:
        return SentenceEncoder(converted(source, cache), threads=threads)
    except UnsupportedModelError:
        return TorchEncoder(source, fingerprint_of(source))


class SentenceEncoder:
    """A converted model. Any number of threads may encode; the graph uses `threads` cores."""

    def __init__(
        self, folder: Path, *, precision: str | None = None, threads: int | None = None
    ) -> None:
        """`folder` is what `converted` returns; `precision` None takes the fastest exact one."""
        recipe = read_manifest(folder)
        if recipe is None:
            raise ModelNotFoundError(f"{folder} holds no converted model")
        self._recipe = recipe
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._graph = Graph(
            folder,
            recipe.inputs,
            recipe.pad_id,
            precision=precision or _fastest_exact(recipe),
            threads=threads,
        )
        self._queries = MicroBatcher[str, Vector](self._encode_queries, BATCH_QUERIES)

    @property
    def fingerprint(self) -> str:
        return self._recipe.fingerprint

    @property
    def dimension(self) -> int:
        return self._recipe.dimension

    @property
    def max_tokens(self) -> int:
        """The window, special tokens included: text beyond it does not reach the vector."""
        return self._recipe.max_tokens

    def encode_query(self, text: Redacted) -> Vector:
        return self._queries(self._recipe.query_prompt + text)

    def encode_passages(
        self, texts: Sequence[Redacted], progress: Progress | None = None
    ) -> Vector:
        return self._encode(texts, [()] * len(texts), progress)[0]

    def encode_spans(self, texts: Sequence[Redacted], spans: Spans) -> list[Vector]:
        """Mean of the span's token embeddings in the light of the whole passage (late pooling).

        A span that lies beyond the window, or holds no token, is encoded on its own.
        """
        return self._encode(texts, spans, None)[1]

    def encode_with_spans(
        self, texts: Sequence[Redacted], spans: Spans, progress: Progress | None = None
    ) -> tuple[Vector, list[Vector]]:
        """`encode_passages` and `encode_spans` in one pass."""
        return self._encode(texts, spans, progress)

    def _encode_queries(self, texts: Sequence[str]) -> Sequence[Vector]:
        with self._graph.run([self._tokenizer.encode(text).ids for text in texts]) as hidden:
            return list(pooled(hidden, self._recipe.pooling))

    def _encode(
        self, texts: Sequence[str], spans: Spans, progress: Progress | None
    ) -> tuple[Vector, list[Vector]]:
        if len(texts) != len(spans):
            raise ValueError(f"{len(texts)} texts, but spans of {len(spans)}")
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        cut = [np.zeros((len(wanted), self.dimension), dtype=np.float32) for wanted in spans]
        for begin in range(0, len(texts), WINDOW_TEXTS):
            part = slice(begin, begin + WINDOW_TEXTS)
            self._encode_window(texts[part], spans[part], (vectors[part], cut[part]), progress)
        self._fill_beyond_window(texts, spans, cut)
        return vectors, cut

    def _encode_window(
        self,
        texts: Sequence[str],
        spans: Spans,
        into: tuple[Vector, list[Vector]],
        progress: Progress | None,
    ) -> None:
        vectors, cut = into
        prompt = self._recipe.passage_prompt
        encodings = self._tokenizer.encode_batch([prompt + text for text in texts])
        for batch in by_length([len(encoding.ids) for encoding in encodings], BATCH_TOKENS):
            with self._graph.run([encodings[at].ids for at in batch]) as hidden:
                vectors[batch] = pooled(hidden, self._recipe.pooling)
                for row, at in enumerate(batch):
                    members = _members(encodings[at], spans[at], len(prompt))
                    cut[at][:] = normalised(members @ hidden.tokens[row, : members.shape[1]])
            if progress is not None:
                progress(len(batch))

    def _fill_beyond_window(
        self, texts: Sequence[str], spans: Spans, vectors: Sequence[Vector]
    ) -> None:
        empty = [(at, int(row)) for at, rows in enumerate(vectors) for row in _zero_rows(rows)]
        pieces = [texts[at][slice(*spans[at][row])] for at, row in empty]
        alone = self._encode(pieces, [()] * len(pieces), None)[0] if pieces else ()
        for (at, row), vector in zip(empty, alone, strict=True):
            vectors[at][row] = vector


def _members(encoding: Any, spans: Sequence[tuple[int, int]], shift: int) -> Vector:
    """Shape (spans, tokens): 1 where the token overlaps the span; special tokens never do."""
    offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    wanted = np.asarray(spans, dtype=np.int64).reshape(-1, 2) + shift
    begins, ends = offsets[:, 0], offsets[:, 1]
    overlap = (begins < wanted[:, 1:]) & (ends > wanted[:, :1]) & (begins < ends)
    return overlap.astype(np.float32)


def _zero_rows(vectors: Vector) -> Sequence[int]:
    return np.flatnonzero(~vectors.any(axis=1)).tolist()


def _fastest_exact(recipe: Recipe) -> str:
    return next(
        precision for precision in precisions() if recipe.cosines.get(precision, 0.0) >= EXACT
    )
