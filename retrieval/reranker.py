"""question and chunks -> how well each answers: the cross-encoder, served without torch."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
from tokenizers import Tokenizer

from guardrails import Redacted
from retrieval.encoding.convert import make_once
from retrieval.encoding.errors import ModelNotFoundError
from retrieval.encoding.recipe import FORMAT, TOKENIZER, read_manifest
from retrieval.encoding.runtime import Graph, precisions
from retrieval.encoding.source import PACKAGED_WEIGHTS, sha256_of
from retrieval.reranking import DELTA, pair_text
from retrieval.types import Chunk, Vector

AT_ONCE = 2  # a batch uses every core: more at once only wait inside the runtime
_MODULE = "retrieval.encoding.convert_reranker"


class CrossEncoder:
    """The `Reranker` of the product. Any number of threads may ask."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """`folder` is what `converted_reranker` returns. Raises ModelNotFoundError."""
        recipe = read_manifest(folder)
        if recipe is None:
            raise ModelNotFoundError(f"{folder} holds no converted reranker")
        self.fingerprint = recipe.fingerprint
        self._turns = BoundedSemaphore(AT_ONCE)
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._graph = Graph(
            folder, recipe.inputs, recipe.pad_id, precision=precisions()[0], threads=threads
        )

    def scores(self, question: Redacted, chunks: Sequence[Chunk]) -> Vector:
        """One logit for each chunk, shape (n,): higher answers better, comparable across calls."""
        if not chunks:
            return np.zeros(0, dtype=np.float32)
        pairs = [(str(question), str(pair_text(chunk))) for chunk in chunks]
        encoded = self._tokenizer.encode_batch(pairs)
        ids, segments = [e.ids for e in encoded], [e.type_ids for e in encoded]
        with self._turns, self._graph.run(ids, segments) as output:
            return np.array(output.tokens, dtype=np.float32)


def load_reranker(
    *, cache: Path, delta: Path | None = None, threads: int | None = None
) -> CrossEncoder:
    """The shipped reranker, or the one of `delta`; converted on first use (seconds).

    Raises ModelNotFoundError, DamagedModelError, ConversionError.
    """
    if delta is not None:
        return CrossEncoder(_converted(delta, cache), threads=threads)
    with as_file(files("retrieval") / "models" / DELTA) as shipped:
        return CrossEncoder(_converted(shipped, cache), threads=threads)


def _converted(delta: Path, cache: Path) -> Path:
    if not delta.exists():
        raise ModelNotFoundError(f"{delta} is missing: run `python -m evals.fit_reranker`")
    fingerprint = f"reranker-{PACKAGED_WEIGHTS[:8]}-{sha256_of(delta)[:12]}"
    target = cache / f"{fingerprint}-{FORMAT}"
    make_once(target, _MODULE, (str(delta), str(target), fingerprint))
    return target
