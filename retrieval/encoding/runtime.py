"""The converted graph: token ids -> token embeddings, on OpenVINO, without torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from retrieval.encoding.recipe import GRAPH
from retrieval.types import Vector

EXACT = 0.9999
"""Least cosine to sentence-transformers at which two backends count as the same encoder."""


class Hidden(NamedTuple):
    """Token embeddings of one batch, valid inside `Graph.run` only."""

    tokens: Vector  # shape (texts, tokens, dimension)
    mask: Vector  # shape (texts, tokens): 1 where a token is, 0 where padding is


def quiet_openvino() -> ModuleType:
    """OpenVINO without its reporter: importing it otherwise calls an analytics service."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415 - heavy, and only after the line above

    return openvino  # type: ignore[no-any-return]


def precisions() -> tuple[str, ...]:
    """What this processor computes natively, fastest first."""
    capable = quiet_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bf16", "f32") if "BF16" in capable else ("f32",)


class Graph:
    """Thread-safe: every run that happens at the same time has its own request."""

    def __init__(
        self,
        folder: Path,
        inputs: Sequence[str],
        pad_id: int,
        *,
        precision: str,
        threads: int | None = None,
    ) -> None:
        """`precision` is "f32" or "bf16"; `threads` None uses every core."""
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        core = quiet_openvino().Core()
        self._compiled = core.compile_model(str(folder / GRAPH), "CPU", settings)
        self._inputs = tuple(inputs)
        self._pad_id = pad_id
        self._idle: list[Any] = []
        self._lock = Lock()

    @contextmanager
    def run(
        self, ids: Sequence[Sequence[int]], segments: Sequence[Sequence[int]] | None = None
    ) -> Iterator[Hidden]:
        """The graph's output for texts given as token ids, padded here to the longest.

        `segments` says of each token to which text of a pair it belongs; None: all to the first.
        """
        shape = (len(ids), max(map(len, ids)))
        tokens = np.full(shape, self._pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for row, text in enumerate(ids):
            tokens[row, : len(text)] = text
            mask[row, : len(text)] = 1
        types = np.zeros(shape, dtype=np.int64)
        for row, of_text in enumerate(segments or ()):
            types[row, : len(of_text)] = of_text
        given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": types}
        feeds = {name: given[name] for name in self._inputs}
        with self._lock:
            request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
        try:
            request.infer(feeds, share_inputs=True, share_outputs=True)
            yield Hidden(request.get_output_tensor(0).data, mask.astype(np.float32))
        finally:
            with self._lock:
                self._idle.append(request)


def pooled(hidden: Hidden, pooling: str) -> Vector:
    """Shape (texts, dimension), rows of norm 1."""
    if pooling == "cls":
        return normalised(hidden.tokens[:, 0])
    return normalised(np.matmul(hidden.mask[:, None, :], hidden.tokens)[:, 0])


def normalised(rows: Vector) -> Vector:
    """Rows of norm 1; a mean needs no division by the count, the norm takes it away."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, np.float32(1e-12)), dtype=np.float32)
