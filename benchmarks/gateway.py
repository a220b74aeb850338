"""What checking every hit again costs a search: the same questions to one Edge index, by turns with
and without the tags and the labels that they cover.

python benchmarks/gateway.py --size 10000 --questions 2000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from typing_extensions import override

from benchmarks.search import DIMENSION, LIMIT, TAGS, VIEWER, points, terms, unit
from retrieval import edge
from retrieval.edge import EdgeIndex
from retrieval.filters import Clause
from retrieval.gateway import Gateway, needed
from retrieval.tags import CHUNK, Payload, Tags


class _Trusting(Tags):
    """Every tag fits."""

    @override
    def holds(self, payload: Payload) -> bool:
        return True


def _fewer(required: Sequence[Clause]) -> list[str]:
    return [CHUNK, *{clause.field for clause in required}]


def measure(size: int, questions: int) -> tuple[float, float]:
    """Median milliseconds a search: with tags, and without."""
    rng = np.random.default_rng(99)
    with TemporaryDirectory() as folder:
        index = EdgeIndex.open(Path(folder) / "i", dimension=DIMENSION, tags=TAGS, writable=True)
        index.upsert(list(points(size, np.random.default_rng(7))))
        index.optimize()
        ways: list[tuple[Gateway, Callable[[Sequence[Clause]], list[str]]]] = [
            (Gateway(TAGS), needed),
            (Gateway(_Trusting(TAGS.version, b"")), _fewer),
        ]
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(questions):
            dense, sparse = unit(rng), terms(rng, 8)
            index.search(dense, sparse, VIEWER, LIMIT)  # warm for both alike
            for (gateway, fields), times in zip(ways, taken, strict=True):
                index._gateway, vars(edge)["needed"] = gateway, fields
                began = time.perf_counter()
                index.search(dense, sparse, VIEWER, LIMIT)
                times.append(1000 * (time.perf_counter() - began))
        index._gateway, vars(edge)["needed"] = ways[0]
        index.close()
    return float(np.median(taken[0])), float(np.median(taken[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=2000)
    args = parser.parse_args()
    checked, trusting = measure(args.size, args.questions)
    print(f"{args.questions} questions, {args.size} chunks, {LIMIT} hits of each retriever")
    print(f"with tags p50 {checked:.2f} ms, without {trusting:.2f} ms")


if __name__ == "__main__":
    main()
