"""Search beyond encoding: milliseconds a question, at sizes given, with the mandatory filter.

python benchmarks/search.py --sizes 10000 100000 --questions 300

Random unit vectors of dimension 384, 60 terms a chunk drawn by Zipf's law, four tenants, three of
four chunks public; each question asks for both rankings, 50 deep, as one viewer with one plan.
The baselines are the numpy twin and qdrant-client's local mode, up to --baseline-size chunks.
Recall is that of the dense ranking against exact search by the twin.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from qdrant_client import QdrantClient

from retrieval.edge import EdgeIndex
from retrieval.index import Index, Point
from retrieval.memory import MemoryIndex
from retrieval.server import ServerIndex
from retrieval.tags import KEY_BYTES, tags_under
from retrieval.types import ChunkId, Labels, Scope, SparseVector, Vector

DIMENSION = 384
VOCABULARY = 30_000
TENANTS = ("acme", "globex", "initech", "umbrella")
PLANS = (("*",), ("*",), ("*",), ("pro",))
VIEWER = Scope("acme", holds={"plan": frozenset({"free"})})
LIMIT = 50
TAGS = tags_under(bytes(KEY_BYTES))("benchmark")


@dataclass(frozen=True, slots=True)
class Row:
    store: str
    size: int
    build_s: float
    p50_ms: float
    p99_ms: float
    recall: float


def unit(rng: np.random.Generator) -> Vector:
    vector = rng.normal(size=DIMENSION).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def terms(rng: np.random.Generator, count: int) -> SparseVector:
    ranks = np.unique(np.minimum(rng.zipf(1.2, size=count), VOCABULARY)).astype(np.uint32)
    return SparseVector(ranks, rng.uniform(0.5, 2, size=ranks.size).astype(np.float32))


def points(size: int, rng: np.random.Generator) -> Iterator[Point]:
    for number in range(size):
        page = f"page-{number // 8}"
        yield Point(
            id=ChunkId(f"{page}#{number % 8}"),
            doc_id=page,
            path=f"{page}.md",
            source="docs",
            labels=Labels(TENANTS[number % 4], plan=PLANS[number // 4 % 4]),
            content_hash=str(number),
            dense=unit(rng),
            sparse=terms(rng, 60),
        )


def measure(
    name: str, index: Index, stored: Sequence[Point], questions: int, exact: Index | None
) -> Row:
    began = time.perf_counter()
    for at in range(0, len(stored), 2_000):
        index.upsert(stored[at : at + 2_000])
    index.flush()
    if isinstance(index, EdgeIndex):
        index.optimize()
    built = time.perf_counter() - began
    rng = np.random.default_rng(99)
    asked = [(unit(rng), terms(rng, 8)) for _ in range(questions)]
    for dense, sparse in asked[:5]:
        index.search(dense, sparse, VIEWER, LIMIT)
    taken: list[float] = []
    recalls: list[float] = []
    for number, (dense, sparse) in enumerate(asked):
        began = time.perf_counter()
        found = index.search(dense, sparse, VIEWER, LIMIT)
        taken.append(1000 * (time.perf_counter() - began))
        if exact is not None and number < 20:
            wanted = {hit.id for hit in exact.search(dense, sparse, VIEWER, LIMIT).dense}
            recalls.append(len(wanted & {hit.id for hit in found.dense}) / len(wanted))
    p50, p99 = np.percentile(taken, (50, 99))
    return Row(name, len(stored), built, float(p50), float(p99), float(np.mean(recalls or [1])))


def rows(size: int, questions: int, baseline_size: int) -> Iterator[Row]:
    stored = list(points(size, np.random.default_rng(7)))
    exact = MemoryIndex(DIMENSION)
    exact.upsert(stored)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        edge = EdgeIndex.open(path, dimension=DIMENSION, tags=TAGS, writable=True)
        yield measure("Qdrant Edge", edge, stored, questions, exact)
        edge.close()
    if size > baseline_size:
        return
    few = max(5, questions // 20)
    yield measure("MemoryIndex (numpy)", MemoryIndex(DIMENSION), stored, few, None)
    client = QdrantClient(":memory:")
    local = ServerIndex.create(client, "docs", dimension=DIMENSION, tags=TAGS)
    yield measure("qdrant-client local", local, stored, few, exact)
    client.close()


def show(found: Sequence[Row]) -> None:
    print("store                 chunks   build s    p50 ms    p99 ms  recall  to Edge")
    base = {row.size: row for row in found if row.store == "Qdrant Edge"}
    for row in found:
        print(
            f"{row.store:20}  {row.size:7d}  {row.build_s:8.1f}  {row.p50_ms:8.2f}"
            f"  {row.p99_ms:8.2f}  {row.recall:6.3f}  {row.p50_ms / base[row.size].p50_ms:7.1f}x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--baseline-size", type=int, default=10_000)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="Payload indexes have no effect in the local Qdrant")
    warnings.filterwarnings("ignore", message="Local mode is not recommended")
    show([row for size in args.sizes for row in rows(size, args.questions, args.baseline_size)])


if __name__ == "__main__":
    main()
