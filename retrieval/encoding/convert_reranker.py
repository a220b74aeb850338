"""packaged weights + difference -> OpenVINO graph of the reranker, once per fingerprint.

Runs as a process of its own (`python -m retrieval.encoding.convert_reranker DELTA TARGET
FINGERPRINT`), so that torch's memory goes away with it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer

from retrieval.encoding.cross_encoder import packaged_folder, tuned
from retrieval.encoding.recipe import GRAPH, TOKENIZER, Recipe, write_manifest
from retrieval.encoding.runtime import quiet_openvino
from retrieval.reranking import MAX_TOKENS

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def convert(delta: Path, target: Path, fingerprint: str) -> None:
    """Write the folder `target` in one step."""
    tokenizer = Tokenizer.from_file(str(packaged_folder() / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    write_folder(tuned(delta), tokenizer, _recipe(fingerprint, tokenizer), target)


def write_folder(
    model: torch.nn.Module, tokenizer: Tokenizer, recipe: Recipe, target: Path
) -> None:
    """Graph, tokenizer and manifest under another name beside `target`, then renamed to it."""
    example = {name: torch.ones((2, 8), dtype=torch.int64) for name in INPUTS}
    with torch.inference_mode():
        graph = quiet_openvino().convert_model(model, example_input=example)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir(mode=0o700)
        quiet_openvino().save_model(graph, str(folder / GRAPH), compress_to_fp16=False)
        tokenizer.save(str(folder / TOKENIZER))
        write_manifest(folder, recipe)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)


def _recipe(fingerprint: str, tokenizer: Tokenizer) -> Recipe:
    return Recipe(
        fingerprint=fingerprint,
        dimension=1,
        max_tokens=MAX_TOKENS,
        pooling="logit",
        inputs=INPUTS,
        pad_id=tokenizer.token_to_id("[PAD]") or 0,
        query_prompt="",
        passage_prompt="",
        cosines={},
    )


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
