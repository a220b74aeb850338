"""Backends of the default encoder: one question, passages a second, faithfulness, memory.

python benchmarks/encoder.py [--corpus DIR] [--passages 256] [--pages 150] [--repeat 3]

Every backend runs in a process of its own, on the same passages of about 120 tokens, sorted by
length in batches of 2,048 padded tokens, on every core; times are the best of --repeat. With
--corpus (a folder with docs/**/*.md, queries.jsonl and qrels.tsv) passages and questions are its
own; the last columns are the overlap of the ten best passages of a question with torch's, and
nDCG@10 over pages (dense retrieval alone), both over the passages of the pages that answer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from retrieval.encoder import BATCH_TOKENS
from retrieval.encoding.batching import by_length
from retrieval.encoding.convert import converted, token_embeddings
from retrieval.encoding.recipe import TOKENIZER, Recipe, read_manifest
from retrieval.encoding.runtime import Graph, Hidden, pooled, precisions
from retrieval.encoding.source import PACKAGED, resolve
from retrieval.types import Vector

BACKENDS = ("torch", "onnx-f32", "onnx-int8", "openvino-f32", "openvino-bf16")
WORDS = 57  # of documentation with code: about 120 word pieces
Run = Callable[[Sequence[Sequence[int]]], Vector]


@dataclass(frozen=True, slots=True)
class Material:
    """What is encoded; `answers` are (question, page) pairs with a gain, empty without a corpus."""

    passages: Sequence[str]
    pages: Sequence[str]
    questions: Sequence[str]
    gains: Sequence[Mapping[str, float]]


def material(corpus: Path | None, passages: int, pages: int) -> Material:
    if corpus is None:
        text = (
            "Open Settings, choose Members and press Invite; the invitation expires after seven "
            "days. An import that fails with status 429 is retried after 60 seconds. "
        )
        words = (text * passages * 4).split()
        cut = [" ".join(words[n * 83 : n * 83 + 90]) for n in range(passages)]
        return Material(cut, ["-"] * passages, ["How do I invite a teammate?"], [])
    rows = [json.loads(line) for line in (corpus / "queries.jsonl").read_text().splitlines()]
    asked = [row for row in rows if row["label"] == "answerable"]
    wanted = sorted({page for row in asked for page in row["answer_docs"]})[:pages]
    cut, owners = [], []
    for page in wanted:
        words = (corpus / "docs" / f"{page.replace('__', '/')}.md").read_text().split()
        for at in range(0, len(words), WORDS):
            cut.append(" ".join(words[at : at + WORDS]))
            owners.append(page)
    kept = [row for row in asked if set(row["answer_docs"]) & set(wanted)]
    gains = [dict.fromkeys(row["answer_docs"], 2.0) for row in kept]
    return Material(cut, owners, [row["text"] for row in kept], gains)


def backend(name: str, folder: Path, recipe: Recipe) -> Run:
    if name.startswith("openvino"):
        precision = name.removeprefix("openvino-")
        graph = Graph(folder, recipe.inputs, recipe.pad_id, precision=precision)

        def run(ids: Sequence[Sequence[int]]) -> Vector:
            with graph.run(ids) as hidden:
                return pooled(hidden, recipe.pooling)

        return run
    return _torch(recipe) if name == "torch" else _onnx(recipe, int8=name.endswith("int8"))


def _padded(ids: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    tokens = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return tokens, mask


def _model() -> Any:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - only two backends

    return SentenceTransformer(str(resolve(PACKAGED, allow_download=False)), device="cpu")


def _torch(recipe: Recipe) -> Run:
    import torch  # noqa: PLC0415 - only two backends

    body = token_embeddings(_model())

    def run(ids: Sequence[Sequence[int]]) -> Vector:
        tokens, mask = _padded(ids)
        with torch.inference_mode():
            hidden = body(torch.from_numpy(tokens), torch.from_numpy(mask)).numpy()
        return pooled(Hidden(hidden, mask.astype(np.float32)), recipe.pooling)

    return run


def _onnx(recipe: Recipe, *, int8: bool) -> Run:
    import onnxruntime  # noqa: PLC0415 - only two backends

    file = Path(tempfile.gettempdir()) / f"embark-benchmark-{recipe.fingerprint}.onnx"
    names = list(recipe.inputs)
    if not file.exists():
        export = subprocess.run([sys.executable, __file__, "--export", str(file)], check=False)
        export.check_returncode()
    if int8:
        file = file.with_suffix(".int8.onnx")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def run(ids: Sequence[Sequence[int]]) -> Vector:
        tokens, mask = _padded(ids)
        given = {"input_ids": tokens, "attention_mask": mask}
        feeds = {name: given.get(name, np.zeros_like(tokens)) for name in names}
        hidden = session.run(None, feeds)[0]
        return pooled(Hidden(hidden, mask.astype(np.float32)), recipe.pooling)

    return run


def export(file: Path) -> None:
    """The transformer as two ONNX files, f32 and int8, in a process of its own."""
    import torch  # noqa: PLC0415 - only two backends
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415

    model = _model()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "texts", 1: "tokens"} for name in (*names, "hidden")}
    example = tuple(torch.ones((2, 8), dtype=torch.int64) for _ in names)
    with torch.inference_mode():
        torch.onnx.export(
            token_embeddings(model),
            example,
            str(file),
            input_names=names,
            output_names=["hidden"],
            dynamic_axes=axes,
            dynamo=False,
        )
    quantize_dynamic(str(file), str(file.with_suffix(".int8.onnx")), weight_type=QuantType.QInt8)


def encode(run: Run, ids: Sequence[Sequence[int]], dimension: int) -> Vector:
    vectors = np.zeros((len(ids), dimension), dtype=np.float32)
    for batch in by_length([len(text) for text in ids], BATCH_TOKENS):
        vectors[batch] = run([ids[at] for at in batch])
    return vectors


def one(name: str, folder: Path, args: argparse.Namespace, into: Path) -> None:
    """Measure one backend; leaves its vectors and figures in `into`."""
    recipe = read_manifest(folder)
    assert recipe is not None
    work = material(args.corpus, args.passages, args.pages)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(work.passages))]
    questions = [encoding.ids for encoding in tokenizer.encode_batch(list(work.questions))]
    run = backend(name, folder, recipe)
    sample = ids[: args.passages]
    medians, rates = [], []
    for _ in range(args.repeat):
        taken = []
        for number in range(60):
            began = time.perf_counter()
            run([questions[number % len(questions)]])
            taken.append(1000 * (time.perf_counter() - began))
        medians.append(float(np.median(taken)))
        began = time.perf_counter()
        encode(run, sample, recipe.dimension)
        rates.append(len(sample) / (time.perf_counter() - began))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.savez(
        into,
        passages=encode(run, ids, recipe.dimension),
        questions=np.concatenate([run([text]) for text in questions]),
        query_ms=min(medians),
        rate=max(rates),
        peak_mb=peak,
        tokens=np.mean([len(text) for text in sample]),
    )


def ndcg(scores: Vector, pages: Sequence[str], gains: Sequence[Mapping[str, float]]) -> float:
    """Mean nDCG@10 over pages, a page ranked by its best passage."""
    discounts = 1 / np.log2(np.arange(2, 12))
    values = []
    for row, gain in zip(scores, gains, strict=True):
        best = list(dict.fromkeys(pages[at] for at in _order(row)))[:10]
        found = sum(gain.get(page, 0.0) * discounts[rank] for rank, page in enumerate(best))
        ideal = sum(
            g * d for g, d in zip(sorted(gain.values(), reverse=True), discounts, strict=False)
        )
        values.append(found / ideal)
    return float(np.mean(values))


def _order(scores: Vector) -> Sequence[int]:
    """Best first; what differs by rounding noise only, such as copied passages, keeps its order."""
    return [int(at) for at in np.argsort(-scores.round(4), kind="stable")]


def show(results: Mapping[str, Any], work: Material) -> None:
    base = results["torch"]
    truth = np.argsort(-(base["questions"] @ base["passages"].T), axis=1)[:, :10]
    print("backend        query ms  passages/s  speed-up  cos min  peak MB  overlap@10  nDCG@10")
    for name, result in results.items():
        cosine = float(np.min(np.sum(result["passages"] * base["passages"], axis=1)))
        scores = result["questions"] @ result["passages"].T
        mine = np.argsort(-scores, axis=1)[:, :10]
        overlap = np.mean([len({*a} & {*b}) / 10 for a, b in zip(truth, mine, strict=True)])
        quality = f"{ndcg(scores, work.pages, work.gains):7.4f}" if work.gains else "      -"
        print(
            f"{name:14} {result['query_ms']:8.2f}  {result['rate']:10.1f}"
            f"  {result['rate'] / base['rate']:7.1f}x  {cosine:7.5f}  {result['peak_mb']:7.0f}"
            f"  {overlap:10.4f}  {quality}"
        )
    print(f"{base['tokens']:.0f} tokens a passage, {len(work.passages)} passages, ", end="")
    print(f"{len(work.questions)} questions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--passages", type=int, default=256)
    parser.add_argument("--pages", type=int, default=150)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "embark-encoders"
    )
    parser.add_argument("--export", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.export is not None:
        export(args.export)
        return
    folder = converted(resolve(PACKAGED, allow_download=False), args.cache)
    if args.one is not None:
        one(args.one[0], folder, args, Path(args.one[1]))
        return
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in BACKENDS:
            if name.startswith("openvino") and name.removeprefix("openvino-") not in precisions():
                continue
            into = Path(scratch) / f"{name}.npz"
            command = [sys.executable, __file__, *sys.argv[1:], "--one", name, str(into)]
            subprocess.run(command, check=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})
            results[name] = dict(np.load(into))
    show(results, material(args.corpus, args.passages, args.pages))


if __name__ == "__main__":
    main()
