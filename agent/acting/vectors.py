"""Vectors of texts that come again and again: titles and phrases of tools in many catalogues."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from guardrails import Redacted
from retrieval.types import Encoder, Vector

KEPT = 8192
"""Texts; 12 MB at 384 dimensions, some two thousand tools."""


class TextVectors:
    """Each text is encoded once while it is among the last `KEPT`. Thread-safe."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._kept: OrderedDict[str, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, texts: Sequence[Redacted]) -> Vector:
        """Rows of norm 1, one a text."""
        with self._lock:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known |= dict(zip(new, self._encoder.encode_passages(new), strict=True))
        with self._lock:
            for text in dict.fromkeys(texts):
                self._kept[text] = known[text]
                self._kept.move_to_end(text)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        rows = [known[text] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(rows), self._encoder.dimension)
