from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

import retrieval.memory
from guardrails import literal
from retrieval.encoder import SpanEncoder
from retrieval.index import Index
from retrieval.memory import HashEncoder, MemoryIndex
from tests.contracts.encoder import EncoderContract
from tests.contracts.index import DIMENSION, IndexContract


class TestMemoryIndex(IndexContract):
    @pytest.fixture
    @override
    def index(self, tmp_path: Path) -> Iterator[Index]:
        yield MemoryIndex(DIMENSION)

    @override
    def blind(self, index: Index, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            retrieval.memory,
            "_rows",
            lambda columns, admits: np.ones(len(columns.payloads), dtype=np.bool_),
        )


class TestHashEncoder(EncoderContract):
    @pytest.fixture
    @override
    def encoder(self) -> SpanEncoder:
        return HashEncoder()


def test_hashed_vectors_are_the_same_in_every_process() -> None:
    vector = HashEncoder(8).encode_query(literal("invite teammates"))
    assert vector.round(3).tolist() == [
        0.0,
        0.0,
        0.0,
        0.0,
        -0.6399999856948853,
        0.0,
        -0.7680000066757202,
        0.0,
    ]
