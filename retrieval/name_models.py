"""Models of names that somebody else made, in the place of the shipped one: spaCy, transformers.

They run in the same workers, which may be killed. Nothing is fetched: a model that is not here is
an error at the start, with its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from guardrails.names.worker import serve
from guardrails.types import Span
from retrieval.encoding.errors import ModelNotFoundError
from retrieval.naming import SCORE

TYPES: Mapping[str, str] = {
    **dict.fromkeys(("PERSON", "PER"), "PERSON"),
    **dict.fromkeys(("ORGANIZATION", "ORG"), "ORGANIZATION"),
    **dict.fromkeys(("LOCATION", "LOC", "GPE", "FAC"), "LOCATION"),
}
"""Labels of the usual models -> ours; any other label is no name."""
KINDS = ("spacy", "transformers")


class SpacyTagger:
    """Any spaCy pipeline with entities, such as `en_core_web_lg`."""

    def __init__(self, model: str) -> None:
        self._nlp: Any = import_module("spacy").load(model)

    def find(self, text: str) -> Sequence[Span]:
        found = self._nlp(text).ents
        return [
            Span(name.start_char, name.end_char, TYPES[name.label_], SCORE)
            for name in found
            if name.label_ in TYPES
        ]


class TransformersTagger:
    """Any token classification model of transformers with labels such as `B-PER`."""

    def __init__(self, model: str) -> None:
        pipeline = import_module("transformers").pipeline
        self._tagged: Any = pipeline(
            "token-classification", model=model, aggregation_strategy="simple", device="cpu"
        )

    def find(self, text: str) -> Sequence[Span]:
        return list(self._spans(text))

    def _spans(self, text: str) -> Iterator[Span]:
        for name in self._tagged(text) if text.strip() else ():
            type = TYPES.get(str(name["entity_group"]).upper())
            if type is not None and name["start"] < name["end"]:
                yield Span(int(name["start"]), int(name["end"]), type, SCORE)


def run(pipe: Connection, kind: str, model: str) -> None:
    """A worker of a pool: loads, then serves."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    serve(pipe, partial(SpacyTagger if kind == "spacy" else TransformersTagger, model))


def check(kind: str, model: str) -> None:
    """Raises ModelNotFoundError where the model is neither a folder nor installed."""
    if Path(model).is_dir():
        return
    if kind == "spacy":
        if not model.isidentifier() or find_spec(model) is None:
            raise ModelNotFoundError(
                f"no spaCy model {model!r} here: install its package, or name its folder"
            )
        return
    cached = import_module("huggingface_hub").try_to_load_from_cache(model, "config.json")
    if not isinstance(cached, str):
        raise ModelNotFoundError(
            f"no transformers model {model!r} here: put it into the hub's cache, or name its folder"
        )
