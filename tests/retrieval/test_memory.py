from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

import retrieval.memory
from retrieval.index import Index
from retrieval.memory import MemoryIndex
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
