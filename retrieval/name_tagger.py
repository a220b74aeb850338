"""text -> names: the packaged encoder with its shipped difference, served without torch.

folder = converted_names(cache)          once an install, seconds
NamePool(run, [str(folder)])             workers that load it, and may be killed
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import as_file, files
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.names.worker import serve
from guardrails.types import Span
from retrieval.encoding.convert import make_once
from retrieval.encoding.errors import DamagedModelError, ModelNotFoundError
from retrieval.encoding.recipe import FORMAT, TOKENIZER, read_manifest
from retrieval.encoding.runtime import Graph, precisions
from retrieval.encoding.source import PACKAGED_WEIGHTS, sha256_of
from retrieval.naming import (
    DELTA,
    Window,
    labelled,
    names_in,
    plain_tokenizer,
    readable,
    windows_of,
)
from retrieval.types import Vector

_KEPT = 16
"""Windows whose logits are remembered: bombs have a few distinct ones."""
_MODULE = "retrieval.encoding.convert_names"


class NameTagger:
    """Finds people, places and companies. One text at a time."""

    def __init__(self, folder: Path, lean: float, *, threads: int | None = None) -> None:
        """`folder` is what `converted_names` returns. Raises ModelNotFoundError."""
        recipe = read_manifest(folder)
        if recipe is None:
            raise ModelNotFoundError(f"{folder} holds no converted model of names")
        self._lean = lean
        self._seen: dict[bytes, Vector] = {}
        self._tokenizer = plain_tokenizer(folder / TOKENIZER)
        self._graph = Graph(
            folder, recipe.inputs, recipe.pad_id, precision=precisions()[0], threads=threads
        )

    def find(self, text: str) -> Sequence[Span]:
        """Names in order and apart, in offsets of the text."""
        words = readable(text)
        if not words:
            return ()
        windows = list(windows_of(words, self._tokenizer))
        logits = [self._known(window) for window in windows]
        return names_in(words, labelled(windows, logits, len(words)), self._lean)

    def _known(self, window: Window) -> Vector:
        """A text that repeats itself costs what it says once. No word is kept, only hashes."""
        key = hashlib.sha256(repr((window.ids, window.cases)).encode()).digest()
        if key not in self._seen:
            if len(self._seen) == _KEPT:
                del self._seen[next(iter(self._seen))]
            self._seen[key] = self._logits(window)
        return self._seen[key]

    def _logits(self, window: Window) -> Vector:
        with self._graph.run([window.ids], [window.cases]) as output:
            return np.array(output.tokens[0], dtype=np.float32)


def converted_names(cache: Path, delta: Path | None = None) -> Path:
    """The folder of the shipped model, or of that of `delta`; made on first use (seconds).

    Raises ModelNotFoundError, DamagedModelError, ConversionError.
    """
    if delta is not None:
        return _converted(delta, cache)
    with as_file(files("retrieval") / "models" / DELTA) as shipped:
        return _converted(shipped, cache)


def told_of(delta: Path) -> Mapping[str, Any]:
    """What the file beside a difference says of it, once its hash is right.

    Raises ModelNotFoundError, DamagedModelError.
    """
    try:
        told: Mapping[str, Any] = json.loads(delta.with_suffix(".json").read_bytes())
        found = sha256_of(delta)
    except OSError as error:
        raise ModelNotFoundError(f"{error.filename} is missing: run `embark train ner`") from error
    if told.get("sha256") != found:
        raise DamagedModelError(f"{delta} is not the file that {delta.stem}.json was written for")
    return told


def shipped() -> Mapping[str, Any]:
    """Data, seed, scores and lean of the model that ships."""
    with as_file(files("retrieval") / "models") as folder:
        return told_of(folder / DELTA)


def run(pipe: Connection, folder: str, lean: str) -> None:
    """A worker of a pool: loads, then serves."""
    serve(pipe, partial(NameTagger, Path(folder), float(lean)))


def _converted(delta: Path, cache: Path) -> Path:
    digest = str(told_of(delta)["sha256"])
    fingerprint = f"names-{PACKAGED_WEIGHTS[:8]}-{digest[:12]}"
    target = cache / f"{fingerprint}-{FORMAT}"
    make_once(target, _MODULE, (str(delta), str(target), fingerprint))
    return target
