"""packaged weights + difference -> OpenVINO graph that finds names, once per fingerprint.

Runs as a process of its own (`python -m retrieval.encoding.convert_names DELTA TARGET
FINGERPRINT`), so that torch's memory goes away with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from retrieval.encoding.convert_reranker import INPUTS, write_folder
from retrieval.encoding.cross_encoder import packaged_folder
from retrieval.encoding.names_network import tuned
from retrieval.encoding.recipe import TOKENIZER, Recipe
from retrieval.naming import LABELS, WINDOW, plain_tokenizer


def convert(delta: Path, target: Path, fingerprint: str) -> None:
    """Write the folder `target` in one step."""
    tokenizer = plain_tokenizer(packaged_folder() / TOKENIZER)
    recipe = Recipe(
        fingerprint=fingerprint,
        dimension=len(LABELS),
        max_tokens=WINDOW,
        pooling="tokens",
        inputs=INPUTS,
        pad_id=tokenizer.token_to_id("[PAD]") or 0,
        query_prompt="",
        passage_prompt="",
        cosines={},
    )
    write_folder(tuned(delta), tokenizer, recipe, target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
