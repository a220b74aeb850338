"""What the converted graph needs to be told: written once at conversion, checked at each start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from retrieval.encoding.errors import DamagedModelError
from retrieval.encoding.source import sha256_of

FORMAT = 1  # raise it when older conversions cannot be read
GRAPH, WEIGHTS, TOKENIZER, MANIFEST = "model.xml", "model.bin", "tokenizer.json", "manifest.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How text becomes a vector around the graph."""

    fingerprint: str
    dimension: int
    max_tokens: int  # window, special tokens included; longer text is cut
    pooling: str  # "mean" or "cls"
    inputs: tuple[str, ...]  # of the graph
    pad_id: int
    query_prompt: str
    passage_prompt: str
    cosines: Mapping[str, float]  # precision -> least cosine to sentence-transformers


def write_manifest(folder: Path, recipe: Recipe) -> None:
    hashes = {name: sha256_of(folder / name) for name in (GRAPH, WEIGHTS, TOKENIZER)}
    content = {"format": FORMAT, "recipe": asdict(recipe), "sha256": hashes}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2), encoding="utf-8")


def read_manifest(folder: Path) -> Recipe | None:
    """None when there is no conversion of this format. Raises DamagedModelError."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None
        damaged = [n for n, sha in content["sha256"].items() if sha256_of(folder / n) != sha]
        fields = content["recipe"]
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DamagedModelError(f"{folder / MANIFEST} cannot be read: {error!r}") from error
    if damaged:
        raise DamagedModelError(f"{', '.join(damaged)} in {folder} changed after the conversion")
    return Recipe(**(fields | {"inputs": tuple(fields["inputs"])}))
