"""sentence-transformers model -> OpenVINO graph + tokenizer + manifest, once per fingerprint.

Runs as a process of its own (`python -m retrieval.encoding.convert SOURCE TARGET FINGERPRINT`),
so that torch's memory goes away with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import portalocker
from tokenizers import Tokenizer
from typing_extensions import override

from retrieval.encoding.errors import ConversionError, DamagedModelError, UnsupportedModelError
from retrieval.encoding.recipe import (
    FORMAT,
    GRAPH,
    TOKENIZER,
    Recipe,
    read_manifest,
    write_manifest,
)
from retrieval.encoding.runtime import EXACT, Graph, pooled, precisions, quiet_openvino
from retrieval.encoding.source import fingerprint_of
from retrieval.types import Vector

_UNSUPPORTED = 3  # exit status
_PATIENCE_S = 600.0  # a large model on a slow disk; a lock of a dead process frees itself
_SAID = 2000  # characters of the failed process's last words
SAMPLE = (
    "How do I invite a teammate?",
    "SSO",
    "Open **Settings > Members**, choose *Invite*, then enter one address per line.",
    "Die Rechnung wird am ersten Tag des Monats per E-Mail verschickt; prüfe auch den Spam-Ordner.",
    "```yaml\nplugins:\n  - name: rate-limiting\n    config: {minute: 5, policy: local}\n```",
    "Import failed with HTTP 429? Wait 60 seconds, lower the batch size to 500 and retry. " * 12,
)


def converted(source: Path, cache: Path) -> Path:
    """The folder of the converted model, made now if it is missing or damaged.

    Parallel callers convert once: the others wait. Raises UnsupportedModelError, ConversionError.
    """
    fingerprint = fingerprint_of(source)
    target = cache / f"{fingerprint}-{FORMAT}"
    make_once(target, __name__, (str(source), str(target), fingerprint))
    return target


def make_once(target: Path, module: str, arguments: Sequence[str]) -> None:
    """Run `python -m module` unless `target` is whole; parallel callers wait for the first.

    Raises UnsupportedModelError, ConversionError.
    """
    if _usable(target):
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with portalocker.Lock(target.parent / f"{target.name}.lock", timeout=_PATIENCE_S):
        if not _usable(target):
            _run_apart(target, module, arguments)


def _usable(target: Path) -> bool:
    try:
        return read_manifest(target) is not None
    except DamagedModelError:
        return False


def _run_apart(target: Path, module: str, arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", module, *arguments]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "0"}
    run = subprocess.run(
        command, env=os.environ | offline, capture_output=True, text=True, check=False
    )
    if run.returncode == 0:
        return
    said = run.stderr.strip()[-_SAID:]
    if run.returncode == _UNSUPPORTED:
        raise UnsupportedModelError(said.splitlines()[-1])
    raise ConversionError(f"{target.name} could not be converted: {said or run.returncode}")


def convert(source: Path, target: Path, fingerprint: str) -> Recipe:
    """Write the folder `target` in one step. Imports torch; call it in its own process."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds to import

    model = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    draft = recipe_of(model, fingerprint)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir(mode=0o700)
        _write_graph(model, folder, draft.inputs)
        _write_tokenizer(model, folder, draft.max_tokens)
        recipe = replace(draft, cosines=_cosines(model, folder, draft))
        write_manifest(folder, recipe)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    return recipe


def recipe_of(model: Any, fingerprint: str) -> Recipe:
    """Read from the modules as sentence-transformers built them. Raises UnsupportedModelError."""
    names = [type(module).__name__ for module in model]
    pooling = getattr(model[1], "pooling_mode", None) if len(names) > 1 else None
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise UnsupportedModelError(f"modules {' > '.join(names)} are not reproduced")
    if pooling not in ("mean", "cls") or not getattr(model[1], "include_prompt", True):
        raise UnsupportedModelError(f"pooling {pooling!r} is not reproduced")
    if not model.tokenizer.is_fast:
        raise UnsupportedModelError(f"{type(model.tokenizer).__name__} has no tokenizer.json")
    known = ("input_ids", "attention_mask", "token_type_ids")
    prompts = model.prompts
    return Recipe(
        fingerprint=fingerprint,
        dimension=int(model.get_embedding_dimension()),
        max_tokens=int(model.max_seq_length),
        pooling=pooling,
        inputs=tuple(name for name in known if name in model.tokenizer.model_input_names),
        pad_id=int(model.tokenizer.pad_token_id),
        query_prompt=prompts.get("query") or "",
        passage_prompt=prompts.get("document") or prompts.get("passage") or "",
        cosines={},
    )


def _write_graph(model: Any, folder: Path, inputs: tuple[str, ...]) -> None:
    import torch  # noqa: PLC0415 - in the converting process only

    example = {name: torch.ones((2, 8), dtype=torch.int64) for name in inputs}
    with torch.inference_mode():
        graph = quiet_openvino().convert_model(token_embeddings(model), example_input=example)
    quiet_openvino().save_model(graph, str(folder / GRAPH), compress_to_fp16=False)


def token_embeddings(model: Any) -> Any:
    """A torch module of the transformer alone, that returns one tensor."""
    import torch  # noqa: PLC0415 - in the converting process only

    class TokenEmbeddings(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = model[0].auto_model.eval()

        @override
        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            token_type_ids: torch.Tensor | None = None,
        ) -> torch.Tensor:
            optional = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            output = self.transformer(
                input_ids=input_ids, attention_mask=attention_mask, **optional
            )
            return cast("torch.Tensor", output.last_hidden_state)

    return TokenEmbeddings().eval()


def _write_tokenizer(model: Any, folder: Path, max_tokens: int) -> None:
    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    tokenizer.save(str(folder / TOKENIZER))


def _cosines(model: Any, folder: Path, recipe: Recipe) -> dict[str, float]:
    """Least cosine on the sample, per precision. Raises ConversionError when f32 is not exact."""
    reference = model.encode(list(SAMPLE), normalize_embeddings=True, show_progress_bar=False)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(SAMPLE))]
    least: dict[str, float] = {}
    for precision in precisions():
        graph = Graph(folder, recipe.inputs, recipe.pad_id, precision=precision)
        with graph.run(ids) as hidden:
            vectors: Vector = pooled(hidden, recipe.pooling)
        least[precision] = float(np.min(np.sum(vectors * reference, axis=1)))
    if least["f32"] < EXACT:
        raise ConversionError(
            f"the converted graph has cosine {least['f32']:.5f} to sentence-transformers, "
            f"below {EXACT}"
        )
    return least


if __name__ == "__main__":
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    except UnsupportedModelError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_UNSUPPORTED)
